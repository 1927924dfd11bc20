"""Which records may have changed, on a server whose clock is not ours."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from candid_provider.api.call import Call, Page
from candid_provider.api.changes import MOST_PAGES, REMEMBERED, ChangeList, Changes
from candid_provider.api.instants import microseconds, written

LISTING = ChangeList(path="/api/events/v1/", since="created_after", cursor="created_at", key="payload.encounter_id")
START = microseconds("2020-01-01T00:00:00Z")
SECOND = 1_000_000


class Server:
    """List what happened, newest first, a page of two at a time."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []

    def happens(self, name: str | None, seconds: float) -> None:
        at = written(START + round(seconds * SECOND))
        payload = {} if name is None else {"encounter_id": name}
        self.rows.append({"id": str(len(self.rows)), "created_at": at, "payload": payload})

    async def page(self, call: Call) -> Page:
        self.asked.append(dict(call.params))
        since = microseconds(call.params.get("created_after", written(0)))
        rows = sorted(self.rows, key=lambda row: str(row["created_at"]), reverse=True)
        rows = [row for row in rows if microseconds(row["created_at"]) >= since]
        start = int(call.params.get("page_token", 0))
        following = call.with_params(page_token=str(start + 2)) if len(rows) > start + 2 else None
        return Page([msgspec.Raw(msgspec.json.encode(row)) for row in rows[start : start + 2]], following)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A server, what is known of its changes, and a clock that only this test moves."""

    def __init__(self) -> None:
        self.server, self.clock = Server(), Clock()
        self.server.happens("old", -600)
        self.server.happens("lately", 0)
        self.changes = Changes(LISTING, self.server.page, clock=self.clock)

    def look(self, max_age: float = 0.0) -> None:
        self.clock.now += 10
        asyncio.run(self.changes.look(max_age))
        self.clock.now += 10

    def changed(self, name: str, asked: float) -> bool:
        return self.changes.may_have_changed(name, asked)


def test_what_was_asked_for_before_the_first_look_may_have_changed() -> None:
    watched = Watched()
    before = watched.clock.now
    watched.look()
    assert watched.changed("any", before)
    assert not watched.changed("any", watched.clock.now)


def test_only_what_is_listed_may_have_changed_and_only_for_who_asked_before() -> None:
    watched = Watched()
    watched.look()
    asked = watched.clock.now
    for seconds, name in enumerate(["a", "b", "c", "a", "d"], start=100):
        watched.server.happens(name, seconds)
    watched.look()
    assert [watched.changed(name, asked) for name in ("a", "b", "c", "d", "old", "other")] == [True] * 4 + [False] * 2
    assert not watched.changed("a", watched.clock.now)


def test_a_row_that_is_listed_again_is_no_news_and_a_late_one_is() -> None:
    watched = Watched()
    watched.look()
    watched.server.happens("a", 100)
    watched.look()
    asked = watched.clock.now
    watched.server.happens("late", 95)
    watched.look()
    assert (watched.changed("a", asked), watched.changed("late", asked)) == (False, True)


def test_a_fresh_look_is_not_repeated() -> None:
    watched = Watched()
    watched.look()
    requests = len(watched.server.asked)
    watched.look(max_age=60)
    assert len(watched.server.asked) == requests
    watched.look(max_age=5)
    assert len(watched.server.asked) == requests + 1


def test_a_row_that_names_nobody_may_be_about_anybody() -> None:
    watched = Watched()
    watched.look()
    asked = watched.clock.now
    watched.server.happens(None, 100)
    watched.look()
    assert watched.changed("any", asked)
    assert not watched.changed("any", watched.clock.now)


def test_who_has_missed_too_much_takes_everything_for_changed() -> None:
    watched = Watched()
    watched.look()
    asked = watched.clock.now
    for number in range(2 * MOST_PAGES + 1):
        watched.server.happens(f"e{number}", 100 + number)
    watched.look()
    assert watched.changed("e0", asked)


def test_old_changes_are_forgotten_and_then_taken_for_granted() -> None:
    watched = Watched()
    watched.look()
    asked = watched.clock.now
    watched.clock.now += REMEMBERED + 60
    watched.look()
    assert watched.changed("any", asked)
    assert not watched.changed("any", watched.clock.now)
