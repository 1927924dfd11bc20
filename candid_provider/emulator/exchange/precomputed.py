"""Pages made beforehand, so that a benchmark measures the client that reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import limit_of
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.state import State

_MOST_BYTES: Final = 1 << 30


class Precomputed:
    """Answers of listings, kept as they are sent. They are forgotten when the world's time moves, as any write does.

    At most 1 GiB is kept; what would not fit is made anew each time.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._at = now()
        self._pages: dict[tuple[object, ...], bytes] = {}
        self.bytes = 0

    def answer(self, asked: Asked, make: Callable[[Asked], bytes]) -> bytes:
        """The kept answer to a request, or one that `make` makes and that is kept from now on."""
        if self._at != self._now():
            self._at, self._pages, self.bytes = self._now(), {}, 0
        key = (asked.endpoint.id, *sorted(asked.path.items()), *_selection(asked))
        page = self._pages.get(key)
        if page is None:
            page = make(asked)
            if self.bytes + len(page) <= _MOST_BYTES:
                self._pages[key] = page
                self.bytes += len(page)
        return page

    def fill(self, state: State, make: Callable[[Asked], bytes]) -> Iterator[int]:
        """Make the pages of all encounters, of the default size, newest first; the bytes kept after each of them."""
        token: str | None = ""
        while token is not None and self.bytes < _MOST_BYTES:
            query = Query([("page_token", token)] if token else [])
            page = self.answer(Asked(state, endpoints()["encounters.v_4.get_all"], {}, query), make)
            token = msgspec.json.decode(page, type=_Page).next_page_token
            yield self.bytes


class _Page(msgspec.Struct):
    next_page_token: str | None


def _selection(asked: Asked) -> tuple[object, ...]:
    # A page is the same whether its default size was asked for or not.
    return limit_of(asked), asked.query.text("page_token"), *asked.filters()
