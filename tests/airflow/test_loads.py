"""Loads on a real Airflow: one whose process is killed, and one that gives up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.airflow.conftest import Deployment
from tests.emulator.conftest import Api, connected
from tests.transfers.loading.conftest import CREATE, encounter

pytestmark = pytest.mark.airflow


def written(folder: Path, records: list[dict[str, Any]]) -> str:
    folder.mkdir()
    (folder / "encounters.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(folder)


def kill_whoever_writes(journal: Path) -> None:
    """Kill the task's process without a last word, while it loads."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            try:
                if any(file.path == str(journal) for file in process.open_files()):
                    process.kill()
                    return
            except psutil.Error:
                continue
    raise AssertionError("nobody loads")


def test_a_killed_load_is_finished_by_the_next_try_with_each_record_once(
    deployment: Deployment, tmp_path: Path
) -> None:
    folder = written(tmp_path / "killed", [encounter(f"killed-{number}") for number in range(60)])
    deployment.emulator.faults.add(kind="latency", ms=150, route=CREATE, count=None)
    deployment.emulator.forget_requests()
    run = deployment.start("candid_load", folder=folder)
    kill_whoever_writes(Path(folder, "results", ".candid-journal.jsonl"))
    state, (task,) = deployment.wait("candid_load", run)
    deployment.emulator.faults.clear()
    assert (state, task["try_number"]) == ("success", 2), deployment.log(task)
    with connected(deployment.emulator) as http:
        rows = Api(http).rows("/api/encounters/v4", limit=1000)
    created = [row["external_id"] for row in rows if row["external_id"].startswith("killed-")]
    assert sorted(created) == sorted(f"killed-{number}" for number in range(60))
    summary = deployment.result("candid_load", task)
    assert (summary["outcomes"], summary["lines"]) == ({"created": 60}, 60)
    assert not hidden_words(deployment, task)


def test_a_load_with_too_many_errors_fails_at_once_and_says_where_to_look(
    deployment: Deployment, tmp_path: Path
) -> None:
    records = [encounter(f"refused-{number}", billable_status="Ashqvexzo") for number in range(20)]
    folder = written(tmp_path / "refused", records)
    state, (task,) = deployment.run("candid_load", folder=folder)
    log = deployment.log(task)
    assert (state, task["try_number"]) == ("failed", 1), log
    assert f"{folder}/results/results.jsonl" in log
    assert Path(folder, "results", "dead-letters.jsonl").read_bytes().count(b"\n") >= 3
    assert not hidden_words(deployment, task)


def hidden_words(deployment: Deployment, task: dict[str, Any]) -> list[str]:
    """What must not be told, and is told in a task's log."""
    log = deployment.log(task).lower()
    return [marker for marker in deployment.emulator.markers if marker.lower() in log]
