"""What a failure means on a real Airflow: at once and for good, or again when it makes sense."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import EmulatorConfig, running
from tests.airflow.conftest import Deployment

pytestmark = pytest.mark.airflow

AT_ONCE = {"refused", "unprocessable", "perhaps_written", "refused_by_policy", "refused_for_good"}


@pytest.fixture(scope="module")
def failed(deployment: Deployment) -> Iterator[dict[str, dict[str, Any]]]:
    """A run of tasks that Candid refuses, slows down or leaves alone, by their names."""
    faults = deployment.emulator.faults
    faults.add(kind="status", status=429, retry_after=2, route="GET /api/payers/v4")
    faults.add(kind="status", status=503, count=2, route="GET /api/contracts/v3")
    faults.add(kind="status", status=503, count=None, route="POST /patients/v1")
    faults.add(kind="status", status=429, retry_after=1, route="GET /api/tasks/v3")
    _, tasks = deployment.run("candid_failing")
    yield {task["task_id"]: task for task in tasks}
    faults.clear()


def history(deployment: Deployment) -> list[tuple[str, int, float, str]]:
    with sqlite3.connect(deployment.airflow.home / "airflow.db") as database:
        return database.execute(
            "select task_id, try_number, retry_delay_override, retry_reason from task_instance_history"
            " where dag_id = 'candid_failing' order by task_id, try_number"
        ).fetchall()


def test_what_a_retry_cannot_mend_has_one_try_of_four(
    deployment: Deployment, failed: dict[str, dict[str, Any]]
) -> None:
    ends = {name: (task["state"], task["try_number"], task["max_tries"]) for name, task in failed.items()}
    assert {name: ends[name] for name in AT_ONCE} == dict.fromkeys(AT_ONCE, ("failed", 1, 3)), ends
    assert "CandidAuthError HTTP" not in deployment.log(failed["refused"])
    assert "another try would not mend it" in deployment.log(failed["refused_by_policy"])
    assert "It may have been carried out" in deployment.log(failed["perhaps_written"])


def test_what_it_can_mend_is_tried_again_when_that_makes_sense(
    deployment: Deployment, failed: dict[str, dict[str, Any]]
) -> None:
    ends = {name: (task["state"], task["try_number"]) for name, task in failed.items() if name not in AT_ONCE}
    assert ends == {"limited": ("success", 2), "unavailable": ("success", 3), "mapped": ("success", 2)}
    delays = {(name, number): delay for name, number, delay, _ in history(deployment)}
    # Not after the five minutes of retry_delay.
    assert 2 <= delays["limited", 1] <= 7
    assert 1 <= delays["mapped", 1] <= 6
    assert 0 <= max(delays["unavailable", 1], delays["unavailable", 2]) <= 2


def test_the_reasons_that_airflow_keeps_are_names_and_seconds(
    deployment: Deployment, failed: dict[str, dict[str, Any]]
) -> None:
    rows = history(deployment)
    reasons = "\n".join(f"{name}: {reason}" for name, _, _, reason in rows)
    assert len(rows) == 4, rows
    assert "limited: CandidRateLimitError" in reasons
    assert "HTTP 429: next try in" in reasons
    assert "2 s of it as Candid asked" in reasons
    assert "unavailable: CandidUnavailableError HTTP 503: next try in" in reasons
    logs = "".join(deployment.log(task) for task in failed.values())
    for hidden in ("Jane", "wrong-secret", "http://"):
        assert hidden not in reasons
    for hidden in ("Jane", "wrong-secret"):
        assert hidden not in logs


def test_a_deferred_wait_outlives_an_outage(deployment: Deployment) -> None:
    world = EmulatorConfig(encounters=20, patients=10)
    with running(world) as before:
        before.faults.add(kind="status", status=503, count=None, route="GET /api/payers/v4")
        connection = {"connection_id": "candid_outage", "conn_type": "candid", "host": before.url}
        answer = deployment.airflow.post(
            "/api/v2/connections", {**connection, "login": "emulator", "password": "emulator-secret"}
        )
        answer.raise_for_status()
        run_id = deployment.start("candid_outage")
        deployment.until(lambda: len(before.requests(route="GET /api/payers/v4", status=503)) > 4, "questions")
        assert deployment.airflow.tasks("candid_outage", run_id)[0]["state"] == "deferred"
    port = int(before.url.rpartition(":")[2])
    hang_up(port, times=5)
    (task,) = deployment.airflow.tasks("candid_outage", run_id)
    assert (task["state"], task["try_number"]) == ("deferred", 1)
    with running(world, port=port):  # which knows nothing of the token
        state, (task,) = deployment.wait("candid_outage", run_id)
    assert (state, task["try_number"]) == ("success", 1), deployment.log(task)
    assert deployment.result("candid_outage", task)["outcome"] == "succeeded"


def hang_up(port: int, times: int) -> None:
    """Take so many calls, and close each without a word."""
    with socket.create_server(("127.0.0.1", port)) as door:
        door.settimeout(120)
        for _ in range(times):
            door.accept()[0].close()
