"""Shapes of request bodies, beyond the required fields: what an optional field must be, if it is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from candid_provider.emulator.answers import unprocessable
from candid_provider.emulator.catalogue import Endpoint

Check = Callable[[Any], str | None]
"""Says what is wrong with a value; None if nothing is."""
Shape = dict[str, Any]
"""Field names with a `Check`, a `Shape`, or a list that holds one of the two: for each item."""


def text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def day(value: Any) -> str | None:
    return _parses(date.fromisoformat, value, "must be a date, YYYY-MM-DD")


def instant(value: Any) -> str | None:
    """ISO 8601 with a UTC offset: without one it could mean several."""
    wrong = "must be an ISO 8601 date-time with a UTC offset"
    return _parses(datetime.fromisoformat, value, wrong) or (None if datetime.fromisoformat(value).tzinfo else wrong)


def one_of(*values: str) -> Check:
    return lambda value: None if isinstance(value, str) and value in values else "is not one of the known values"


def _parses(parse: Callable[[str], Any], value: Any, wrong: str) -> str | None:
    try:
        parse(value)
    except (TypeError, ValueError, OverflowError):
        return wrong
    return None


def fit(endpoint: Endpoint, shape: Any, value: Any, where: str = "") -> Any:
    """A value as the shape has it: without unknown fields, and null where a field was not given.

    Refused if something does not fit, naming the field.
    """
    if value is None:
        return None
    wrong = None
    if callable(shape):
        wrong = shape(value)
    elif not isinstance(value, type(shape)):
        wrong = "must be an object" if isinstance(shape, dict) else "must be a list"
    if wrong:
        raise unprocessable(endpoint, where or "body", wrong)
    if isinstance(shape, list):
        return [fit(endpoint, shape[0], item, f"{where}.{number}") for number, item in enumerate(value)]
    if isinstance(shape, dict):
        inner = f"{where}." if where else ""
        return {name: fit(endpoint, part, value.get(name), inner + name) for name, part in shape.items()}
    return value
