"""What a body gives: checked field by field, and put into a record the way PATCH does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from candid_provider.emulator.answers import unprocessable
from candid_provider.emulator.asked import Asked

Record = dict[str, Any]
Rule = Callable[[Any], str | None]
"""Says what is wrong with a value, or nothing."""


def check(asked: Asked, rules: Mapping[str, Rule], needed: Iterable[str] = ()) -> Record:
    """The body, whose fields keep to their rules; a field that is `needed` cannot be cleared with null."""
    body: Record = asked.body
    for name in needed:
        if name in body and body[name] is None:
            raise unprocessable(asked.endpoint, name, "must not be null")
    for name, rule in rules.items():
        if body.get(name) is not None and (problem := rule(body[name])) is not None:
            raise unprocessable(asked.endpoint, name, problem)
    return body


def changed(record: Record, body: Record, names: Iterable[str]) -> Record:
    """The record with the named fields as the body gives them; those it does not give stay, null clears."""
    return {**record, **{name: body[name] for name in names if name in body}}


def is_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def is_filled(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must not be empty"


def is_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def is_uuid(value: Any) -> str | None:
    try:
        UUID(value)
    except (ValueError, AttributeError, TypeError):
        return "must be a UUID"
    return None


def is_day(value: Any) -> str | None:
    try:
        date.fromisoformat(value)
    except (ValueError, TypeError):
        return "must be a date, YYYY-MM-DD"
    return None


def is_npi(value: Any) -> str | None:
    fits = isinstance(value, str) and len(value) == 10 and value.isascii() and value.isdigit()
    return None if fits else "must be 10 digits"


def one_of(allowed: Iterable[str]) -> Rule:
    known = frozenset(allowed)

    def rule(value: Any) -> str | None:
        return None if isinstance(value, str) and value in known else "is not one of the known values"

    return rule


def list_of(item: Rule) -> Rule:
    def rule(value: Any) -> str | None:
        if not isinstance(value, list):
            return "must be a list"
        return next((problem for problem in map(item, value) if problem), None)

    return rule


def shape(*required: str) -> Rule:
    """An object that has some fields, as strings."""

    def rule(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "must be an object"
        absent = [name for name in required if not isinstance(value.get(name), str)]
        return f"must have {absent[0]}" if absent else None

    return rule


SHORT_ADDRESS: Rule = shape("address1", "city", "state", "zip_code")
LONG_ADDRESS: Rule = shape("address1", "city", "state", "zip_code", "zip_plus_four_code")


def address(value: Record) -> Record:
    """A street address in full."""
    return dict.fromkeys(("address1", "address2", "city", "state", "zip_code", "zip_plus_four_code")) | value
