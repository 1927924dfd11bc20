"""Extracts on a real Airflow."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.airflow.conftest import Deployment
from tests.emulator.conftest import Api, connected
from tests.transfers.extraction.conftest import ids

pytestmark = pytest.mark.airflow

ENCOUNTERS = "GET /api/encounters/v4"
DAG = "candid_killed_extract"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_a_killed_task_is_gone_on_with(deployment: Deployment, tmp_path: Path, number: signal.Signals) -> None:
    emulator = deployment.emulator
    with connected(emulator) as http:
        encounters = len(Api(http).rows("/api/encounters/v4", limit=1000))
    emulator.forget_requests()
    emulator.faults.add(kind="hang", route=ENCOUNTERS, after=40, count=1)
    run = deployment.start(DAG, path=str(tmp_path))
    deadline = time.monotonic() + 60
    while len(emulator.requests(route=ENCOUNTERS)) < 40 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.5)  # a checkpoint is at most so old
    (task,) = deployment.airflow.tasks(DAG, run)
    os.kill(task["pid"], number)
    state, (task,) = deployment.wait(DAG, run)
    emulator.faults.clear()
    assert (state, task["try_number"]) == ("success", 2), deployment.log(task)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == encounters
    assert "going on behind" in deployment.log(task)
    again = 1 if number == signal.SIGTERM else 12
    assert len(emulator.requests(route=ENCOUNTERS)) <= math.ceil(encounters / 10) + again


def test_nothing_of_it_stays_in_the_state_store(deployment: Deployment) -> None:
    with sqlite3.connect(deployment.airflow.home / "airflow.db") as database:
        rows = database.execute("select count(*) from task_state_store where key = 'candid_extraction'").fetchall()
    assert rows == [(0,)]
