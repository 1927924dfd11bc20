"""The task state store may fail at any moment, and does not have to take much."""

from __future__ import annotations

import errno
import json
import random
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.hooks.candid import CandidHook
from candid_provider.transfers.extraction.checkpoint import FILE, Checkpoint, StreamState
from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
from candid_provider.transfers.output.directory import Directory
from tests.conftest import Connect
from tests.transfers.extraction.conftest import PAGE, extract, ids, manifest, operator, rows
from tests.transfers.extraction.test_incremental import Instance
from tests.transfers.extraction.test_resume import PAGES, States, asked, fail_once_at
from tests.transfers.hurry import hurried

AIRFLOWS_LIMIT = 65_536
"""Bytes of a value from which on Airflow warns: the default of ``[state_store] max_value_storage_bytes``."""


class Outage(Exception):
    """What an API server that is down comes to in a task; Airflow's own error is no narrower."""


class Failing(States):
    """A task state store that works as long as it is told to."""

    def __init__(self, *, sets: int = 10**9, gets: int = 10**9, deletes: int = 10**9) -> None:
        super().__init__()
        self.left = {"set": sets, "get": gets, "delete": deletes}
        self.failures = 0
        self.largest = 0

    def set(self, key: str, value: Any) -> None:
        self._use("set")
        self.largest = max(self.largest, len(json.dumps(value)))
        super().set(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        self._use("get")
        return super().get(key, default)

    def delete(self, key: str) -> None:
        self._use("delete")
        super().delete(key)

    def _use(self, what: str) -> None:
        self.left[what] -= 1
        if self.left[what] < 0:
            self.failures += 1
            raise Outage


class Fickle(States):
    """A task state store that fails now and then, sometimes when it has done what it was asked for."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def set(self, key: str, value: Any) -> None:
        fate = self._rng.random()
        if fate > 0.1:
            super().set(key, value)
        if fate < 0.2:
            raise Outage

    def get(self, key: str, default: Any = None) -> Any:
        if self._rng.random() < 0.3:
            raise Outage
        return super().get(key, default)

    def delete(self, key: str) -> None:
        if self._rng.random() < 0.5:
            raise Outage
        super().delete(key)


@pytest.mark.parametrize("sets", [0, 1, 5])
def test_an_extract_outlives_its_state_store_and_says_so_once(
    candid: Emulator, connect: Connect, tmp_path: Path, sets: int, capsys: pytest.CaptureFixture[str]
) -> None:
    states = Failing(sets=sets, deletes=0)
    extract({"task_state_store": states}, resource="encounters", path=str(tmp_path), query=PAGE, part_rows=50)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 420
    assert asked(candid) == PAGES
    assert states.failures == 1 + 1  # the first of the checkpoints, and the removal
    told = "checkpoints go into a file and no longer into the task state store (Outage)"
    assert capsys.readouterr().out.count(told) == 1


class Full(Directory):
    """A directory whose disk is full."""

    def write(self, name: str, content: bytes, *, private: bool = False) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


class Log:
    """What a user reads."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def info(self, event: str, /, *args: Any) -> None:
        raise AssertionError

    def warning(self, event: str, /, *args: Any) -> None:
        self.told.append(event % args)


def test_a_state_store_that_stalls_holds_up_an_extract_once(tmp_path: Path) -> None:
    now, log = [0.0], Log()

    class Stalling(Failing):
        def set(self, key: str, value: Any) -> None:
            now[0] += 1.0 if self.left["set"] > 3 else 48.0
            super().set(key, value)

    states = Stalling(sets=5)
    store = CheckpointStore(Directory(str(tmp_path)), states, log, clock=lambda: now[0])
    for number in range(8):
        store.save(Checkpoint("identity", "generation", "now", streams=[StreamState(drafts=number)]))
    assert now == [1.0 + 1.0 + 48.0]
    assert log.told == ["checkpoints go into a file and no longer into the task state store (too slow)"]
    found = CheckpointStore(Directory(str(tmp_path)), states, log).load()
    assert found
    assert found.streams == [StreamState(drafts=7)]


def test_a_checkpoint_that_can_be_kept_nowhere_is_done_without_where_it_is_not_needed(tmp_path: Path) -> None:
    log = Log()
    store = CheckpointStore(Full(str(tmp_path)), Failing(sets=0), log)
    for _ in range(3):
        store.save(Checkpoint("identity", "generation", "now"), needed=False)
    assert log.told == [
        "the checkpoint could not be written (OSError); a retry would go on from the last one that was, if any"
    ]
    with pytest.raises(CandidUnavailableError, match=r"could not be written \(OSError\)"):
        store.save(Checkpoint("identity", "generation", "now"))


@pytest.mark.parametrize("sets", [0, 1, 4])
@pytest.mark.parametrize("gets", [0, 1], ids=["still down", "up again"])
def test_a_retry_goes_on_where_the_last_try_stood_when_the_store_had_failed(
    candid: Emulator, connect: Connect, tmp_path: Path, sets: int, gets: int
) -> None:
    states = Failing(sets=sets, gets=gets)
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 50}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract({"task_state_store": states}, **arguments)
    states.left["set"] = 10**9 * gets
    extract({"task_state_store": states}, **arguments)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 420
    assert asked(candid) == PAGES + 1


def test_a_checkpoint_that_cannot_be_read_is_waited_for(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    states = Failing(gets=0)
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 50}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract({"task_state_store": states}, **arguments)
    with pytest.raises(CandidUnavailableError, match=r"task state store could not be read \(Outage\)"):
        extract({"task_state_store": states}, **arguments)
    assert asked(candid) == 30
    states.left["get"] = 1
    extract({"task_state_store": states}, **arguments)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 420
    assert asked(candid) == PAGES + 1


@pytest.mark.parametrize("seed", range(12))
def test_a_fickle_store_costs_no_row_and_doubles_none(
    candid: Emulator, connect: Connect, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    states = Fickle(rng)
    wanted = None
    while wanted is None:
        candid.faults.clear()
        if rng.random() < 0.7:
            fail_once_at(candid, rng.randrange(1, 12))
        try:
            wanted = extract(
                {"task_state_store": states},
                resource="encounters",
                path=str(tmp_path),
                query={"limit": 30},
                part_rows=60,
                compression=rng.choice((None, "gzip")),
            )
        except (AirflowFailException, CandidUnavailableError):
            continue
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == wanted["rows"] == 420


def test_a_change_feed_goes_on_from_its_mark_when_the_store_has_forgotten(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    mark = str(tmp_path / "mark.json")
    given = {"resource": "patients", "incremental": True, "watermark": mark, "query": {"maxResults": 20}}
    context = {"ti": Instance("nightly"), "dag_run": None, "task_state_store": States()}
    extract(context, path=str(tmp_path / "first"), **given)
    fail_once_at(candid, 1, "GET /patients/v1/updates/scan")
    with pytest.raises(AirflowFailException):
        extract(context, path=str(tmp_path / "second"), **given)
    extract({**context, "task_state_store": States()}, path=str(tmp_path / "second"), **given)
    assert rows(tmp_path / "second") == []
    assert manifest(tmp_path / "second")["began_at"] == manifest(tmp_path / "first")["cursor"]


@pytest.fixture
def thousand(connect: Connect) -> Any:
    with running(EmulatorConfig(encounters=1000, patients=50, days=10)) as emulator:
        connect(host=emulator.url)
        yield emulator


@pytest.mark.parametrize("states", [None, Failing()], ids=["file", "state store"])
def test_a_thousand_parts_leave_the_checkpoint_small(thousand: Emulator, tmp_path: Path, states: Any) -> None:
    def attempt() -> None:
        made = operator(resource="encounters", path=str(tmp_path), query={"limit": 1}, part_rows=1)
        made.hook = CandidHook(rate_limit=hurried())
        context: Any = {"task_state_store": states}
        made.execute(context)

    fail_once_at(thousand, 990)
    with pytest.raises(AirflowFailException):
        attempt()
    assert (tmp_path / FILE).stat().st_size < AIRFLOWS_LIMIT / 2
    assert states is None or 0 < states.largest < AIRFLOWS_LIMIT / 2
    attempt()
    assert len(manifest(tmp_path)["parts"]) == 1000
    assert len(set(ids(tmp_path))) == 1000
    assert asked(thousand) == 1000 + 1
