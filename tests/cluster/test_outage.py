"""The API server stops answering while tasks run."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.conftest import Fleet

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.cluster,
    pytest.mark.parametrize("fleet", ["postgresql_and_celery"], indirect=True),
]

OUTAGE = 40.0
KINDS = ("warm", "connected", "new")
OF_A_KIND = 4


@pytest.mark.requirement(10)
def test_a_run_outlives_an_api_server_that_stops_for_40_seconds(
    fleet: Fleet, tmp_path: Path, record_property: Callable[[str, str], None]
) -> None:
    with fleet.connected("outage") as candid:
        run_id = fleet.start("outage", conn_id="outage", folder=str(tmp_path))
        fleet.until(lambda: len(list(tmp_path.iterdir())) == len(KINDS) * OF_A_KIND, "the tasks' start")
        before = candid.stats()["token"]["minted"]
        with stopped(fleet, "api-server"):
            (tmp_path / "stopped").touch()
            time.sleep(OUTAGE)
        state, tasks = fleet.wait("outage", run_id)
        minted = candid.stats()["token"]["minted"]
    ends = Counter((task["task_id"], task["state"], task["try_number"]) for task in tasks)
    record_property("an API server that stops", f"minted {before}, then {minted}; {ends}")
    failed = [task for task in tasks if task["state"] != "success"]
    assert state == "success", [(task["task_id"], fleet.log(task)[-2500:]) for task in failed]
    assert {task["try_number"] for task in tasks if task["task_id"] in KINDS} == {1}
    # Who asks for the token in the outage is told that there is none, and asks again.
    assert not [task for task in tasks if "decision=fail_open" in fleet.log(task)]
    assert (before, minted) == (1, 1)


@contextlib.contextmanager
def stopped(fleet: Fleet, component: str) -> Iterator[None]:
    """Stop every process of a component for a while."""
    server = psutil.Process(fleet.processes._started[component].pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            process.send_signal(signal.SIGCONT)
