"""Sensors on a real Airflow: scheduler, workers and triggerer, and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator
from tests.airflow.conftest import Deployment
from tests.airflow.test_examples import run
from tests.emulator.conftest import connected

pytestmark = pytest.mark.airflow


def encounters(emulator: Emulator, *statuses: str) -> list[str]:
    """Find an encounter for each status."""
    with connected(emulator) as api:
        return [found["encounter_id"] for status in statuses for found in _listed(api, claim_status=status)[:1]]


def _listed(api: httpx.Client, path: str = "/api/encounters/v4", **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api.get(path, params={"limit": 100, **params}).json()["items"]
    assert rows
    return rows


@pytest.fixture
def not_there_yet(deployment: Deployment) -> Iterator[None]:
    """Let what is asked for be there only after some questions."""
    faults = f"{deployment.emulator.url}/_emulator/faults"
    for route, count in (("GET /api/tasks/v3/{task_id}", 6), ("GET /api/encounters/v4/{encounter_id}", 8)):
        rule = {"kind": "status", "status": 404, "error_name": "EntityNotFoundError", "count": count, "route": route}
        assert httpx.post(faults, json=[rule]).status_code == 201
    yield
    httpx.delete(faults)


def test_each_mode_waits_and_leaves_no_record_behind(deployment: Deployment, not_there_yet: None) -> None:
    emulator = deployment.emulator
    paid, finalized, lost = encounters(emulator, "paid", "finalized_paid", "finalized_denied")
    since = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    with connected(emulator) as api:
        (done, *_) = _listed(api, "/api/tasks/v3", status="finished")
    ids = {"task": done["task_id"], "encounters": [paid, finalized], "lost": lost, "since": since}
    state, tasks = deployment.run("candid_waits", **ids)
    assert state == "success", [deployment.log(task) for task in tasks]
    results = {(task["task_id"], task["map_index"]): deployment.result("candid_waits", task) for task in tasks}
    states = {task["task_id"]: task["state"] for task in tasks}
    assert states["soft"] == "skipped"
    assert {state for name, state in states.items() if name != "soft"} == {"success"}
    for mode in ("poke", "reschedule", "deferrable"):
        assert results[f"task_{mode}", -1]["statuses"] == {"finished": 1}
    assert [results["mapped", index]["statuses"] for index in (0, 1)] == [{"paid": 1}, {"finalized_paid": 1}]
    assert {event["event_type"] for event in results["events", -1]["events"]} == {"CandidApi.Encounter.StatusUpdated"}
    waited = [deployment.log(task) for task in tasks if task["task_id"] in ("task_deferrable", "mapped", "soft")]
    assert any("Trigger fired event" in log for log in waited)
    assert any("not yet (EntityNotFoundError) after asking" in log for log in waited)
    left = (deployment.airflow.home / "airflow.db").read_bytes()
    for marker in emulator.markers:
        assert marker.encode() not in left
        assert not any(marker in deployment.log(task) for task in tasks)


@pytest.mark.parametrize(
    ("statuses", "branch"), [(["paid", "finalized_paid"], "settle"), (["paid", "denied"], "ask_a_person")]
)
def test_a_claim_is_followed_to_its_end_and_goes_to_a_person_if_need_be(
    deployment: Deployment, statuses: list[str], branch: str
) -> None:
    ids = encounters(deployment.emulator, *statuses)
    results = run(deployment, "example_candid_claim", encounter_ids=ids)
    assert {name for name in ("settle", "ask_a_person") if results[name] is not None} == {branch}
