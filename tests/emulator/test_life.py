"""What happens in the seeded world while its time goes by."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import date
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candid_provider.emulator import EmulatorConfig
from candid_provider.emulator.world import lives
from candid_provider.emulator.world.claims import STATUSES, path, rows_with, status_of
from candid_provider.emulator.world.clock import WorldClock
from candid_provider.emulator.world.encounters import CREATED, encounter, event, inventory_row
from candid_provider.emulator.world.lives import STAGES, standing
from candid_provider.emulator.world.organization import Organization
from candid_provider.emulator.world.pre_encounter import appointment
from candid_provider.emulator.world.world import World

CONFIG = EmulatorConfig(as_of=date(2026, 3, 15), encounters=150, patients=40, days=12)
LARGE = EmulatorConfig(as_of=date(2026, 3, 15), encounters=5_000_000, patients=1_000_000, days=365)
DAY = 86_400
WORLD = World(CONFIG)
ORGANIZATION = Organization(WORLD.ids)


def made(world: World, index: int) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(encounter(world, ORGANIZATION, index)))
    return row


def events(world: World) -> list[dict[str, Any]]:
    return [row for index in world.event_rows() if (row := event(world, index)) is not None]


def ends(world: World) -> int:
    return world.reached(world.encounters - 1, STAGES - 1)


MOMENTS = st.integers(CONFIG.starts_at, ends(WORLD) + DAY * 1_000_000)


# --- the lives a claim can lead


def test_there_are_lives_with_every_status_and_some_go_backwards() -> None:
    paths = {path(WORLD.at(0), index) for index in range(5_000)}
    steps = {step for statuses in paths for step in pairwise(statuses)}
    assert {status for statuses in paths for status in statuses} == set(STATUSES)
    assert all(len(statuses) == STAGES for statuses in paths)
    assert all(before != after for before, after in steps)
    assert {
        ("era_received", "rejected"),
        ("rejected", "submitted_to_payer"),
        ("denied", "submitted_to_payer"),
    } <= steps
    assert Counter(path(WORLD, index)[-1] for index in range(5_000)).most_common(1)[0][0] == "finalized_paid"


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_frequent_at_each_stage_that_is_searched_for_it(status: str) -> None:
    at_stage = Counter(
        stage for index in range(6_000) for stage, found in enumerate(path(WORLD, index)) if found == status
    )
    assert sorted(at_stage) == list(lives.stages_of(status))
    assert min(at_stage.values()) > 6_000 / 75


def test_a_resubmitted_denial_keeps_its_remittance_and_gets_another() -> None:
    statuses = ("biller_received", "coded", "submitted_to_payer", "denied", "submitted_to_payer", "paid")
    known = [standing(statuses, stage) for stage in range(STAGES)]
    assert [item.eras for item in known] == [(), (), (), (3,), (3,), (3, 5)]
    assert [item.denied for item in known] == [False, False, False, True, True, False]
    assert [item.submitted for item in known] == [None, None, 2, 2, 4, 4]


def test_a_remittance_says_from_the_first_what_it_will_have_said() -> None:
    statuses = ("biller_received", "coded", "submitted_to_payer", "era_received", "denied", "finalized_denied")
    assert [(standing(statuses, stage).eras, standing(statuses, stage).denied) for stage in (3, 4, 5)] == [
        ((3,), True)
    ] * 3


# --- time goes by


def test_every_change_of_a_status_is_one_event_and_every_event_a_change() -> None:
    clock = WorldClock(CONFIG.starts_at)
    world = World(CONFIG, clock.now)
    delay = world.event_recorded(0) - world.event_happened(0)
    seen = {row["id"]: row for row in events(world)}
    while clock.now() < ends(world) + delay:
        clock.advance(0.31 * DAY)
        rows = events(world)
        assert list(seen) == [row["id"] for row in rows[: len(seen)]]
        seen |= {row["id"]: row for row in rows}
        then = world.at(clock.now() - delay)
        latest = {row["payload"]["encounter_id"]: row["payload"]["claim_status"] for row in rows}
        assert latest == {world.ids.uuid("encounter", n): status_of(then, n) for n in range(world.encounters)}
    lived: dict[str, list[str]] = {}
    for row in seen.values():
        lived.setdefault(row["payload"]["encounter_id"], []).append(row["payload"]["claim_status"])
        assert (row["event_type"] == CREATED) == (len(lived[row["payload"]["encounter_id"]]) == 1)
    assert lived == {world.ids.uuid("encounter", n): list(path(world, n)) for n in range(world.encounters)}
    assert world.counts()["events"] == len(seen) == STAGES * CONFIG.encounters


def test_claims_rest_after_their_lives_and_events_are_forgotten_after_thirty_days() -> None:
    late = WORLD.at(ends(WORLD) + 10 * DAY * 1_000_000)
    later = WORLD.at(ends(WORLD) + 31 * DAY * 1_000_000)
    assert [status_of(late, n) for n in range(150)] == [path(WORLD, n)[-1] for n in range(150)]
    assert [made(late, n) for n in range(0, 150, 9)] == [made(later, n) for n in range(0, 150, 9)]
    assert late.event_rows().stop == later.event_rows().stop
    assert (len(later.event_rows()), later.counts()["events"]) == (0, 0)


@settings(deadline=None, max_examples=40)
@given(MOMENTS)
def test_at_any_time_what_is_computed_is_what_counting_finds(moment: int) -> None:
    world = WORLD.at(moment)
    everything = range(world.encounters)
    for index in everything:
        stage = world.stage(index)
        reached = [world.reached(index, n) for n in range(STAGES)]
        assert reached == sorted(reached)
        assert stage == sum(instant <= moment for instant in reached) - 1
        assert world.claim_updated(index) == reached[stage]
        assert index in world.at_stages(range(stage, stage + 1))
    assert sum(len(world.at_stages(range(stage, stage + 1))) for stage in range(STAGES)) == len(everything)
    for status in STATUSES:
        assert {n for n in everything if status_of(world, n) == status} <= set(rows_with(world, status))
    assert list(world.inventory_rows()) == [n for n in everything if world.owes(n)]
    assert len(events(world)) == world.counts()["events"]
    assert [row["timestamp"] for row in map(lambda n: inventory_row(world, n), world.inventory_rows())] == sorted(
        inventory_row(world, n)["timestamp"] for n in world.inventory_rows()
    )


@settings(deadline=None, max_examples=40)
@given(MOMENTS)
def test_events_are_recorded_in_the_order_of_their_indices_and_never_in_the_future(moment: int) -> None:
    world = WORLD.at(moment)
    rows = world.event_rows()
    recorded = [world.event_recorded(index) for index in rows]
    assert recorded == sorted(recorded)
    assert all(moment - 30 * DAY * 1_000_000 <= instant <= moment for instant in recorded)
    for index in rows:
        known = world.event(index)
        assert known is None or world.event_index(*known) == index
    creations, updates = world.event_rows(updated=False), world.event_rows(created=False)
    assert all(known is not None and known[1] == 0 for known in map(world.event, creations))
    found = [index for index in updates if (known := world.event(index)) is not None and known[1]]
    assert sorted([*creations, *found]) == [index for index in rows if world.event(index) is not None]
    assert len(world.event_rows(created=False, updated=False)) == 0


@settings(deadline=None, max_examples=40)
@given(MOMENTS)
def test_claims_can_be_gone_through_in_the_order_of_their_latest_change(moment: int) -> None:
    world = WORLD.at(moment)
    order = [n for index in world.change_rows() if (n := world.last_changed(index)) is not None]
    assert order == sorted(range(world.encounters), key=world.claim_updated)


@settings(deadline=None, max_examples=25)
@given(MOMENTS)
def test_money_follows_the_stage(moment: int) -> None:
    world = WORLD.at(moment)
    for index in range(0, world.encounters, 3):
        row, known = made(world, index), standing(path(world, index), world.stage(index))
        claim = row["claims"][0]
        assert (claim["status"], row["owner_of_next_action"]) == (known.status, known.owner)
        assert (row["next_responsible_party"] == "patient") == world.owes(index)
        assert (row["last_submitted_at"] is None) == (claim["clearinghouse"] is None) == (known.submitted is None)
        assert len(claim["eras"]) == len(known.eras)
        assert not claim["eras"] or row["last_submitted_at"]
        for line in claim["service_lines"]:
            charge, allowed, paid = (line[f"{name}_amount_cents"] for name in ("charge", "allowed", "paid"))
            assert (allowed is not None) == bool(claim["eras"])
            assert (line["patient_balance_cents"] > 0) == world.owes(index)
            assert allowed is None or charge >= allowed == paid + line["patient_responsibility_cents"]


def test_the_inventory_grows_as_claims_are_adjudicated() -> None:
    clock = WorldClock(CONFIG.starts_at)
    world = World(CONFIG, clock.now)
    before = world.inventory_rows()
    clock.move_to(ends(world))
    assert 0 < len(before) < len(world.inventory_rows()) == 50
    new = world.inventory_rows()[len(before) :]
    assert all(CONFIG.starts_at < world.adjudicated(index) <= clock.now() for index in new)


def test_at_the_start_all_statuses_occur_and_the_older_claims_have_ended() -> None:
    world = World(EmulatorConfig(as_of=CONFIG.as_of, encounters=420))
    assert {status_of(world, index) for index in range(420)} == set(STATUSES)
    assert {world.stage(index) for index in range(310)} == {STAGES - 1}
    assert {world.stage(index) for index in range(320, 420)} == set(range(STAGES - 1))


# --- nothing depends on how the time came


def everything(world: World) -> bytes:
    return msgspec.json.encode(
        [
            [encounter(world, ORGANIZATION, index) for index in range(world.encounters)],
            events(world),
            [inventory_row(world, index) for index in world.inventory_rows()],
        ]
    )


@settings(deadline=None, max_examples=10)
@given(steps=st.lists(st.integers(0, 4 * DAY), max_size=8))
def test_the_same_instant_is_the_same_bytes_however_it_was_reached(steps: list[int]) -> None:
    clock = WorldClock(CONFIG.starts_at)
    stepped = World(CONFIG, clock.now)
    for seconds in steps:
        clock.advance(seconds)
        everything(stepped)
    jumped = World(CONFIG, WorldClock(CONFIG.starts_at + 1_000_000 * sum(steps)).now)
    assert everything(stepped) == everything(jumped) == everything(WORLD.at(clock.now()))


@pytest.mark.parametrize("encounters", [0, 1, 2, 3, 7])
def test_the_smallest_worlds_live_too(encounters: int) -> None:
    world = World(EmulatorConfig(as_of=CONFIG.as_of, encounters=encounters, patients=1, days=1))
    for hours in (0, 1, 5, 100):
        then = world.at(world.now() + hours * 3_600_000_000)
        assert len(events(then)) == then.counts()["events"]
        assert all(made(then, index)["claims"][0]["status"] for index in range(encounters))
    assert then.counts()["events"] == STAGES * encounters


# --- appointments


def test_appointments_are_made_for_visits_to_come() -> None:
    rows = [appointment(WORLD, ORGANIZATION, index) for index in range(WORLD.appointments)]
    start = "2026-03-16T00:00:00.000Z"
    upcoming = [row for row in rows if row["status"] == "PENDING"]
    assert (len(rows), len(upcoming)) == (150 + 18, 18)
    assert all((row["start_timestamp"] > start) == (row["status"] == "PENDING") for row in rows)
    assert max(row["start_timestamp"] for row in upcoming) < "2026-03-18"
    assert all(row["updated_at"] <= start for row in rows)
    assert [row["updated_at"] for row in rows] == sorted(row["updated_at"] for row in rows)
    assert len({row["start_timestamp"] for row in upcoming}) == 18


@given(encounters=st.integers(0, 200))
def test_each_visit_has_one_appointment(encounters: int) -> None:
    world = World(EmulatorConfig(as_of=CONFIG.as_of, encounters=encounters))
    visits = [world.visit_of(index) for index in range(world.appointments)]
    assert sorted(visits) == list(range(encounters + encounters // 8))
    assert [world.appointment_of(visit) for visit in visits] == list(range(world.appointments))


# --- any size


@pytest.mark.parametrize("days", [0, 20, 60, 200])
def test_no_page_of_a_large_world_looks_at_many_records(days: int) -> None:
    world = World(LARGE).at(LARGE.starts_at + days * DAY * 1_000_000)
    for status in STATUSES:
        rows = rows_with(world, status)
        for place in (0, len(rows) // 3, len(rows) * 2 // 3, max(0, len(rows) - 8_000)):
            looked_at = islice(rows[place:], 8_000)
            assert len(rows) < 8_000 or sum(status_of(world, index) == status for index in looked_at) > 100
    for rows in (world.event_rows(), world.event_rows(created=False), world.event_rows(updated=False)):
        for place in (0, len(rows) // 2, max(0, len(rows) - 1_000)):
            assert not rows or sum(world.event(index) is not None for index in rows[place : place + 1_000]) > 100
    rows = world.change_rows()
    for place in (0, len(rows) // 2, len(rows) - 2_000):
        assert sum(world.last_changed(index) is not None for index in rows[place : place + 2_000]) > 100


def test_a_large_world_takes_no_more_memory_than_its_pages() -> None:
    tracemalloc.start()
    try:
        world = World(LARGE)
        for first in (0, 2_500_000, 4_999_900):
            page = msgspec.json.encode([encounter(world, ORGANIZATION, first + n) for n in range(100)])
        world.counts()
        assert tracemalloc.get_traced_memory()[1] < 20 * len(page)
    finally:
        tracemalloc.stop()
