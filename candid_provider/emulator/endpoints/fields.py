"""Fields of a request: amounts, dates, enumerations and updates, refused by name when they do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

from candid_provider.emulator.answers import invalid, unprocessable
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.query import Query


def positive(asked: Asked, name: str, value: Any) -> int:
    """An amount in whole cents, more than nothing."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise unprocessable(asked.endpoint, name, "must be a whole number of cents, more than 0")
    return value


def cents_of(asked: Asked, name: str, value: Any) -> int:
    """An amount in whole cents."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise unprocessable(asked.endpoint, name, "must be a whole number of cents")
    return value


def instant(asked: Asked, name: str) -> str | None:
    """A date-time of the body, if it is there."""
    value = asked.body.get(name)
    return None if value is None else moment(asked, name, value)


def moment(asked: Asked, name: str, value: Any) -> str:
    """A date-time, in UTC and as Candid writes it."""
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise unprocessable(asked.endpoint, name, "must be an ISO 8601 date-time") from None
    if read.tzinfo is None:
        raise unprocessable(asked.endpoint, name, "must have a UTC offset")
    return read.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def day(asked: Asked, name: str, value: Any) -> str | None:
    """A date; null stays null."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise unprocessable(asked.endpoint, name, "must be a date, YYYY-MM-DD") from None


def choice(asked: Asked, name: str, value: Any, allowed: Iterable[str]) -> Any:
    """A value of an enumeration; null stays null."""
    if value is not None and value not in allowed:
        raise unprocessable(asked.endpoint, name, "is not one of the known values")
    return value


def choices(query: Query, name: str, allowed: Iterable[str]) -> set[str]:
    """The values of a query parameter that may be repeated."""
    values = set(query.texts(name))
    if not values <= set(allowed):
        raise invalid(name, "is not one of the known values")
    return values


def updated(asked: Asked, name: str, before: Any) -> Any:
    """A field after `{"type": "set", "value": ...}`, `{"type": "remove"}` or nothing."""
    order = asked.body.get(name)
    if order is None:
        return before
    kind = order.get("type") if isinstance(order, dict) else None
    if kind == "remove":
        return None
    if kind != "set" or "value" not in order:
        raise unprocessable(asked.endpoint, name, 'must be {"type": "set", "value": ...} or {"type": "remove"}')
    return order["value"]


_STATE_CODES: Final = """
    AA AE AP AL AK AS AZ AR CA CO CT DC DE FL FM GA GU HI ID IL IN IA KS KY LA ME MD MA MH MI MN MP MS MO MT NE NV
    NH NJ NM NY NC ND OH OK OR PA PR PW RI SC SD TN TX UT VI VT VA WA WV WI WY FC
"""
STATES: Final = tuple(_STATE_CODES.split())


def regions(asked: Asked, value: Any) -> Any:
    """The states that something holds in, or all of them."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "national":
        return {"type": kind}
    if kind != "states" or not isinstance(value.get("states"), list):
        raise unprocessable(asked.endpoint, "regions", "must be national, or a list of states")
    for state in value["states"]:
        choice(asked, "regions.states", state or "", STATES)
    return {"type": kind, "states": value["states"]}
