"""Watermarks and intervals in real tasks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.airflow.conftest import Deployment

pytestmark = pytest.mark.airflow


def test_each_run_finds_what_the_last_one_left(deployment: Deployment) -> None:
    results = []
    for _ in range(2):
        state, tasks = deployment.run("candid_watermarks")
        assert state == "success", [deployment.log(task) for task in tasks]
        results.append(
            {(task["task_id"], task["map_index"]): deployment.result("candid_watermarks", task) for task in tasks}
        )
    variable = "Variable candid_watermark__candid_watermarks"
    assert {place: result["name"] for place, result in results[0].items()} == {
        ("in_a_variable", -1): f"{variable}__in_a_variable",
        ("in_an_assets_state", -1): "state of asset candid_patients, key"
        " candid_watermark__candid_watermarks__in_an_assets_state",
        ("one_for_each", 0): f"{variable}__one_for_each__0",
        ("one_for_each", 1): f"{variable}__one_for_each__1",
    }
    assert [{result["found"] for result in each.values()} for each in results] == [
        {None},
        {"2026-01-02T00:00:00+00:00"},
    ]


def backfilled(deployment: Deployment, dag_id: str, expected: int) -> list[Any]:
    """What the runs of a backfill say that they stand for, in order."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = deployment.airflow.get(f"/api/v2/dags/{dag_id}/dagRuns?run_type=backfill&order_by=logical_date")
        runs = answer.json()["dag_runs"]
        if len(runs) >= expected and all(run["state"] in ("success", "failed") for run in runs):
            break
        time.sleep(0.5)
    found = []
    for run in runs:
        (task,) = deployment.airflow.tasks(dag_id, run["dag_run_id"])
        assert run["state"] == "success", deployment.log(task)
        found.append(deployment.result(dag_id, task))
    return found


def test_a_backfill_goes_by_the_intervals(deployment: Deployment) -> None:
    order = {
        "dag_id": "candid_backfilled",
        "from_date": "2026-01-05T00:00:00Z",
        "to_date": "2026-01-06T00:00:00Z",
    }
    deployment.airflow.post("/api/v2/backfills", order).raise_for_status()
    days = [f"2026-01-{day:02}T00:00:00+00:00" for day in (5, 6, 7)]
    assert backfilled(deployment, "candid_backfilled", 2) == [days[:2], days[1:]]


def test_a_task_knows_whether_its_dag_catches_up(deployment: Deployment) -> None:
    state, (task,) = deployment.run("candid_catching_up")
    assert state == "success", deployment.log(task)
    assert deployment.result("candid_catching_up", task) == {"run_type": "manual", "catchup": True, "interval": None}
