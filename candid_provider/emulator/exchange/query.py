"""Query parameters: typed, checked, and refused by name when they do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from candid_provider.emulator.exchange.answers import invalid
from candid_provider.emulator.exchange.instants import moment_of


class Query:
    """The query of one request. Values that do not fit are refused with 422, naming the parameter.

    `read` are the parameters that were looked at: one that was sent and that no handler reads is not emulated.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self.read: set[str] = set()

    @classmethod
    def of_body(cls, body: Any) -> Query:
        """The page size, token and filters of a listing that is asked for with a JSON body."""
        return cls((name, str(value)) for name, value in (body or {}).items() if value is not None)

    def texts(self, name: str) -> list[str]:
        self.read.add(name)
        return [value for key, value in self.pairs if key == name]

    def text(self, name: str) -> str | None:
        values = self.texts(name)
        return values[-1] if values else None

    def size(self, name: str, default: int, most: int) -> int:
        """A page size from 1 to `most`."""
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10) or not 1 <= int(text) <= most:
            raise invalid(name, f"must be a whole number from 1 to {most}")
        return int(text)

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        text = self.text(name)
        if text is not None and text not in allowed:
            raise invalid(name, "is not one of the known values")
        return text

    def choices(self, name: str, allowed: Iterable[str]) -> set[str]:
        """The values of a parameter that may be repeated."""
        values = set(self.texts(name))
        if not values <= set(allowed):
            raise invalid(name, "is not one of the known values")
        return values

    def boolean(self, name: str) -> bool | None:
        text = self.choice(name, ("true", "false", "True", "False"))
        return None if text is None else text.lower() == "true"

    def uuid(self, name: str) -> str | None:
        text = self.text(name)
        try:
            return None if text is None else str(UUID(text))
        except ValueError:
            raise invalid(name, "must be a UUID") from None

    def day(self, name: str) -> date | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise invalid(name, "must be a date, YYYY-MM-DD") from None

    def instant(self, name: str) -> int | None:
        """Microseconds since 1970. An instant without a UTC offset is refused: it could mean several."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return moment_of(text)
        except ValueError:
            raise invalid(name, "must be an ISO 8601 date-time") from None
        except TypeError:
            raise invalid(name, "must have a UTC offset") from None

    def required_instant(self, name: str) -> int:
        value = self.instant(name)
        if value is None:
            raise invalid(name, "is required")
        return value
