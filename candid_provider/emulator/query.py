"""Query parameters and pages: what a listing was asked for, and which rows answer it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from candid_provider.emulator.answers import error, invalid
from candid_provider.emulator.data import EPOCH


class Query:
    """The query of one request. Values that do not fit are refused with 422, naming the parameter."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)

    def texts(self, name: str) -> list[str]:
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
            value = datetime.fromisoformat(text)
        except ValueError:
            raise invalid(name, "must be an ISO 8601 date-time") from None
        if value.tzinfo is None:
            raise invalid(name, "must have a UTC offset")
        return (value - EPOCH) // timedelta(microseconds=1)

    def required_instant(self, name: str) -> int:
        value = self.instant(name)
        if value is None:
            raise invalid(name, "is required")
        return value


class Page(NamedTuple):
    """Rows of one page, and the positions in the whole selection where its neighbours begin."""

    rows: list[int]
    next: int | None
    previous: int | None


def page_of(rows: range, position: int, limit: int, keep: Callable[[int], bool] | None = None) -> Page:
    """`limit` rows of a selection from `position` on, of those that `keep` accepts."""
    if keep is not None:
        return _filtered_page(rows, position, limit, keep)
    end = position + limit
    return Page(
        list(rows[position:end]),
        end if end < len(rows) else None,
        max(0, position - limit) if position else None,
    )


def _filtered_page(rows: range, position: int, limit: int, keep: Callable[[int], bool]) -> Page:
    found: list[int] = []
    following = None
    for place in range(position, len(rows)):
        if keep(rows[place]):
            if len(found) == limit:
                following = place
                break
            found.append(rows[place])
    return Page(found, following, _start_of_previous(rows, position, limit, keep))


def _start_of_previous(rows: range, position: int, limit: int, keep: Callable[[int], bool]) -> int | None:
    start, missing = None, limit
    for place in range(position - 1, -1, -1):
        if keep(rows[place]):
            start, missing = place, missing - 1
            if not missing:
                break
    return start


class PageTokens:
    """Opaque page tokens: a position, signed together with the route and filters it belongs to."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(key.encode()).digest()

    def _sign(self, route: str, query: Query, place: bytes) -> bytes:
        # A page may be continued with another size, but not with other filters.
        filters = sorted(pair for pair in query.pairs if pair[0] not in ("limit", "page_token"))
        return hashlib.blake2b(repr((route, filters)).encode() + place, key=self._key, digest_size=10).digest()

    def write(self, route: str, query: Query, position: int | None) -> str | None:
        """The token for a position of this listing; None stays None, which ends a listing."""
        if position is None:
            return None
        place = position.to_bytes(5, "big")
        return base64.urlsafe_b64encode(place + self._sign(route, query, place)).decode()

    def read(self, route: str, query: Query) -> int:
        """The position that the request's `page_token` stands for; 422 if it is not of this listing."""
        text = query.text("page_token")
        if text is None:
            return 0
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        if len(raw) != 15 or self._sign(route, query, raw[:5]) != raw[5:]:
            message = "page_token was not issued for this listing and these filters"
            raise error(422, "UnprocessableEntityError", {"message": message})
        return int.from_bytes(raw[:5], "big")
