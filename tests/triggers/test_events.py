"""Watchers as a triggerer runs them, on streams that they share, while the emulator's world goes on in real time."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from airflow.triggers.shared_stream import SharedStreamManager

from candid_provider.api.event_record import stream_of
from candid_provider.api.position import KEPT_DAYS, Event, Position, position_from
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidConfigError
from candid_provider.triggers.event_course import EventCourse, more_or_less
from candid_provider.triggers.event_positions import AssetPositions
from candid_provider.triggers.event_windows import Window
from candid_provider.triggers.events import CandidEventTrigger
from tests.conftest import Connect
from tests.emulator.conftest import Api, connected
from tests.emulator.test_organization import PROVIDER, PROVIDERS

CREATED, UPDATED = "CandidApi.OrganizationProvider.Created", "CandidApi.OrganizationProvider.Updated"
ROUTE = "GET /api/events/v1/"
PATIENCE = 60.0


@pytest.fixture
def candid() -> Iterator[Emulator]:
    """A world whose time is the wall's."""
    with running(EmulatorConfig(speed=1.0, encounters=100, patients=40, days=20)) as emulator:
        yield emulator


@pytest.fixture
def api(candid: Emulator) -> Iterator[Api]:
    with connected(candid) as http:
        yield Api(http)


def happen(api: Api, times: int = 1) -> list[str]:
    """Let providers be created; their events' ids."""
    before = {event["id"] for event in api.rows("/api/events/v1/", limit=100, event_types=CREATED)}
    for _ in range(times):
        assert api.http.post(PROVIDERS, json=PROVIDER).status_code == 200
    events = api.rows("/api/events/v1/", limit=100, event_types=CREATED)
    return [event["id"] for event in reversed(events) if event["id"] not in before]


class State:
    """The state of one asset, as Airflow's accessor gives it; it fails as often as it is told."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}
        self.failures = 0

    async def aget(self, key: str) -> Any:
        self._fail()
        return self.saved.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self._fail()
        self.saved[key] = json.loads(json.dumps(value))

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("Jane Doe is away")


class States:
    def __init__(self, *states: State) -> None:
        self._by_name = dict(enumerate(states))
        self._by_uri: dict[int, State] = {}


class Watched:
    """An asset that is watched for, and what was delivered to it; a crash forgets the trigger and keeps these."""

    def __init__(self, keeps: bool = True, **arguments: Any) -> None:
        self.arguments = {"poll_interval": 0.2, "lag": 0.0, **arguments}
        self.state, self.keeps = State(), keeps
        self.payloads: list[dict[str, Any]] = []

    @property
    def ids(self) -> list[str]:
        return [payload["id"] for payload in self.payloads]

    @property
    def stream(self) -> str:
        return stream_of(
            self.arguments.get("candid_conn_id", "candid_default"), self.arguments.get("event_types", ())
        )

    @property
    def position(self) -> Position:
        return position_from(self.state.saved[self.stream])

    def trigger(self) -> CandidEventTrigger:
        """Make the trigger as Airflow does, of what it serializes."""
        classpath, kwargs = json.loads(json.dumps(CandidEventTrigger(**self.arguments).serialize()))
        module, _, name = classpath.rpartition(".")
        made = getattr(importlib.import_module(module), name)(**kwargs)
        assert made.serialize() == (classpath, kwargs)
        made.asset_state_store = States(self.state)
        return made  # type: ignore[no-any-return]

    async def follow(self, events: AsyncIterator[Any]) -> None:
        async for event in events:
            self.payloads.append(event.payload)
            if self.keeps:
                given = {name: event.payload[name] for name in ("id", "event_type", "created_at")}
                self.state.saved[self.stream] = self.position.after(Event(**given)).saved()


def follow(
    *watched: Watched, until: Callable[[], bool], meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run the watchers on Airflow's shared streams until something has happened, and kill them."""

    async def run() -> None:
        manager, tasks = SharedStreamManager(), []
        for number, each in enumerate(watched):
            trigger = each.trigger()
            key = trigger.shared_stream_key()
            stream = manager.subscribe(trigger_id=number, trigger=trigger, key=key)
            tasks.append(asyncio.create_task(each.follow(trigger.filter_shared_stream(stream))))
        try:
            async with asyncio.timeout(PATIENCE):
                if meanwhile:
                    await meanwhile()
                while not until() and not any(task.done() for task in tasks):
                    await asyncio.sleep(0.02)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await manager.stop_all()
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    asyncio.run(run())


def asked(candid: Emulator) -> int:
    return int(candid.stats()["requests"].get(ROUTE, 0))


def begin(candid: Emulator, *watched: Watched) -> None:
    """Run watchers for the first time, for two polls."""
    before = asked(candid)
    follow(*watched, until=lambda: all(each.state.saved for each in watched) and asked(candid) > before + 1)


def test_what_happened_is_delivered_once_and_in_order(candid: Emulator, api: Api, connect: Connect) -> None:
    watched = Watched(event_types=[CREATED])
    begin(candid, watched)
    assert watched.payloads == []
    made = happen(api, 5)  # while nobody is there
    follow(watched, until=lambda: len(watched.ids) >= 5)
    made += happen(api, 3)
    polls = asked(candid)
    follow(watched, until=lambda: len(watched.ids) >= 8 and asked(candid) >= polls + 3)
    assert watched.ids == made
    assert {tuple(payload) for payload in watched.payloads} == {("id", "event_type", "created_at", "stream")}


def test_watchers_of_a_connection_ask_once_and_have_positions_of_their_own(
    candid: Emulator, api: Api, connect: Connect
) -> None:
    created, updated, everything = Watched(event_types=[CREATED]), Watched(event_types=[UPDATED]), Watched()
    begin(candid, created, updated, everything)
    made = happen(api, 3)
    (provider, *_) = api.ok(PROVIDERS, limit=1)["items"]
    api.http.patch(f"{PROVIDERS}/{provider['organization_provider_id']}", json={"first_name": "Zoe"})
    follow(created, updated, everything, until=lambda: len(everything.ids) >= 4)
    assert (created.ids, len(updated.ids)) == (made, 1)
    assert everything.ids == created.ids + updated.ids
    candid.forget_requests()
    follow(created, updated, everything, until=lambda: len(candid.requests(route=ROUTE)) >= 5)
    # Each window is one page here; three watchers on their own would ask three times within an interval.
    times = [datetime.fromisoformat(request.at) for request in candid.requests(route=ROUTE)]
    assert all(second - first >= timedelta(seconds=0.15) for first, second in pairwise(times))
    assert candid.stats()["token"]["minted"] == 2  # the watchers' one, and this test's


def test_a_stream_begins_at_the_time_it_is_told(candid: Emulator, api: Api, connect: Connect) -> None:
    start = datetime.now(UTC) - timedelta(days=10)
    expected = api.rows("/api/events/v1/", limit=100, created_after=start.isoformat())
    watched = Watched(start=start)
    follow(watched, until=lambda: len(watched.ids) >= len(expected))
    assert len(expected) > 100
    assert watched.ids == [event["id"] for event in reversed(expected)]
    assert [payload["created_at"] for payload in watched.payloads] == sorted(e["created_at"] for e in expected)


def test_what_candid_no_longer_has_is_said_and_the_rest_delivered(
    candid: Emulator, api: Api, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(event_types=[CREATED])
    made = happen(api, 2)
    long_ago = datetime.now(UTC) - timedelta(days=KEPT_DAYS + 10)
    watched.state.saved[watched.stream] = Position(round(long_ago.timestamp()) * 1_000_000).saved()
    follow(watched, until=lambda: len(watched.ids) >= 2)
    assert watched.ids == made
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "are missing: Candid keeps them for 30 days" in error.getMessage()


def test_an_outage_of_candid_and_of_airflows_store_is_waited_for(
    candid: Emulator, api: Api, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(event_types=[CREATED])
    begin(candid, watched)
    made = happen(api, 1)
    candid.faults.add(kind="status", status=503, route=ROUTE, count=2)
    watched.state.failures = 2
    follow(watched, until=lambda: len(watched.ids) >= 1)
    assert watched.ids == made
    assert caplog.text.count("could not be read: RuntimeError") == 2
    assert "Jane" not in caplog.text


def test_a_connection_that_is_missing_is_waited_for(
    candid: Emulator,
    api: Api,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(event_types=[CREATED])
    begin(candid, watched)
    made = happen(api, 1)
    monkeypatch.delenv("AIRFLOW_CONN_CANDID_DEFAULT")

    async def defined() -> None:
        while "no events of candid_default: AirflowNotFoundException" not in caplog.text:
            await asyncio.sleep(0.05)
        connect()

    follow(watched, meanwhile=defined, until=lambda: len(watched.ids) >= 1)
    assert watched.ids == made


def test_wrong_credentials_are_an_error_until_they_are_right(
    candid: Emulator, api: Api, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(event_types=[CREATED])
    begin(candid, watched)
    made = happen(api, 1)
    connect(password="wrong-secret", extra={"store": "memory"})

    async def corrected() -> None:
        while not any(record.levelno == logging.ERROR for record in caplog.records):
            await asyncio.sleep(0.05)
        connect()

    follow(watched, meanwhile=corrected, until=lambda: len(watched.ids) >= 1)
    assert watched.ids == made
    assert "wrong-secret" not in caplog.text


def test_if_nobody_keeps_the_position_it_is_kept_from_here(caplog: pytest.LogCaptureFixture) -> None:
    event, state = Event("first", CREATED, datetime.now(UTC).isoformat()), State()

    async def run() -> None:
        course = EventCourse(AssetPositions(States(state), "stream"), "stream", 1.0, patience=0.1)
        await course.begin(0.0, Position(event.moment).floor)
        assert course.take(event)
        await course.settle()

    asyncio.run(run())
    assert position_from(state.saved["stream"]).seen
    assert "nobody has kept its position" in caplog.text


def test_the_position_moves_on_when_nothing_comes_for_long() -> None:
    state, start = State(), round(datetime.now(UTC).timestamp() - 7200) * 1_000_000

    async def run() -> None:
        course = EventCourse(AssetPositions(States(state), "stream"), "stream", 1.0)
        await course.begin(0.0, start)
        async for part in course.parts(Window(start, start + 7200 * 1_000_000, []), "candid_default", ()):
            course.passed(part.end)
        await course.settle()

    asyncio.run(run())
    assert position_from(state.saved["stream"]).floor > start


def test_of_several_assets_the_earliest_position_counts() -> None:
    early, late, new = State(), State(), State()
    early.saved["stream"], late.saved["stream"] = Position(1_000).saved(), Position(2_000).saved()
    positions = AssetPositions(States(late, new, early), "stream")
    assert asyncio.run(positions.load()) == Position(1_000)
    asyncio.run(positions.save(Position(3_000)))
    assert new.saved == early.saved == late.saved


@pytest.mark.parametrize(("many", "seconds", "then"), [(50, 1, 100), (800, 1, 1000), (100, 4, 100), (80, 9, 50)])
def test_as_many_are_under_way_as_are_stored_in_a_few_seconds(many: int, seconds: float, then: int) -> None:
    assert more_or_less(many, seconds) == then


@pytest.mark.parametrize(
    "wrong", [{"event_types": "a"}, {"poll_interval": 0}, {"lag": -1}, {"start": "2026-01-01"}, {"start": "now"}]
)
def test_wrong_arguments_are_refused_when_the_dag_is_parsed(wrong: dict[str, Any]) -> None:
    with pytest.raises(CandidConfigError) as failure:
        CandidEventTrigger(**wrong)
    assert failure.value.field in {*wrong, "poll_interval"}


def test_it_is_printed_in_short() -> None:
    assert repr(CandidEventTrigger(event_types=[CREATED])) == f"<CandidEventTrigger candid_default {CREATED}>"
    assert repr(CandidEventTrigger()) == "<CandidEventTrigger candid_default all events>"


def test_airflow_sees_the_same_trigger_in_the_database_and_in_the_dag() -> None:
    from airflow.triggers.base import BaseEventTrigger

    trigger = CandidEventTrigger(event_types=[UPDATED, CREATED], start="2026-03-01T00:00:00Z")
    again = CandidEventTrigger(**json.loads(json.dumps(trigger.serialize()[1])))
    assert BaseEventTrigger.hash(*trigger.serialize()) == BaseEventTrigger.hash(*again.serialize())
