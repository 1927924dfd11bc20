"""Points in time as Candid writes them, and as whole microseconds since 1970, which can be compared."""

from __future__ import annotations

import datetime

import msgspec

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)


def microseconds(moment: str | datetime.datetime) -> int:
    """Count the microseconds since 1970.

    :param moment: a text such as ``2026-01-15T12:00:00.123Z``, or a time; without a zone it is in UTC.
    :raises msgspec.ValidationError: the text is not a time.
    """
    # Texts do not compare: "…:00Z" comes after "…:00.500Z".
    at = msgspec.convert(moment, datetime.datetime) if isinstance(moment, str) else moment
    return ((at if at.tzinfo else at.replace(tzinfo=datetime.UTC)) - EPOCH) // MICROSECOND


def written(moment: int) -> str:
    """Write microseconds since 1970 as Candid's query parameters take them."""
    text = (EPOCH + moment * MICROSECOND).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
