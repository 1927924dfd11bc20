"""The Retry-After header: seconds or a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read a Retry-After header as seconds from now; None for a missing or unreadable one.

    :param header: the header's text.
    :param now: UTC epoch seconds, from which a date is counted.
    """
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
