"""Submitting a batch once: answers that are lost, processes that are killed, and what is left for a person."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.exceptions import CandidUnavailableError
from candid_provider.policies.decision import is_final
from tests.operators.jobs.conftest import BATCH, NPI, Office, StateStore, request
from tests.processes.conftest import parent  # noqa: F401 - a fixture

LOST: list[dict[str, Any]] = [
    {"kind": "processed_but_500"},
    {"kind": "processed_but_500", "status": 503},
    {"kind": "processed_but_500", "reset": True},
    {"kind": "truncated"},
    {"kind": "broken_json"},
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: "-".join(map(str, fault.values())))
def test_a_lost_answer_is_left_to_a_person_and_never_sent_again(office: Office, fault: dict[str, Any]) -> None:
    office.write([request(0)])
    office.emulator.faults.add(route=BATCH, **fault)
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="its answer was lost") as raised:
            office.run(office.batch(), store=StateStore())
    assert str(office.record) in str(raised.value)
    assert (office.submits(), office.state()) == (1, "lost")


def test_a_person_who_has_asked_candid_writes_down_the_id(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    fast.emulator.faults.add(kind="processed_but_500", route=BATCH)
    with pytest.raises(AirflowFailException, match="state 'submitted'"):
        fast.run(fast.batch())
    with fast.api() as api:  # stands for Candid's support: another batch, for want of a listing
        batch_id = api.post("/eligibility-checks/v1/batch", json=sent(fast)).json()["batch_id"]
    record = json.loads(fast.record.read_bytes())
    fast.record.write_text(json.dumps({**record, "job": batch_id, "state": "submitted"}))
    assert fast.run(fast.batch())["batch_id"] == batch_id


def sent(office: Office) -> list[dict[str, Any]]:
    batch = office.batch()
    return [dict(body) for body in batch.job(office.context()).submit.json]


def test_who_says_so_has_it_submitted_again_and_checks_of_the_first_one_reused(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    fast.emulator.faults.add(kind="processed_but_500", route=BATCH)
    with pytest.raises(CandidUnavailableError) as failure:  # the next try does it
        fast.run(fast.batch(resubmit_when_unknown=True))
    assert not is_final(failure.value)
    assert fast.run(fast.batch(resubmit_when_unknown=True))["results"] == 1
    (row,) = fast.rows()
    assert row["request"]["get_existing_check_initiated_after"]
    assert fast.submits() == 2


def test_a_failure_to_submit_again_does_not_forget_that_the_first_one_was_lost(office: Office) -> None:
    office.write([request(0)])
    office.emulator.faults.add(kind="processed_but_500", route=BATCH)
    office.emulator.faults.add(kind="status", status=422, error_name="UnprocessableEntityError", route=BATCH)
    with pytest.raises(CandidUnavailableError):
        office.run(office.batch(resubmit_when_unknown=True))
    with pytest.raises(AirflowFailException, match="UnprocessableEntityError"):
        office.run(office.batch(resubmit_when_unknown=True))
    with pytest.raises(AirflowFailException, match="its answer was lost"):
        office.run(office.batch())


def test_a_state_store_that_fails_after_the_submit_costs_nothing(fast: Office) -> None:
    class Failing(StateStore):
        def set(self, key: str, value: Any) -> None:
            raise ConnectionError("the API server is away")

    fast.speed(100_000)
    fast.write([request(0)])
    with pytest.raises(ConnectionError):
        fast.run(fast.batch(), store=Failing())
    assert fast.run(fast.batch(), store=StateStore())["results"] == 1
    assert fast.submits() == 1


def test_a_record_that_is_gone_is_made_up_for_by_airflows_state_store(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    store = StateStore()
    first = fast.run(fast.batch(), store=store)
    fast.record.unlink()
    assert fast.run(fast.batch(), store=store) == first
    assert fast.submits() == 1


def test_a_task_that_is_cleared_collects_again_and_another_run_submits_anew(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    first = fast.run(fast.batch())
    assert (fast.run(fast.batch()), fast.submits()) == (first, 1)
    assert fast.run(fast.batch(), "next run")["batch_id"] != first["batch_id"]
    assert fast.submits() == 2


def test_other_requests_are_submitted_once_the_first_are_done(fast: Office) -> None:
    fast.speed(100_000)
    store = StateStore()
    fast.write([request(0)])
    fast.run(fast.batch(), store=store)
    fast.write([request(1)])
    fast.run(fast.batch(), store=store)
    assert (fast.names(), fast.submits()) == (["Ozmvik1"], 2)


def test_requests_that_change_under_way_are_refused(office: Office) -> None:
    office.write([request(0)])
    with pytest.raises(AirflowFailException, match="have not"):
        office.run(office.batch(timeout=0.1))
    office.write([request(1)])
    with pytest.raises(AirflowFailException, match="has changed since"):
        office.run(office.batch(timeout=0.1))
    assert office.submits() == 1


def test_an_output_of_another_mapped_task_or_of_a_run_that_is_under_way_is_refused(office: Office) -> None:
    office.write([request(0)])
    with pytest.raises(AirflowFailException, match="have not"):
        office.run(office.batch(timeout=0.1), "run", 0)
    with pytest.raises(AirflowFailException, match="two mapped tasks"):
        office.run(office.batch(), "run", 1)
    with pytest.raises(AirflowFailException, match="another run"):
        office.run(office.batch(), "next run")
    assert office.submits() == 1


def test_a_record_that_cannot_be_read_is_not_taken_for_none(office: Office) -> None:
    office.write([request(0)])
    office.record.parent.mkdir()
    office.record.write_text("{")
    with pytest.raises(AirflowFailException, match="no record of a job"):
        office.run(office.batch())
    assert office.submits() == 0


def test_of_two_tries_at_once_one_submits(fast: Office) -> None:
    """Airflow has given up a try that hangs, and begins the next one."""
    fast.speed(100_000)
    fast.write([request(0)])
    fast.emulator.faults.add(kind="latency", ms=2_000, route="GET /eligibility-checks/v1/payer/search")
    with ThreadPoolExecutor() as threads:
        hanging = threads.submit(fast.run, fast.batch())
        while not fast.emulator.faults.fired():
            time.sleep(0.01)
        assert fast.run(fast.batch())["results"] == 1
        with pytest.raises(CandidUnavailableError, match="another try"):
            hanging.result()
    assert fast.submits() == 1


def test_the_record_is_for_its_owner_only(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    fast.run(fast.batch())
    assert fast.record.stat().st_mode & 0o777 == 0o600


def live(connection: str, notes: Path, log: Path, arguments: dict[str, Any]) -> None:
    """What the process does that is killed."""
    os.environ["AIRFLOW_CONN_CANDID_DEFAULT"] = connection
    tempfile.tempdir = str(notes)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from candid_provider.operators.eligibility import CandidEligibilityBatchOperator
    from tests.operators.jobs.conftest import Instance

    context: Any = {"ti": Instance()}
    CandidEligibilityBatchOperator(task_id="check", poll_interval=0.05, **arguments).execute(context)


class Mortal:
    """Executes tasks in processes of their own, which are killed."""

    def __init__(self, office: Office, context: ForkServerContext) -> None:
        self.office, self._context = office, context
        self.log, self.notes = office.folder / "log", office.folder / "notes"
        self.notes.mkdir()

    def start(self, **arguments: Any) -> BaseProcess:
        given = {"path": str(self.office.input), "output_path": str(self.office.output), **arguments}
        connection = os.environ["AIRFLOW_CONN_CANDID_DEFAULT"]
        process = self._context.Process(target=live, args=(connection, self.notes, self.log, given))
        process.start()
        return process

    def dies(self, when: Callable[[], bool], kill: Callable[[int], None], **arguments: Any) -> bool:
        """Start a task and kill it at a moment; whether it was still alive."""
        process = self.start(**arguments)
        while process.is_alive() and not when():
            time.sleep(0.001)
        if alive := process.is_alive():
            kill(process.pid or 0)
        process.join()
        return alive and process.exitcode == -signal.SIGKILL

    def ends(self, **arguments: Any) -> bool:
        """Run a task to its end."""
        process = self.start(**arguments)
        process.join()
        return process.exitcode == 0

    def posting(self) -> bool:
        """Whether a request is about to be answered."""
        return any(b"begun" in notes.read_bytes() for notes in self.notes.rglob("*.jsonl"))

    def told(self) -> str:
        return self.log.read_text()


def kill_process(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_tree(pid: int) -> None:
    """Kill a process, its group and all its descendants, as Airflow 2 and service managers do."""
    family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    for member in family:
        member.kill()


@pytest.fixture
def mortal(fast: Office, parent: ForkServerContext) -> Mortal:  # noqa: F811 - the fixture
    fast.speed(20_000)
    fast.write([request(number) for number in range(5)])
    return Mortal(fast, parent)


@pytest.mark.parametrize("kill", [kill_process, kill_tree])
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment_it_is_submitted_once(mortal: Mortal, kill: Callable[[int], None], seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        moment = time.monotonic() + rng.uniform(0, 1.2)
        mortal.dies(lambda at=moment: time.monotonic() > at, kill)  # type: ignore[misc]
    assert mortal.ends(), mortal.told()
    assert mortal.office.submits() == 1
    assert mortal.office.names() == [f"Ozmvik{number}" for number in range(5)]
    # What was begun is forgotten; a process killed before it wrote down where its notes are leaves empty ones.
    assert not b"".join(notes.read_bytes() for notes in mortal.notes.rglob("*.jsonl"))


@pytest.mark.parametrize("kill", [kill_process, kill_tree])
def test_killed_while_candid_answers_the_next_try_finds_the_answer(mortal: Mortal, kill: Any) -> None:
    mortal.office.emulator.faults.add(kind="latency", ms=1_500, route=BATCH)
    assert mortal.dies(mortal.posting, kill)
    assert mortal.office.state() == "sending"
    assert mortal.ends(), mortal.told()
    assert (mortal.office.submits(), len(mortal.office.rows())) == (1, 5)


def test_where_everything_is_killed_while_candid_answers_a_person_decides(mortal: Mortal) -> None:
    """A container that is killed, or a machine that stops."""
    mortal.office.emulator.faults.add(kind="latency", ms=1_500, route=BATCH)

    def kill_all(pid: int) -> None:
        kill_process(pid)
        (notes,) = mortal.notes.rglob("*.jsonl")
        for process in psutil.process_iter():
            try:
                if any(file.path == str(notes) for file in process.open_files()):
                    process.kill()
            except psutil.Error:
                continue

    assert mortal.dies(mortal.posting, kill_all)
    assert not mortal.ends()
    assert "its answer was lost" in mortal.told()
    assert mortal.office.submits() <= 1


def test_on_another_machine_a_person_decides_too(mortal: Mortal) -> None:
    mortal.office.emulator.faults.add(kind="latency", ms=1_500, route=BATCH)
    assert mortal.dies(mortal.posting, kill_process)
    mortal.notes = mortal.office.folder / "notes of another machine"
    mortal.notes.mkdir()
    assert not mortal.ends()
    assert "its answer was lost" in mortal.told()


def test_nothing_is_left_in_the_notes_that_names_a_patient_or_shows_the_token(mortal: Mortal) -> None:
    mortal.office.emulator.faults.add(kind="latency", ms=500, route=BATCH)
    assert mortal.dies(mortal.posting, kill_process)
    (notes,) = mortal.notes.rglob("*.jsonl")
    content = notes.read_text()
    secrets = [*mortal.office.emulator.markers, *mortal.office.emulator.tokens(), NPI]
    assert not [secret for secret in secrets if secret in content]
    assert notes.stat().st_mode & 0o777 == 0o600
    assert notes.parent.stat().st_mode & 0o777 == 0o700
    assert mortal.ends()


def test_notes_where_others_may_write_are_refused(office: Office, tmp_path: Path) -> None:
    from candid_provider.api.posting import Posting

    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(CandidUnavailableError, match="TMPDIR"):
        Posting.new(folder)
    assert not list(folder.iterdir())
