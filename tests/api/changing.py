"""Listings that change while they are read, as unkindly as Candid's documentation allows, and a run over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.feeds import Feed, Interval, Mark
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import TokenPaging

BEGIN = microseconds("2026-01-01T00:00:00Z")
SECOND = 1_000_000
Row = dict[str, Any]


@dataclass
class Listing:
    """Records by time of change. Page tokens are offsets: a record that moves pushes others over a page's edge.

    ``events`` are never changed, and listed newest first.
    """

    page_size: int = 3
    events: bool = False
    falling: bool = False
    clock: int = BEGIN
    rows: dict[str, Row] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    requests: int = 0

    def tick(self, seconds: float) -> None:
        self.clock += int(seconds * SECOND)

    def write(self, name: str, late: float = 0.0) -> None:
        """Change a record, or create it; its time is that at which its transaction began."""
        version = self.rows[name]["version"] + 1 if name in self.rows else 1
        stamp = written(self.clock - int(late * SECOND))
        name = f"{name}.{len(self.rows)}" if self.events else name
        row = {"id": name, "version": version, "updated_at": stamp, "created_at": stamp}
        self.rows[name] = row
        self.history.append(row)

    def read(self, call: Call) -> bytes:
        """Answer a call."""
        self.requests += 1
        query = dict(call.params) if call.method == "GET" else dict(call.json)
        first = query.get("since") or query.get("created_after")
        last = query.get("created_before")
        rows = sorted(self.rows.values(), key=lambda row: (microseconds(row["updated_at"]), row["id"]))
        rows = [
            row
            for row in rows
            if (not first or microseconds(row["updated_at"]) >= microseconds(first))
            and (not last or microseconds(row["updated_at"]) <= microseconds(last))
        ]
        if "scan" in call.path:
            return json.dumps(rows[: int(query.get("maxResults", self.page_size))]).encode()
        if self.events or self.falling:
            rows.reverse()
        offset = int(query.get("page_token") or 0)
        page = rows[offset : offset + self.page_size]
        end = offset + self.page_size
        return json.dumps({"items": page, "next_page_token": str(end) if end < len(rows) else None}).encode()

    @property
    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.clock)


@dataclass
class Run:
    """One extraction: what it delivered, and where the next begins."""

    rows: list[Row]
    mark: Mark | None


def run(
    listing: Listing,
    feed: Feed,
    call: Call,
    mark: Mark | None = None,
    interval: Interval | None = None,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    crashes: Callable[[], bool] = lambda: False,
) -> Run:
    """Read a feed to its end, page by page, starting again from the checkpoint after each crash."""
    now, rows = listing.now, list[Row]()
    first, reader = feed.open(call, mark=mark, interval=interval, now=now)
    following: Call | None = first
    # A checkpoint passes through JSON.
    saved = json.dumps([reader.state(), None, 0])
    while following is not None:
        assert following.paging is not None
        page = following.paging.read(following, listing.read(following))
        rows += [json.loads(bytes(row)) for row in reader.take(page.rows)]
        meanwhile()
        if crashes():
            state, place, length = json.loads(saved)
            first, reader = feed.open(call, mark=mark, interval=interval, now=now)
            reader.restore(state)
            following, rows = first, rows[:length]
            assert first.paging is not None
            if place is not None:
                following = first.paging.resume(first, place)
            continue
        following = page.next
        if following is not None and following.paging is not None:
            saved = json.dumps([reader.state(), following.paging.save(following), len(rows)])
    ended = reader.mark()
    return Run(rows, ended and msgspec.json.decode(msgspec.json.encode(ended), type=Mark))


def token_call(path: str = "/api/tasks/v3") -> Call:
    return Call(method="GET", path=path, params={"limit": 3}, paging=TokenPaging())


def raw(row: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(row).encode())
