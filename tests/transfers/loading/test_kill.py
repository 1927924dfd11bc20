"""A load whose process is killed without a last word, again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from tests.processes.conftest import parent  # noqa: F401 - a fixture
from tests.transfers.loading.conftest import CREATE, Desk, encounters, payments

PAY = "POST /api/patient-payments/v4"
LINES = 40


def live(connection: str, log: Path, arguments: dict[str, Any]) -> None:
    """What the process does that is killed: the task, with its operator's reaction to SIGTERM."""
    from tests.transfers.loading.conftest import Instance

    os.environ["AIRFLOW_CONN_CANDID_DEFAULT"] = connection
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator

    operator = ObjectStorageToCandidOperator(task_id="load", **arguments)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    context: Any = {"ti": Instance("run")}
    operator.execute(context)
    sys.exit(0)


class Mortal:
    """Loads in a process of its own, which is killed when Candid has received so much."""

    def __init__(self, desk: Desk, context: ForkServerContext) -> None:
        self.desk, self._context = desk, context
        self.log = desk.folder / "log"

    def load(self, route: str, until: int | None, number: int = signal.SIGKILL, **arguments: Any) -> bool:
        """Start a process, and kill it after so many requests; whether it came to its end by itself."""
        given = {"path": str(self.desk.input), "results_path": str(self.desk.results), **arguments}
        connection = os.environ["AIRFLOW_CONN_CANDID_DEFAULT"]
        process = self._context.Process(target=live, args=(connection, self.log, given))
        process.start()
        while until is not None and process.is_alive() and self.desk.sent(route) < until:
            time.sleep(0.0005)
        if until is not None and process.pid and process.is_alive():
            os.kill(process.pid, number)
        process.join()
        return process.exitcode == 0


@pytest.fixture
def mortal(desk: Desk, parent: ForkServerContext) -> Mortal:  # noqa: F811 - the fixture
    return Mortal(desk, parent)


@pytest.mark.parametrize("seed", range(3))
def test_records_with_a_key_are_created_once_each(mortal: Mortal, seed: int) -> None:
    desk, rng = mortal.desk, random.Random(seed)
    desk.write(encounters(LINES))
    desk.emulator.faults.add(kind="processed_but_500", route=CREATE, probability=0.1, seed=seed)
    ended = [
        mortal.load(CREATE, until, resource="encounters", concurrency=4)
        for until in sorted(rng.sample(range(1, LINES), 3))
    ]
    assert ended.count(False) >= 2
    assert mortal.load(CREATE, None, resource="encounters", concurrency=4)
    assert desk.created() == sorted(f"visit-{number}" for number in range(LINES))
    assert {row["outcome"] for row in desk.rows()} == {"created"}
    assert len({row["id"] for row in desk.rows()}) == LINES
    assert sorted(path.name for path in desk.results.iterdir()) == [
        "dead-letters.jsonl",
        "results.jsonl",
        "summary.json",
        "unknown.jsonl",
    ]


@pytest.mark.parametrize("seed", range(3))
def test_records_without_a_key_are_never_sent_twice_and_none_is_forgotten(mortal: Mortal, seed: int) -> None:
    desk, rng = mortal.desk, random.Random(seed)
    desk.write(payments(desk, LINES))
    ended = [
        mortal.load(PAY, until, resource="patient_payments", concurrency=4)
        for until in sorted(rng.sample(range(1, LINES), 3))
    ]
    assert ended.count(False) >= 2
    assert mortal.load(PAY, None, resource="patient_payments", concurrency=4)
    with desk.http() as http:
        page = http.get("/api/patient-payments/v4", params={"patient_external_id": "pat-1", "limit": 999}).json()
    there = Counter(row["payment_note"] for row in page["items"])
    assert set(there.values()) == {1}
    for row, line in zip(desk.rows(), desk.input.read_bytes().splitlines(), strict=True):
        is_there = json.loads(line)["payment_note"] in there
        assert (
            row["outcome"] == "created" if is_there and row["outcome"] != "unknown" else row["outcome"] == "unknown"
        )
    assert Counter(row["outcome"] for row in desk.rows())["unknown"] <= 3 * 4


def test_a_task_that_is_asked_to_end_ends_its_lines_first(mortal: Mortal) -> None:
    desk = mortal.desk
    desk.write(payments(desk, LINES))
    assert not mortal.load(PAY, 10, signal.SIGTERM, resource="patient_payments", concurrency=4)
    assert mortal.load(PAY, None, resource="patient_payments", concurrency=4)
    assert Counter(row["outcome"] for row in desk.rows()) == {"created": LINES}
    assert desk.sent(PAY) == LINES


def test_what_is_left_after_a_kill_is_a_journal_that_others_cannot_read(mortal: Mortal) -> None:
    desk = mortal.desk
    desk.write(encounters(LINES))
    mortal.load(CREATE, 10, resource="encounters", concurrency=4)
    (journal,) = desk.results.iterdir()
    assert journal.stat().st_mode & 0o777 == 0o600
    assert not [marker for marker in desk.emulator.markers if marker.lower() in journal.read_text().lower()]
