"""Instants as records write them, read back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from candid_provider.emulator.world.clock import EPOCH

_MICROSECOND: Final = timedelta(microseconds=1)


def moment_of(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 date-time with a UTC offset; else ValueError or TypeError."""
    return (datetime.fromisoformat(text) - EPOCH) // _MICROSECOND
