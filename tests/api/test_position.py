"""The position in a stream of events: each is delivered once, whatever comes late and whenever a process dies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.edge import SECOND
from candid_provider.api.event_record import event_in, record_of, stream_of
from candid_provider.api.instants import written
from candid_provider.api.position import MOST, OVERLAP, Event, Position, position_from

START = 1_772_000_000 * SECOND
MINUTE = 60 * SECOND


def event(name: str, moment: int) -> Event:
    return Event(name, "CandidApi.Encounter.Created", written(moment))


@dataclass
class Stream:
    """A stream whose events can be read some time after they were made; and what was delivered of it."""

    events: list[tuple[Event, int]]
    kept: Position = field(default_factory=lambda: Position(START))
    delivered: list[str] = field(default_factory=list)

    def poll(self, position: Position, since: int, now: int, dies_after: int | None) -> Position | None:
        """Deliver a window; give the position of who did it, or None if it died."""
        there = [each for each, readable in self.events if readable <= now and since <= each.moment <= now]
        for count, each in enumerate(sorted(there, key=lambda each: (each.moment, each.id))):
            if count == dies_after:
                return None
            if not position.has(each):
                # One transaction stores the event and moves the position.
                position, self.kept = position.after(each), self.kept.after(each)
                self.delivered.append(each.id)
        return position.through(now)


events = st.lists(
    st.tuples(st.integers(0, 20 * MINUTE), st.integers(0, OVERLAP)),
    max_size=60,
).map(
    lambda drawn: [
        (event(f"event-{number}", START + at - at % SECOND), START + at + late)
        for number, (at, late) in enumerate(drawn)
    ]
)
polls = st.lists(st.tuples(st.integers(1, 3 * MINUTE), st.none() | st.integers(0, 10)), min_size=1, max_size=20)


@given(events, polls)
def test_each_event_is_delivered_once_though_some_are_late_and_processes_die(
    events: list[tuple[Event, int]], polls: list[tuple[int, int | None]]
) -> None:
    stream, now = Stream(events), START
    position: Position | None = stream.kept
    for pause, dies_after in [*polls, (30 * MINUTE, None), (OVERLAP, None)]:
        now += pause
        position = position or stream.kept
        position = stream.poll(position, position.floor, now, dies_after)
    assert sorted(stream.delivered) == sorted(each.id for each, _ in events)


def test_events_of_one_moment_are_told_apart() -> None:
    position, same = Position(START), [event(f"event-{number}", START + SECOND) for number in range(MOST + 100)]
    for each in same[: MOST + 50]:
        position = position.after(each)
    assert [position.has(each) for each in same] == [True] * (MOST + 50) + [False] * 50


def test_it_stays_small_whatever_comes() -> None:
    position = Position(START)
    for number in range(3 * MOST):
        position = position.after(event(f"event-{number}", START + number * 1000))
    assert len(position.seen) <= MOST
    assert len(json.dumps(position.saved())) < 24_000
    assert all(position.has(event(f"event-{number}", START + number * 1000)) for number in range(3 * MOST))


def test_what_it_has_does_not_move_it() -> None:
    first = event("first", START + SECOND)
    position = Position(START).after(first)
    assert position.after(first) is position
    assert position.after(event("before the beginning", START - 1)) is position


def test_it_is_read_as_it_was_saved() -> None:
    position = Position(START).after(event("first", START + SECOND))
    assert position_from(json.loads(json.dumps(position.saved()))) == position


@pytest.mark.parametrize("saved", [None, "***", [], {"version": 2, "floor": "2026-01-01T00:00:00Z", "seen": {}}, {}])
def test_what_is_no_position_is_refused(saved: object) -> None:
    with pytest.raises(ValueError, match="no position"):
        position_from(saved)


def test_airflow_is_told_which_event_it_was_and_nothing_else() -> None:
    first, stream = event("first", START), stream_of("candid_default", ["b", "a"])
    record = record_of(first, stream)
    assert set(record) == {"id", "event_type", "created_at", "stream"}
    assert event_in({"from_trigger": True, "payload": record}) == (first, stream)


@pytest.mark.parametrize(
    "extra",
    [
        None,
        {},
        {"payload": record_of(event("first", START), stream_of("candid_default", []))},
        {"from_trigger": True, "payload": "text"},
        {"from_trigger": True, "payload": {"stream": "another"}},
        {"from_trigger": True, "payload": {"stream": stream_of("candid_default", [])}},
    ],
)
def test_the_events_of_others_are_passed_over(extra: object) -> None:
    assert event_in(extra) is None


def test_a_stream_is_named_after_its_connection_and_the_types_in_any_order() -> None:
    assert stream_of("candid_default", ["b", "a"]) == stream_of("candid_default", ["a", "b", "a"])
    names = {stream_of("candid_default", []), stream_of("candid_default", ["a"]), stream_of("other", ["a"])}
    assert len(names) == 3
    assert len(stream_of("c" * 250, ["a"])) <= 250
