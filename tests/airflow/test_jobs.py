"""Eligibility batches on an Airflow whose workers, triggerer and scheduler are killed."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from candid_provider.cli.local_airflow import LocalAirflow
from candid_provider.cli.processes import Processes
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.airflow.conftest import DAGS
from tests.operators.jobs.conftest import BATCH, request

DAG = "candid_eligibility"
PATIENTS = 8
SOON = {
    # What Airflow takes five minutes to notice by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


class Reaper:
    """Kills at seeded moments, and starts again what does not start by itself."""

    def __init__(self, airflow: LocalAirflow, processes: Processes, seed: int) -> None:
        self._airflow, self._processes, self._rng = airflow, processes, random.Random(seed)
        self._first = ["scheduler", "triggerer", "worker"]
        self.killed: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill a worker's process, mostly; else a whole component."""
        what = (
            self._first.pop()
            if self._first
            else self._rng.choices(("worker", "triggerer", "scheduler"), (6, 2, 1))[0]
        )
        if what != "worker":
            self._processes.kill(what)
            self._airflow.start_component(self._processes, what)
        elif not self._kill_worker():
            if not self.killed["worker"]:
                self._first.insert(0, "worker")  # another time
            return
        self.killed[what] += 1

    def _kill_worker(self) -> bool:
        workers = self._processes.descendants("scheduler")
        self._rng.shuffle(workers)
        return any(_kill_busy(worker) for worker in workers)

    def pause(self) -> float:
        """Seconds until the next one."""
        return self._rng.uniform(2.0, 6.0)


def _kill_busy(process: psutil.Process) -> bool:
    """Kill a process and what it has started, unless it is a worker that waits for work; say whether it was killed.

    Such a worker may hold the lock of LocalExecutor's queue, and no other one would ever get any work (Airflow 3.3).
    """
    try:
        process.suspend()
        started = process.children(recursive=True)
        if not started and "LocalExecutor" in " ".join(process.cmdline()):
            process.resume()
            return False
        for member in (*started, process):
            member.kill()
    except psutil.NoSuchProcess:
        pass
    return True


@pytest.fixture(scope="module")
def candid_in_haste() -> Iterator[Emulator]:
    """Whose eight hours are over in 20 seconds."""
    with running(EmulatorConfig(encounters=3, patients=3, speed=1_500, latency=50)) as emulator:
        yield emulator


@pytest.mark.airflow
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_whatever_is_killed_each_batch_is_submitted_once_and_its_results_are_complete(
    candid_in_haste: Emulator,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Any,
) -> None:
    count = pytestconfig.getoption("batches")
    for number in range(count):
        rows = [json.dumps(request(number * PATIENTS + each)) for each in range(PATIENTS)]
        (tmp_path / f"in-{number:03}.jsonl").write_text("\n".join(rows) + "\n")
    home = tmp_path / "airflow"
    connection = {
        "conn_type": "candid",
        "login": "emulator",
        "password": "emulator-secret",
        "host": candid_in_haste.url,
    }
    settings = {"AIRFLOW_CONN_CANDID_DEFAULT": json.dumps(connection), **SOON}
    with Processes(home / "logs" / "components") as processes:
        airflow = LocalAirflow(home, [DAGS / "eligibility.py"], settings)
        airflow.prepare()
        airflow.start(processes, [DAG])
        reaper, started = Reaper(airflow, processes, seed=1), time.monotonic()
        run = airflow.trigger(DAG, logical_date=datetime.now(UTC).isoformat(), conf={"folder": str(tmp_path)})
        state = ended(airflow, run, reaper, kills=max(6, count // 3))
        tasks = airflow.tasks(DAG, run)
        airflow.close()
    took = time.monotonic() - started
    checks = [task for task in tasks if task["task_id"] == "check"]
    assert (state, Counter(task["state"] for task in checks)) == ("success", {"success": count})
    assert len(candid_in_haste.requests(route=BATCH)) == count
    for number in range(count):
        rows = (tmp_path / f"out-{number:03}.jsonl").read_text().splitlines()
        names = [json.loads(row)["request"]["subscriber"]["last_name"] for row in rows]
        assert names == [f"Ozmvik{number * PATIENTS + each}" for each in range(PATIENTS)]
    tries = sum(task["try_number"] for task in checks)
    record_property(
        "eligibility batches", f"{count} batches, kills {dict(reaper.killed)}, {tries} tries, {took:.0f} s"
    )
    assert set(reaper.killed) >= {"worker", "triggerer", "scheduler"}


def ended(airflow: LocalAirflow, run: str, reaper: Reaper, *, kills: int) -> str:
    """Kill until that was enough, and give the state in which the run ends."""
    deadline = time.monotonic() + 1000
    strike = time.monotonic() + 6
    while time.monotonic() < deadline:
        if sum(reaper.killed.values()) < kills and time.monotonic() > strike:
            reaper.strike()
            strike = time.monotonic() + reaper.pause()
        try:
            if (state := airflow.run_state(DAG, run)) in ("success", "failed"):
                return state
        except httpx.HTTPError:  # the API server waits for a database that was killed in mid-write
            pass
        time.sleep(0.5)
    raise AssertionError("the run does not end")
