"""What reading JSON from elsewhere can raise besides saying that it is not JSON."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec 0.22 lets the last two through for invalid UTF-8 and for JSON nested a thousand levels deep."""
