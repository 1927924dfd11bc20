"""Fields of a request: amounts, dates, enumerations and updates, refused by name when they do not fit."""

from __future__ import annotations

from datetime import date
from typing import Any

from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked


def positive(asked: Asked, name: str, value: int) -> int:
    """An amount in cents, more than nothing."""
    if value <= 0:
        raise unprocessable(asked.endpoint, name, "must be more than 0 cents")
    return value


def day(asked: Asked, name: str, value: Any) -> str | None:
    """A date that the models have as a string; null stays null."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise unprocessable(asked.endpoint, name, "must be a date, YYYY-MM-DD") from None


def updated(asked: Asked, name: str, before: Any) -> Any:
    """A field after `{"type": "set", "value": ...}`, `{"type": "remove"}` or nothing."""
    order = asked.body.get(name)
    if order is None:
        return before
    return order.get("value")
