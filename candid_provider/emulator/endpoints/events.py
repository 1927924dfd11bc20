"""What happened, for 30 days (Candid: /api/events/v1/)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator import encounters
from candid_provider.emulator.answers import not_found
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Kind, Record
from candid_provider.emulator.data import EVENT_RETENTION_DAYS, microseconds
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.feed import Key
from candid_provider.emulator.paging import page
from candid_provider.emulator.state import State

EVENTS: Final = Kind(
    "event",
    "id",
    count=lambda state: state.world.event_rows().stop,
    make=lambda state, index: encounters.event(state.world, index),
    created=lambda state, index: state.world.event_recorded(index),
)
_RETENTION: Final = EVENT_RETENTION_DAYS * 86_400_000_000


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
    oldest = state.clock.now() - _RETENTION
    rows = events.by_creation(state.world.event_rows()).between(max(first or oldest, oldest), last)

    def load(key: Key) -> Record | None:
        if wanted and not key.written and encounters.event_type(state.world, key.number) not in wanted:
            return None
        return events.created_record(key)

    return page(asked, rows, load, keep=lambda row: not wanted or row["event_type"] in wanted, descending=True)


@answers("events.v_1.get")
def get_event(asked: Asked) -> Record:
    record = asked.state.of(EVENTS).get(asked.id)
    if record is None:
        raise not_found(asked.id)
    return record
