"""The Retry-After header: seconds or a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read a Retry-After header as seconds from now; None for a missing or unreadable one.

    :param header: the header's text.
    :param now: UTC epoch seconds, from which a date is counted.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    # RFC 850 and asctime dates, which RFC 9110 still allows, have no zone and mean UTC.
    return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
