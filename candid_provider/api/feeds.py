"""Change feeds: how a listing is read from where the last run ended, or for one interval of time.

Every change is delivered at least once, provided that it can be read within ``overlap`` seconds of the time it
carries; none is delivered twice, except where more than a thousand lie within the overlap's end. A feed shows
records as they are: of two changes between two runs it brings the later.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.edge import Edge
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import TokenPaging
from candid_provider.api.readers import ALWAYS, Changes, Mark, Named, Reader, Span
from candid_provider.api.time_paging import RisingPaging, Until, bound_of, from_bound, put
from candid_provider.exceptions import CandidConfigError

__all__ = ["Falling", "Feed", "Interval", "Mark", "Reader", "Rising", "Scan", "View"]

Interval = tuple[datetime.datetime, datetime.datetime]
OVERLAP = 60.0
"""Seconds before the newest record from which the next run reads again: what was written meanwhile with an
earlier time, by a transaction that ended late, comes then."""


class Feed(Protocol):
    """Know how a listing is read from where the last run ended."""

    @property
    def name(self) -> str:
        """What the feed is called; a mark of another feed is not a mark of this one."""

    @property
    def cursor(self) -> str:
        """The records' field that the feed goes by."""

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """Begin an extraction.

        A task that goes on from a checkpoint gives the same four arguments again.

        :param call: the listing's first page, with the parameters that were asked for.
        :param mark: where the last run ended; None reads from the beginning.
        :param interval: deliver what changed from one time, inclusive, to another, exclusive, whatever the mark.
        :param now: the time; it has a time zone.
        :returns: the call to begin with, and what is to be done with the records that come.
        :raises CandidConfigError: a parameter of the call is the feed's own.
        """


@dataclass(frozen=True, slots=True)
class Scan:
    """Read an update scan (Candid: GET .../updates/scan): ascending ``updated_at``, ``since`` inclusive.

    A ``since`` in the query is where the first run begins. Deactivated records come, too.

    :param overlap: see ``OVERLAP``.
    """

    overlap: float = OVERLAP
    name: str = field(default="scan", init=False)
    cursor: str = field(default="updated_at", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """Scan from the mark on, to the end or to the interval's."""
        begun, span = _begin(call, ("since",), mark, interval)
        reader = Changes(call.route, Named("id", self.cursor, "version"), _edge(self, mark, interval, now), **span)
        return _ended(begun, self.cursor, interval), reader


@dataclass(frozen=True, slots=True)
class Rising:
    """Read a listing that takes a lower bound of its time and gives the oldest first.

    A lower bound in the query is where the first run begins.

    :param bound: the query parameter, inclusive.
    :param cursor: the records' field.
    :param key: field that names a record.
    :param fixed: query parameters that bring about the order.
    :param sure_from: see :class:`RisingPaging`.
    :param overlap: see ``OVERLAP``.
    """

    bound: str
    cursor: str
    key: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    sure_from: int = 2
    overlap: float = OVERLAP
    name: str = field(default="since", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """List from the mark on, to the end or to the interval's."""
        refuse(call.params, "query", self.name, "page_token", *self.fixed)
        paging = RisingPaging(_by_token(call), self.cursor, (self.bound,), sure_from=self.sure_from)
        begun, span = _begin(call.with_params(**self.fixed), (self.bound,), mark, interval)
        named = Named(self.key, self.cursor, self.cursor)
        reader = Changes(call.route, named, _edge(self, mark, interval, now), **span)
        return _ended(dataclasses.replace(begun, paging=paging), self.cursor, interval), reader


@dataclass(frozen=True, slots=True)
class Falling:
    """Read a listing that can be sorted by its time, newest first, but takes no bound; stop where the last run began.

    :param cursor: the records' field.
    :param key: field that names a record.
    :param fixed: query parameters that bring about the order.
    :param overlap: see ``OVERLAP``.
    """

    cursor: str
    key: str
    fixed: Mapping[str, str]
    overlap: float = OVERLAP
    name: str = field(default="newest_first", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """List from the newest down to the mark, or to the interval's beginning."""
        refuse(call.params, "query", self.name, "page_token", *self.fixed)
        span = span_of(mark, interval)
        reader = Changes(
            call.route,
            Named(self.key, self.cursor, self.cursor),
            _edge(self, mark, interval, now),
            span=span,
            marks=interval is None,
        )
        begun = call.with_params(**self.fixed)
        paging = Until(_by_token(call), self.cursor, first=span[0]) if span != ALWAYS else begun.paging
        return dataclasses.replace(begun, paging=paging), reader


@dataclass(frozen=True, slots=True)
class View:
    """Read the claims of a dynamic view by ``claim_updated_at`` (Candid: POST .../claim-dynamic-views/.../resolve).

    The view's own filters may be narrowed in the body's ``filters``; ``claim_updated_at.min`` is where the first
    run begins. A claim that leaves the view, because its status changed, does not come.

    :param overlap: see ``OVERLAP``.
    """

    overlap: float = OVERLAP
    name: str = field(default="view", init=False)
    cursor: str = field(default="claim_updated_at", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """Resolve the view from the mark on, to the end or to the interval's."""
        body = call.json or {}
        refuse(body, "json", self.name, "page_token", "sort")
        changed = (body.get("filters") or {}).get(self.cursor) or {}
        refuse(changed, "json", self.name, "max")
        bound = ("filters", self.cursor, "min")
        sort = [{"field": self.cursor, "direction": "asc"}]
        sorted_call = dataclasses.replace(call, json={**body, "sort": sort})
        begun, span = _begin(sorted_call, bound, mark, interval)
        if interval:
            end = written(microseconds(interval[1]))
            begun = dataclasses.replace(begun, json=put(begun.json, ("filters", self.cursor, "max"), end))
        # Whether the bounds are inclusive is not documented.
        paging = RisingPaging(_by_token(call), self.cursor, bound, step_back=1000)
        reader = Changes(
            call.route, Named("claim_id", self.cursor, self.cursor), _edge(self, mark, interval, now), **span
        )
        return _ended(dataclasses.replace(begun, paging=paging), self.cursor, interval), reader


def span_of(mark: Mark | None, interval: Interval | None) -> Span:
    """Say between which times records are delivered.

    :raises CandidConfigError: the interval is empty.
    """
    if interval is None:
        return (mark.moment, ALWAYS[1]) if mark else ALWAYS
    start, end = microseconds(interval[0]), microseconds(interval[1])
    if start >= end:
        raise CandidConfigError("interval: it ends before it has begun. Give one with a length", field="interval")
    return start, end


def refuse(given: Mapping[str, Any], argument: str, feed: str, *names: str) -> None:
    """Refuse parameters that a feed sets itself.

    :raises CandidConfigError: one of them is given.
    """
    for name in names:
        if given.get(name) is not None:
            raise CandidConfigError(
                f"{argument}: {name} is set by the change feed ({feed}). Leave it out, or read without incremental",
                field=argument,
            )


def _begin(
    call: Call, bound: tuple[str, ...], mark: Mark | None, interval: Interval | None
) -> tuple[Call, dict[str, Any]]:
    """Begin at the interval's start, else at the mark, else at the bound that was given, if any."""
    span = span_of(mark, interval)
    if span[0] != ALWAYS[0]:
        call = from_bound(call, bound, written(span[0]))
    elif (given := bound_of(call, bound)) is not None:
        call = from_bound(call, bound, written(_moment(given, bound)))
    return call, {"span": span, "marks": interval is None}


def _moment(text: str, bound: tuple[str, ...]) -> int:
    try:
        return microseconds(text.replace(" ", "T", 1))
    except msgspec.ValidationError:
        pass
    argument = "query" if len(bound) == 1 else "json"
    raise CandidConfigError(
        f"{argument}: {'.'.join(bound)} is not a time. Give one such as 2026-01-15T12:00:00Z", field=argument
    )


def _edge(feed: Any, mark: Mark | None, interval: Interval | None, now: datetime.datetime) -> Edge:
    begun = microseconds(now)
    if mark is None or interval:
        return Edge(overlap=feed.overlap, begun=begun)
    return Edge(overlap=feed.overlap, begun=begun, floor=mark.moment, seen=mark.seen)


def _ended(call: Call, cursor: str, interval: Interval | None) -> Call:
    if interval is None or call.paging is None:
        return call
    return dataclasses.replace(call, paging=Until(call.paging, cursor, last=microseconds(interval[1])))


def _by_token(call: Call) -> TokenPaging:
    if isinstance(call.paging, TokenPaging):
        return call.paging
    raise CandidConfigError(
        f"incremental: {call.route} is not paged by token, as this change feed has it. Use the resource's own",
        field="incremental",
    )
