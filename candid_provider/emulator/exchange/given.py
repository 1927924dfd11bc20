"""Rules on single fields of a body that the SDK's models do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked

Rule = Callable[[str], str | None]
"""Says what is wrong with a text, or nothing."""


def check(asked: Asked, rules: Mapping[str, Rule], needed: Iterable[str] = ()) -> None:
    """Refuse a body whose fields do not keep to their rules, or that clears one that is `needed` with null."""
    for name in needed:
        if name in asked.body and asked.body[name] is None:
            raise unprocessable(asked.endpoint, name, "must not be null")
    for name, rule in rules.items():
        if asked.body.get(name) is not None and (problem := rule(asked.body[name])) is not None:
            raise unprocessable(asked.endpoint, name, problem)


def is_filled(text: str) -> str | None:
    return None if text.strip() else "must not be empty"


def is_day(text: str) -> str | None:
    """For the dates that the models have as strings."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return "must be a date, YYYY-MM-DD"
    return None


def is_npi(text: str) -> str | None:
    return None if len(text) == 10 and text.isascii() and text.isdigit() else "must be 10 digits"
