"""Which of many records may have changed since they were read: one listing for all who wait for one of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from candid_provider.api.call import Call, Page
from candid_provider.api.event_feeds import ABOUT_ENCOUNTERS, ENCOUNTER_PATH, EVENTS_PATH
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import TokenPaging

OVERLAP = 60_000_000
"""Microseconds by which a listing goes back behind what it knows: a row may be written late."""
REMEMBERED = 6 * 3600.0
"""Seconds for which it is remembered that a record has changed."""
MOST_PAGES = 10
"""Of one look; who has missed more takes everything for changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeList:
    """Name a listing that tells of changes.

    :param path: its path.
    :param since: parameter from which on it lists, inclusive.
    :param cursor: field of a row that holds when it changed.
    :param key: where a row names the record that changed: names joined by dots.
    :param newest: parameters that bring the newest row first.
    :param params: parameters of all its calls.
    """

    path: str
    since: str
    cursor: str
    key: str
    newest: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)

    def call(self, **params: Any) -> Call:
        """Make a call for its first page."""
        return Call(method="GET", path=self.path, params={**self.params, **params}, paging=TokenPaging())

    def named_by(self, row: Any) -> str | None:
        """Give the id of the record that a row tells of, None if it cannot be read."""
        for name in self.key.split("."):
            row = row.get(name) if isinstance(row, dict) else None
        return row if isinstance(row, str) else None


LISTS = {
    ENCOUNTER_PATH: ChangeList(
        path=EVENTS_PATH,
        since="created_after",
        cursor="created_at",
        key="payload.encounter_id",  # Candid does not document payloads; see EncounterEvents
        params={"event_types": list(ABOUT_ENCOUNTERS), "limit": 100},
    ),
    "/api/tasks/v3/{task_id}": ChangeList(
        path="/api/tasks/v3",
        since="updated_since",
        cursor="updated_at",
        key="task_id",
        newest={"sort": "updated_at:desc"},
        params={"sort": "updated_at:asc", "limit": 100},
    ),
}
"""By the path that many may wait at, the list that tells which of them to ask for."""


class Changes:
    """Remember what a listing has told of.

    Times are the server's where it is asked, and this process's where two moments are compared, so that no two
    clocks have to agree.

    :param listing: which listing.
    :param pages: sends a call and gives the page that it brings.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        listing: ChangeList,
        pages: Callable[[Call], Awaitable[Page]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listing, self._page, self._clock = listing, pages, clock
        self._horizon: int | None = None
        self._known_since = float("inf")
        self._looked = float("-inf")
        self._told: dict[str, float] = {}
        self._rows: dict[tuple[str | None, str], int] = {}

    async def look(self, max_age: float) -> None:
        """List what has changed since the last look, unless that is fresh; not to be called twice at a time.

        :param max_age: seconds for which a look is fresh.
        :raises CandidError: the listing could not be read.
        """
        if self._clock() - self._looked < max_age:
            return
        begun = self._clock()
        if self._horizon is None:
            await self._begin()
            self._known_since = begun
        else:
            await self._list()
        self._looked = begun

    def may_have_changed(self, name: str, asked: float) -> bool:
        """Say whether a record may have changed since somebody asked for it.

        :param name: its id.
        :param asked: when, by the clock.
        """
        return asked <= self._known_since or self._told.get(name, float("-inf")) >= asked

    async def _begin(self) -> None:
        page = await self._page(self._listing.call(**{**self._listing.newest, "limit": 1}))
        times = [microseconds(row[self._listing.cursor]) for row in page.items]
        self._horizon = max(times, default=0)

    async def _list(self) -> None:
        since = max((self._horizon or 0) - OVERLAP, 0)
        following: Call | None = self._listing.call(**{self._listing.since: written(since)})
        for _ in range(MOST_PAGES):
            if following is None:
                break
            page = await self._page(following)
            for row in page.items:
                self._note(row)
            following = page.next
        if following is not None:
            self._known_since = self._clock()
        self._forget(max((self._horizon or 0) - OVERLAP, 0))

    def _note(self, row: dict[str, Any]) -> None:
        at, name = microseconds(row[self._listing.cursor]), self._listing.named_by(row)
        key = (name, f"{row.get('id', '')}{row[self._listing.cursor]}")
        self._horizon = max(self._horizon or 0, at)
        if key in self._rows:
            return
        self._rows[key] = at
        if name is None:
            self._known_since = self._clock()  # it may be about any of them
        else:
            self._told[name] = self._clock()

    def _forget(self, before: int) -> None:
        """Keep of the rows those that will be listed again, and of what they told what is not too old."""
        self._rows = {key: at for key, at in self._rows.items() if at >= before}
        oldest = self._clock() - REMEMBERED
        self._told = {name: told for name, told in self._told.items() if told >= oldest}
        self._known_since = max(self._known_since, oldest)
