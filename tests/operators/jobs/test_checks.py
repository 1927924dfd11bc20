"""Single checks in the background: submitted once, found again, waited for, written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from candid_provider.emulator.catalogue import required_body
from candid_provider.operators.checks import (
    CandidCoverageEligibilityOperator,
    CandidInsuranceDiscoveryOperator,
    CandidPreServiceRunOperator,
)
from candid_provider.operators.job import JobOperator
from tests.emulator.test_eligibility import DAY
from tests.operators.jobs.conftest import NPI, Office, StateStore
from tests.triggers.test_candid import run as triggered

COVERAGE = "POST /coverages/v1/{id}/eligibility"
DISCOVERY = "POST /coverages/v1/insurance-discovery"
RUN = "POST /api/pre-service/v1/runs/encounter"
Make = Callable[..., JobOperator]


def coverage(office: Office, number: int = 0, **arguments: Any) -> JobOperator:
    with office.api() as api:
        coverage_id = api.get("/coverages/v1").json()[number]["id"]
    given = {"coverage_id": coverage_id, "service_code": "30", "date_of_service": DAY, "npi": NPI}
    return made(CandidCoverageEligibilityOperator, office, given | arguments)


def discovery(office: Office, number: int = 0, **arguments: Any) -> JobOperator:
    with office.api() as api:
        rows = api.get("/patients/v1/updates/scan", params={"since": "2000-01-01T00:00:00Z"}).json()
    given = {"patient_id": rows[number]["id"], "date_of_service": DAY, "npi": NPI}
    return made(CandidInsuranceDiscoveryOperator, office, given | arguments)


def pre_service(office: Office, number: int = 0, **arguments: Any) -> JobOperator:
    with office.api() as api:
        pipeline = api.get("/api/pre-service/v1/pipelines").json()[0]["id"]
    entity = office.folder / f"entity-{number}.json"
    body = required_body("pre_service_rules.v_1.create_encounter_run")["entity"]
    body["patient"]["last_name"] = "Ozmvik"
    entity.write_text(json.dumps(body | {"external_id": f"visit-{number}"}))
    given = {"entity_path": str(entity), "pipeline_id": pipeline}
    return made(CandidPreServiceRunOperator, office, given | arguments)


def made(kind: type[Any], office: Office, arguments: dict[str, Any]) -> JobOperator:
    operator: JobOperator = kind(
        task_id="check", output_path=str(office.output), **{"poll_interval": 0.05, **arguments}
    )
    return operator


KINDS = [(coverage, COVERAGE, "check_id"), (discovery, DISCOVERY, "check_id"), (pre_service, RUN, "run_id")]
kinds = pytest.mark.parametrize(("make", "route", "id_name"), KINDS, ids=[make.__name__ for make, _, _ in KINDS])


def ended_well(office: Office, make: Make, **context: Any) -> Any:
    """Execute for one record after the other until Candid has one that ends well."""
    return next(filter(None, (attempt(office, make(office, n), f"run {n}", **context) for n in range(20))))


@kinds
def test_the_answer_is_written_and_counts_are_returned(fast: Office, make: Make, route: str, id_name: str) -> None:
    summary = ended_well(fast, make)
    answer = json.loads(fast.output.read_bytes())
    assert summary["path"] == str(fast.output)
    assert summary["bytes"] == fast.output.stat().st_size
    assert summary[id_name] == (answer.get("metadata") or answer)[id_name]
    assert summary["status"] in ("COMPLETED", "COMPLETE", None)
    assert fast.state() == "ended"
    assert not [marker for marker in fast.emulator.markers if marker in str(summary) + fast.record.read_text()]


@kinds
def test_one_that_ends_badly_fails_and_is_begun_anew_when_the_task_is_cleared(
    fast: Office, make: Make, route: str, id_name: str
) -> None:
    store = StateStore()
    number = next(n for n in range(60) if not attempt(fast, make(fast, n), f"run {n}", store=StateStore()))
    assert fast.output.exists()
    assert fast.state() == "failed"
    before = json.loads(fast.record.read_bytes())["job"]
    attempt(fast, make(fast, number), f"run {number}", store=store)
    assert json.loads(fast.record.read_bytes())["job"] != before


@kinds
@pytest.mark.parametrize("reset", [False, True])
def test_a_lost_answer_is_found_again(fast: Office, make: Make, route: str, id_name: str, reset: bool) -> None:
    fast.emulator.faults.add(kind="processed_but_500", route=route, reset=reset)
    summary = attempt(fast, make(fast))
    assert fast.submits(route) == (2 if make is pre_service else 1)  # a run is known by its key
    if make is coverage:
        with fast.api() as api:
            coverage_id = getattr(make(fast), "coverage_id")  # noqa: B009 - a type checker sees any job
            checks = api.get(f"/coverages/v1/{coverage_id}").json()["eligibility_checks"]
        assert [check["check_id"] for check in checks] == [json.loads(fast.record.read_bytes())["job"]]
    assert summary is None or summary[id_name]


def attempt(office: Office, operator: JobOperator, *where: Any, **context: Any) -> Any:
    """Execute; None for a check that ends badly, which the emulator decides by who is asked for."""
    try:
        return office.run(operator, *where, **context)
    except AirflowFailException as error:
        if "ended badly" not in str(error):
            raise
        return None


@kinds
def test_a_try_that_was_killed_after_the_submit_is_gone_on_with(
    fast: Office, make: Make, route: str, id_name: str
) -> None:
    class Killed(BaseException):
        """Comes where Airflow's store would be told the id."""

    class Deadly(StateStore):
        def set(self, key: str, value: Any) -> None:
            raise Killed

    with pytest.raises(Killed):
        fast.run(make(fast), store=Deadly())
    attempt(fast, make(fast), store=StateStore())
    assert fast.submits(route) == 1


@kinds
def test_it_waits_in_the_triggerer(fast: Office, make: Make, route: str, id_name: str) -> None:
    context = fast.context()
    operator = make(fast, deferrable=True)
    operator.render_template_fields(context)
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(context)
    stored = json.loads(json.dumps([raised.value.trigger.serialize()[1], raised.value.kwargs]))
    assert not [marker for marker in fast.emulator.markers if marker in str(stored)]
    event = triggered(raised.value.trigger)
    assert event["status"] in ("succeeded", "failed")
    again = make(fast, deferrable=True)
    if event["status"] == "succeeded" and make is not pre_service:
        assert again.execute_complete(context, event=event, **stored[1])[id_name]
    else:  # which the emulator decides by who is asked for
        with contextlib.suppress(AirflowFailException):
            again.execute_complete(context, event=event, **stored[1])
    assert fast.output.exists()


@kinds
def test_time_that_is_up_leaves_it_to_go_on_with(office: Office, make: Make, route: str, id_name: str) -> None:
    with pytest.raises(AirflowFailException, match="not there in time"):
        office.run(make(office, timeout=0.1))
    office.emulator.advance(3600)
    attempt(office, make(office, timeout=0.1))
    assert office.submits(route) == 1


def test_an_entity_that_is_no_object_is_refused(office: Office) -> None:
    bad = office.folder / "bad.json"
    bad.write_text("[]")
    with pytest.raises(AirflowFailException, match="entity_path"):
        office.run(pre_service(office, entity_path=str(bad)))
