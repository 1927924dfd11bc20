"""Sensors as a task runs them: poking, rescheduled, and deferred to a trigger made of what is stored of it."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    TaskDeferred,
)

from candid_provider.emulator import Emulator
from candid_provider.hooks.candid import CandidHook
from candid_provider.sensors.candid import (
    CandidClaimCreationSensor,
    CandidEncounterSensor,
    CandidEventSensor,
    CandidExportSensor,
    CandidSensor,
    CandidTaskSensor,
)
from tests.conftest import Connect

DAY = 86_400.0
ENCOUNTERS = "/api/encounters/v4"


def executed(sensor: BaseSensorOperator) -> Any:
    """Render and execute a sensor; where it defers, go through the database's JSON to the trigger's event and on."""
    context: Any = {"ds": "2026-03-15"}
    sensor.render_template_fields(context)
    return ended(sensor, lambda: sensor.execute(context))


def ended(sensor: BaseSensorOperator, step: Callable[[], Any]) -> Any:
    try:
        return step()
    except TaskDeferred as deferred:
        classpath, kwargs = json.loads(json.dumps(deferred.trigger.serialize()))
        method, more = deferred.method_name, deferred.kwargs or {}
    module, _, name = classpath.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**kwargs)

    async def only() -> Any:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(only())
    following = {**more, "event": json.loads(json.dumps(event))}
    return ended(sensor, lambda: sensor.resume_execution(method, following, {}))


def found(candid: Emulator, status: str, path: str = ENCOUNTERS) -> dict[str, Any]:
    """Find a record by its status."""
    with CandidHook() as hook:
        for page in hook.pages("encounters" if path == ENCOUNTERS else path):
            for row in page.items:
                statuses = [claim["status"] for claim in row["claims"]] if "claims" in row else [row["status"]]
                if status in statuses:
                    return dict(row)
    raise AssertionError(f"no record is {status}")


class Later(logging.Handler):
    """Let time pass at Candid whenever somebody has asked too early."""

    def __init__(self, candid: Emulator, seconds: float) -> None:
        super().__init__()
        self._candid, self._seconds = candid, seconds

    def emit(self, record: logging.LogRecord) -> None:
        if "not yet" in record.getMessage():
            self._candid.advance(self._seconds)


@pytest.fixture
def days_pass(candid: Emulator, connect: Connect) -> Iterator[None]:
    later, logger = Later(candid, DAY), logging.getLogger("candid_provider")
    logger.addHandler(later)
    logger.setLevel(logging.DEBUG)
    yield
    logger.removeHandler(later)
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.usefixtures("days_pass")
def test_it_waits_for_the_claims_of_an_encounter(candid: Emulator, deferrable: bool) -> None:
    sent = found(candid, "submitted_to_payer")
    result = executed(
        CandidEncounterSensor(
            task_id="end",
            encounter_id=sent["encounter_id"],
            succeeded=["paid", "finalized_paid", "denied", "finalized_denied", "rejected", "paid_incorrectly"],
            needs_person=[],
            failed=[],
            poke_interval=0.1,
            deferrable=deferrable,
        )
    )
    assert result["outcome"] == "succeeded"
    assert result["route"] == "GET /api/encounters/v4/{encounter_id}"
    assert set(result) == {"outcome", "statuses", "route"}
    assert list(result["statuses"].values()) == [1]


def test_an_encounter_is_found_by_ones_own_id(candid: Emulator, connect: Connect) -> None:
    paid = found(candid, "finalized_paid")
    sensor = CandidEncounterSensor(task_id="end", external_id=paid["external_id"])
    assert executed(sensor) == {
        "outcome": "succeeded",
        "statuses": {"finalized_paid": 1},
        "route": "GET /api/encounters/v4",
    }


@pytest.mark.parametrize("deferrable", [False, True])
def test_what_needs_a_person_is_no_failure(candid: Emulator, connect: Connect, deferrable: bool) -> None:
    denied = found(candid, "denied")
    sensor = CandidEncounterSensor(task_id="end", encounter_id=denied["encounter_id"], deferrable=deferrable)
    assert executed(sensor)["outcome"] == "needs_person"


@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_bad_end_fails_for_good_or_skips(
    candid: Emulator, connect: Connect, deferrable: bool, soft_fail: bool
) -> None:
    lost = found(candid, "finalized_denied")
    sensor = CandidEncounterSensor(
        task_id="end", encounter_id=lost["encounter_id"], deferrable=deferrable, soft_fail=soft_fail
    )
    with pytest.raises(AirflowSkipException if soft_fail else AirflowFailException) as caught:
        executed(sensor)
    assert not any(marker in str(caught.value) for marker in candid.markers)
    assert soft_fail or "ended badly: 1 finalized_denied" in str(caught.value)


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_deferred_wait_that_ends_badly_later(candid: Emulator, days_pass: None, soft_fail: bool) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    sensor = CandidSensor(
        task_id="end",
        path="/api/encounters/v4/{encounter_id}",
        path_params={"encounter_id": missing},
        not_yet=[404],
        timeout=0.2,
        poke_interval=0.1,
        deferrable=True,
        soft_fail=soft_fail,
    )
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout) as caught:
        executed(sensor)
    assert missing not in str(caught.value)


def test_a_deferred_wait_whose_event_is_odd_fails(connect: Connect) -> None:
    sensor = CandidTaskSensor(task_id="task", candid_task_id="1", deferrable=True)
    for event in (None, {}, {"status": "pending"}, "succeeded"):
        with pytest.raises(AirflowFailException, match="without an event"):
            sensor.execute_complete({}, event)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("successful", "succeeded"),
        ("in-error", "needs_person"),
        ("aborted", AirflowFailException),
        ("held", AirflowSensorTimeout),
    ],
)
def test_it_waits_for_a_claim_made_of_charges(
    candid: Emulator, connect: Connect, deferrable: bool, status: str, end: Any
) -> None:
    made = found(candid, status, "charge_capture_claim_creations")
    sensor = CandidClaimCreationSensor(
        task_id="claim", claim_creation_id=made["id"], poke_interval=0.1, timeout=0.2, deferrable=deferrable
    )
    if isinstance(end, str):
        assert executed(sensor)["outcome"] == end
    else:
        with pytest.raises(end):
            executed(sensor)


def test_it_waits_for_a_task(candid: Emulator, connect: Connect) -> None:
    done = found(candid, "finished", "tasks")
    sensor = CandidTaskSensor(task_id="task", candid_task_id=done["task_id"])
    assert executed(sensor)["statuses"] == {"finished": 1}


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.usefixtures("days_pass")
def test_it_waits_for_an_export(candid: Emulator, deferrable: bool) -> None:
    # Its world begins on Monday 2026-03-16.
    sensor = CandidExportSensor(
        task_id="export", first_day="2026-03-09", last_day="2026-03-12", poke_interval=0.1, deferrable=deferrable
    )
    assert executed(sensor) == {"outcome": "succeeded", "statuses": {}, "route": "GET /api/exports/v3"}


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.usefixtures("days_pass")
def test_it_waits_for_an_event(candid: Emulator, deferrable: bool) -> None:
    sensor = CandidEventSensor(
        task_id="event",
        event_types=["CandidApi.Encounter.StatusUpdated"],
        created_after="2026-03-16T00:00:00Z",
        poke_interval=0.1,
        deferrable=deferrable,
    )
    result = executed(sensor)
    assert (result["outcome"], result["statuses"]) == ("succeeded", {"*": 1})
    assert result["events"]
    assert {frozenset(event) for event in result["events"]} == {frozenset({"id", "event_type", "created_at"})}
    assert {event["event_type"] for event in result["events"]} == {"CandidApi.Encounter.StatusUpdated"}


def test_a_rescheduled_sensor_asks_once_and_frees_its_worker(candid: Emulator, connect: Connect) -> None:
    sent = found(candid, "submitted_to_payer")
    sensor = CandidEncounterSensor(task_id="end", encounter_id=sent["encounter_id"], mode="reschedule")
    assert sensor.poke({}) is False
    before = candid.stats()["requests"]["GET /api/encounters/v4/{encounter_id}"]
    assert sensor.reschedule
    assert before == 1


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wrong_secret_fails_at_once(candid: Emulator, connect: Connect, deferrable: bool) -> None:
    connect(password="wrong-secret")
    sensor = CandidTaskSensor(task_id="task", candid_task_id="1", deferrable=deferrable)
    with pytest.raises(AirflowFailException, match="refuse"):
        executed(sensor)


def test_an_outage_ends_no_wait(candid: Emulator, connect: Connect) -> None:
    done = found(candid, "finished", "tasks")
    candid.faults.add(kind="status", status=503, count=10, route="GET /api/tasks/v3/{task_id}")
    sensor = CandidTaskSensor(task_id="task", candid_task_id=done["task_id"], poke_interval=0.1)
    assert executed(sensor)["outcome"] == "succeeded"


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_outage_behind_the_wait_is_waited_out_too(candid: Emulator, connect: Connect, deferrable: bool) -> None:
    # Each second request fails: there is an event, and then it cannot be listed.
    candid.faults.add(kind="status", status=503, every=2, count=3, route="GET /api/events/v1/")
    given: dict[str, Any] = {"event_types": ["CandidApi.Encounter.Created"], "created_after": "2026-03-01T00:00:00Z"}
    sensor = CandidEventSensor(task_id="event", poke_interval=0.1, deferrable=deferrable, **given)
    assert executed(sensor)["events"]
    assert candid.stats()["requests"]["GET /api/events/v1/"] == 8


def test_an_outage_behind_the_wait_does_not_prolong_it(candid: Emulator, connect: Connect) -> None:
    candid.faults.add(kind="status", status=503, every=2, count=None, route="GET /api/events/v1/")
    given: dict[str, Any] = {"event_types": ["CandidApi.Encounter.Created"], "created_after": "2026-03-01T00:00:00Z"}
    sensor = CandidEventSensor(task_id="event", poke_interval=0.1, timeout=2, deferrable=True, **given)
    with pytest.raises(AirflowSensorTimeout, match="there, but Candid could not be asked for the rest in time"):
        executed(sensor)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"query": {"search_term": "x"}}, "query: search_term may name a patient"),
        ({"path": "/patients/v1/mrn/{mrn}", "path_params": {"mrn": "x"}}, "path: /patients/v1/mrn/{mrn} names"),
    ],
)
def test_what_may_name_a_patient_is_not_stored_with_a_trigger(
    candid: Emulator, connect: Connect, wrong: dict[str, Any], says: str
) -> None:
    conditions = {"status_path": "items.*.nothing", "succeeded": ["*"]} if "query" in wrong else {"not_yet": [404]}
    given = {"path": ENCOUNTERS, **conditions, **wrong}
    with pytest.raises(AirflowFailException, match=says):
        executed(CandidSensor(task_id="x", deferrable=True, **given))
    with pytest.raises(AirflowSensorTimeout):
        executed(CandidSensor(task_id="x", timeout=0, **given))


@pytest.mark.parametrize(
    ("sensor", "says"),
    [
        (CandidEncounterSensor(task_id="x"), "encounter_id: set it or external_id"),
        (CandidEncounterSensor(task_id="x", encounter_id="1", succeeded="paid"), "succeeded is not a list"),
        (CandidSensor(task_id="x", path=ENCOUNTERS, status_path="status"), "status_path and succeeded"),
        (CandidSensor(task_id="x", path="encounters"), "path is not relative"),
        (CandidEventSensor(task_id="x", event_types="A", created_after="2026-03-01"), "event_types is not a list"),
        (CandidEventSensor(task_id="x", event_types=["A"], created_after="2026-03-01"), "created_after is not"),
        (CandidExportSensor(task_id="x", first_day="soon", last_day="later"), "first_day is not a date"),
    ],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_wrong_arguments_are_named_before_anything_is_sent(
    candid: Emulator, connect: Connect, sensor: Any, says: str, deferrable: bool
) -> None:
    sensor.deferrable = deferrable
    with pytest.raises(AirflowFailException, match=says):
        sensor.execute({})
    assert candid.stats()["requests"] == {}


def test_a_status_that_is_given_leaves_its_default() -> None:
    conditions = CandidEncounterSensor(task_id="x", encounter_id="1", succeeded=["paid"]).conditions()
    assert conditions.succeeded == ("paid",)
    assert "paid" not in conditions.not_yet
    assert "denied" in conditions.needs_person


def test_the_pace_of_a_deferred_wait_is_the_sensors(candid: Emulator, connect: Connect) -> None:
    open_ = found(candid, "open", "tasks")
    given: dict[str, Any] = {"task_id": "x", "candid_task_id": open_["task_id"], "deferrable": True}
    more = {"poke_interval": 30, "exponential_backoff": True, "max_wait": timedelta(minutes=5)}
    cases: list[tuple[dict[str, Any], Any]] = [({}, (60.0, 1.0)), (more, (30.0, 2.0))]
    for arguments, pace in cases:
        with pytest.raises(TaskDeferred) as deferred:
            CandidTaskSensor(**given, **arguments).execute({})
        kwargs = deferred.value.trigger.serialize()[1]
        assert (kwargs["poll_interval"], kwargs["growth"]) == pace
    assert kwargs["longest_interval"] == 300.0
    assert kwargs["conditions"]["succeeded"] == ["finished"]
    assert kwargs["path_params"] == {"task_id": open_["task_id"]}
