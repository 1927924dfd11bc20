"""What happened, for 30 days (Candid: /api/events/v1/)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters
from candid_provider.emulator.world.world import EVENT_RETENTION, microseconds


def _seeded(state: State, index: int) -> Record | None:
    return encounters.event(state.world, index) if index in state.world.event_rows() else None


EVENTS: Final = Kind(
    "event",
    "id",
    count=lambda state: state.world.events_end,
    make=_seeded,
    created=lambda state, index: state.world.event_recorded(index),
)


def emit(state: State, event_type: str, payload: dict[str, Any], at: int | None = None) -> None:
    """Record that something happened just now, or `at` an instant; the payload holds ids and statuses only."""
    happened = state.clock.tick() if at is None else at
    events, now = state.of(EVENTS), microseconds(happened)
    events.add(
        {
            "id": events.new_id(),
            "created_at": now,
            "timestamp": now,
            "event_type": event_type,
            "schema_version": "1",
            "payload": payload,
        },
        happened,
    )


@answers("events.v_1.scan")
def list_events(asked: Asked) -> Record:
    query, state = asked.query, asked.state
    events, wanted = state.of(EVENTS), set(query.texts("event_types"))
    first, last = query.instant("created_after"), query.instant("created_before")
    created, updated = (not wanted or name in wanted for name in (encounters.CREATED, encounters.STATUS_UPDATED))
    oldest = state.clock.now() - EVENT_RETENTION
    seeded = state.world.event_rows(created=created, updated=updated)
    rows = events.by_creation(seeded).between(max(first or oldest, oldest), last)

    def is_wanted(event: Record) -> bool:
        return not wanted or event["event_type"] in wanted

    return page(asked, rows, events.created_record, keep=is_wanted, descending=True)


@answers("events.v_1.get")
def get_event(asked: Asked) -> Record:
    return found(asked, EVENTS)
