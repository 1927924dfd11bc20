"""A process can end anywhere: the next try finishes the extract, whole and without a double."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import pytest

from candid_provider.emulator import Emulator
from candid_provider.hooks.candid import CandidHook
from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
from candid_provider.transfers.extraction.fetch import AHEAD
from candid_provider.transfers.extraction.plan import plan
from candid_provider.transfers.extraction.run import Run
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.owner import Owner
from tests.conftest import Connect
from tests.transfers.extraction.conftest import PAGE, extract, ids, operator
from tests.transfers.extraction.test_resume import States


class Crash(BaseException):
    """The process is gone: nothing after it happens."""


class Mortal(Directory):
    """A directory whose process ends before or after the nth thing that is done to it, and does nothing more."""

    def __init__(self, path: str, life: int) -> None:
        super().__init__(path)
        self.life = life

    @contextlib.contextmanager
    def _living(self) -> Iterator[None]:
        self.life -= 1
        if self.life <= 0:
            raise Crash
        yield
        self.life -= 1
        if self.life <= 0:
            raise Crash

    def write(self, name: str, content: bytes, *, private: bool = False) -> None:
        with self._living():
            super().write(name, content, private=private)

    def adopt(self, file: Path, name: str) -> None:
        with self._living():
            super().adopt(file, name)

    @contextlib.contextmanager
    def writing(self, name: str, *, private: bool = False) -> Iterator[IO[bytes]]:
        with self._living(), super().writing(name, private=private) as file:
            yield file

    def remove(self, names: Any) -> None:
        for name in list(names):
            with self._living():
                super().remove([name])


def once(directory: Directory, compression: str | None, states: States | None) -> None:
    planned = plan(
        resource="encounters",
        path=str(directory),
        query={"limit": 100, "date_of_service_min": "2026-03-12"},
        path_params=None,
        json=None,
        format="jsonl",
        compression=compression,
        part_rows=100,
        part_bytes=256_000_000,
        detail=None,
        parallel_windows=1,
        incremental=False,
        owner=Owner("dag", "task", "run"),
    )
    object.__setattr__(planned, "directory", directory)
    with CandidHook() as hook:
        client = hook.get_conn()
        store = CheckpointStore(directory, states, hook.log, most_parts=0)  # so that there are files of parts, too
        Run(planned, client, b"key", store, hook.log).execute()


@pytest.mark.parametrize(("compression", "state_store"), [(None, False), ("gzip", False), (None, True)])
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    candid: Emulator, connect: Connect, tmp_path: Path, compression: str | None, state_store: bool
) -> None:
    for life in range(1, 200):
        states = States() if state_store else None
        path = tmp_path / str(life)
        once(Directory(str(path)), compression, states)  # what the next run replaces
        crashed = False
        try:
            once(Mortal(str(path), life), compression, states)
        except Crash:
            crashed = True
        except Exception:
            crashed = True  # a checkpoint that could not be written
        once(Directory(str(path)), compression, states)
        assert len(set(ids(path))) == len(ids(path)) == 168
        if not crashed:
            break
    assert not crashed
    assert life > 15


def _work(path: str, connection: str) -> None:
    os.environ["AIRFLOW_CONN_CANDID_DEFAULT"] = connection
    made = operator(resource="encounters", path=path, query=PAGE, part_rows=100)
    signal.signal(signal.SIGTERM, lambda *_: made.on_kill())
    nothing: Any = {}
    made.execute(nothing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_a_killed_process_is_gone_on_with(
    candid: Emulator, connect: Connect, tmp_path: Path, number: signal.Signals
) -> None:
    candid.faults.add(kind="latency", ms=60, route="GET /api/encounters/v4", count=None)
    nursery = get_context("forkserver")
    nursery.set_forkserver_preload([__name__])
    process = nursery.Process(target=_work, args=(str(tmp_path), os.environ["AIRFLOW_CONN_CANDID_DEFAULT"]))
    process.start()
    assert process.pid
    while process.is_alive() and len(candid.requests(route="GET /api/encounters/v4")) < 30:
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode not in (0, None)
    candid.faults.clear()
    extract(resource="encounters", path=str(tmp_path), query=PAGE, part_rows=100)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 420
    asked = len(candid.requests(route="GET /api/encounters/v4"))
    assert asked <= (42 + AHEAD if number == signal.SIGTERM else 42 + 20)
