"""Pages made beforehand, so that a benchmark measures the client that reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from candid_provider.emulator.asked import Asked
from candid_provider.emulator.paging import limit_of

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


def _selection(asked: Asked) -> tuple[object, ...]:
    # A page is the same whether its default size was asked for or not.
    return limit_of(asked), asked.query.text("page_token"), *asked.filters()
