"""Up to where a stream of events was delivered, so that each is delivered once and the late ones are not missed."""

from __future__ import annotations

from typing import Any

import msgspec

from candid_provider.api.edge import SECOND, digest_of
from candid_provider.api.instants import microseconds, written
from candid_provider.oauth.unreadable import UNREADABLE

KEPT_DAYS = 30
"""Days for which Candid keeps events."""
MARGIN = 3600.0
"""Seconds less than that for which they are counted on: the oldest may expire while the newer are read."""
OVERLAP = 120 * SECOND
"""Microseconds before the newest event in which another may still appear: it was written by a transaction that
ended late, or by a clock that is behind."""
MOST = 500
"""Events remembered of that time: 15 KB. Where more of them come, the time is shorter."""


class Event(msgspec.Struct, frozen=True):
    """Name an event; what it tells of stays at Candid (GET /api/events/v1/{event_id}).

    :param id: UUID.
    :param event_type: such as ``CandidApi.Encounter.StatusUpdated``.
    :param created_at: when, as Candid writes times.
    """

    id: str
    event_type: str
    created_at: str

    @property
    def moment(self) -> int:
        """When, in microseconds since 1970."""
        return microseconds(self.created_at)


class Position(msgspec.Struct, frozen=True):
    """Say which events were delivered: all before the floor, and of those from there on the ones remembered.

    Events are delivered by their time, so that what is older than a remembered one was delivered, or was not there
    yet.

    :param floor: microseconds since 1970.
    :param seen: moments of the events at or after the floor that were delivered, by the digest of their id.
    """

    floor: int
    seen: dict[str, int] = {}

    def has(self, event: Event) -> bool:
        """Whether an event was delivered, or lies before the beginning."""
        return event.moment < self.floor or digest_of(event.id) in self.seen

    def after(self, event: Event) -> Position:
        """Give the position after the delivery of one more event; after one that it has, the same."""
        if self.has(event):
            return self
        seen = {**self.seen, digest_of(event.id): event.moment}
        return Position(self.floor, seen).through(event.moment)

    def through(self, moment: int) -> Position:
        """Give the position after everything up to a moment was delivered that was there by then."""
        floor = max(self.floor, moment - OVERLAP)
        if len(self.seen) > MOST:
            # Those of the same moment stay together: which of them were delivered is known by their ids only.
            floor = max(floor, sorted(self.seen.values())[-MOST])
        return Position(floor, {digest: at for digest, at in self.seen.items() if at >= floor})

    def saved(self) -> dict[str, Any]:
        """Write it for people and machines, as JSON."""
        return {"version": 1, "floor": written(self.floor), "seen": self.seen}


class _Saved(msgspec.Struct):
    version: int
    floor: str
    seen: dict[str, int]


def position_from(saved: Any) -> Position:
    """Read what :meth:`Position.saved` has written.

    :raises ValueError: it is something else.
    """
    try:
        found = msgspec.convert(saved, _Saved)
        if found.version == 1:
            return Position(microseconds(found.floor), found.seen)
    except UNREADABLE:
        pass
    raise ValueError("this is no position in a stream of events")
