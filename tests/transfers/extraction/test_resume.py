"""A retry goes on where the last try stood."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.io import attach  # noqa: TID251 - how a deployment adds a file system

from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidStoppedError, CandidUnavailableError
from candid_provider.transfers.output.directory import Directory
from tests.conftest import Connect
from tests.transfers.extraction.conftest import PAGE, extract, ids, manifest, operator, rows

ENCOUNTERS = "GET /api/encounters/v4"
PAGES = 42


class States(dict[str, Any]):
    """A task state store, as Airflow 3.3 puts it into the context."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


def fail_once_at(candid: Emulator, page: int, route: str = ENCOUNTERS) -> None:
    candid.faults.add(kind="status", error_name="UnauthorizedError", route=route, after=page - 1, count=1)


def asked(candid: Emulator, route: str = ENCOUNTERS) -> int:
    return len(candid.requests(route=route))


@pytest.mark.parametrize("states", [None, States()], ids=["file", "state store"])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_a_retry_asks_for_no_page_twice(
    candid: Emulator, connect: Connect, tmp_path: Path, states: States | None, compression: str | None
) -> None:
    context = {"task_state_store": states}
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "compression": compression}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException, match="UnauthorizedError"):
        extract(context, **arguments)
    assert not (tmp_path / "manifest.json").exists()
    summary = extract(context, **arguments)
    assert (summary["rows"], summary["pages"]) == (420, PAGES)
    assert asked(candid) == PAGES + 1  # the one that failed
    assert len(set(ids(tmp_path))) == 420
    assert not states


@pytest.mark.parametrize("page", [1, 2, 21, 42])
def test_a_retry_reads_what_one_try_would_have_read(
    candid: Emulator, connect: Connect, tmp_path: Path, page: int
) -> None:
    extract(resource="encounters", path=str(tmp_path / "whole"), query=PAGE, part_rows=100)
    fail_once_at(candid, page)
    arguments = {"resource": "encounters", "path": str(tmp_path / "parts"), "query": PAGE, "part_rows": 100}
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    extract(**arguments)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    assert [part["rows"] for part in manifest(tmp_path / "parts")["parts"]] == [100, 100, 100, 100, 20]


def test_a_scan_goes_on_within_its_timestamps(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    arguments = {"resource": "patients", "path": str(tmp_path), "query": {"maxResults": 20}}
    route = "GET /patients/v1/updates/scan"
    fail_once_at(candid, 7, route)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    before = asked(candid, route)
    summary = extract(**arguments)
    assert len(set(ids(tmp_path, "id"))) == summary["rows"] == 230
    assert asked(candid, route) - before == summary["pages"] - 6


def test_an_object_store_keeps_what_was_read_as_a_short_part(
    candid: Emulator, connect: Connect, store: fsspec.AbstractFileSystem
) -> None:
    arguments = {"resource": "encounters", "path": "memory://bucket/extract", "query": PAGE}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    summary = extract(**arguments)
    described = json.loads(store.cat("/bucket/extract/manifest.json"))
    lines = b"".join(store.cat(f"/bucket/extract/{part['name']}") for part in described["parts"]).splitlines()
    assert [part["rows"] for part in described["parts"]] == [290, 130]
    assert len({json.loads(line)["encounter_id"] for line in lines}) == summary["rows"] == 420
    assert asked(candid) == PAGES + 1
    assert len(store.ls("/bucket/extract")) == 3


def test_a_stop_keeps_what_was_read(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    candid.faults.add(kind="hang", route=ENCOUNTERS, after=20, count=1)
    stopped = operator(resource="encounters", path=str(tmp_path), query=PAGE)

    def kill() -> None:
        while asked(candid) < 21:
            pass
        stopped.on_kill()

    threading.Thread(target=kill).start()
    nothing: Any = {}
    with pytest.raises(CandidStoppedError):
        stopped.execute(nothing)
    candid.faults.clear()
    extract(resource="encounters", path=str(tmp_path), query=PAGE)
    assert len(set(ids(tmp_path))) == 420
    assert asked(candid) == PAGES + 1


def test_a_page_token_that_is_over_costs_a_new_beginning(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 100}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    fail_once_at(candid, 1)
    extract(**arguments)
    assert len(set(ids(tmp_path))) == 420
    assert asked(candid) == 30 + 1 + PAGES


@pytest.mark.parametrize("change", [{"query": {"limit": 20}}, {"compression": "gzip"}, {"part_rows": 7}])
def test_another_extract_does_not_go_on_with_it_but_removes_it(
    candid: Emulator, connect: Connect, tmp_path: Path, change: dict[str, Any]
) -> None:
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 100}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    extract(**{**arguments, **change})
    assert len(set(ids(tmp_path))) == 420


def test_a_run_that_was_given_up_leaves_nothing_to_the_next(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 100}
    extract({"run_id": "first", "task_state_store": States()}, **arguments)
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract({"run_id": "second", "task_state_store": States()}, **arguments)
    assert len(list(tmp_path.iterdir())) > 7
    extract({"run_id": "third", "task_state_store": States()}, **arguments)
    assert len(set(ids(tmp_path))) == 420


def test_a_spool_that_is_not_what_it_was_is_read_again(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 100}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    (spool,) = tmp_path.glob(".part-*.spool")
    assert spool.stat().st_mode & 0o777 == 0o600
    spool.write_bytes(b"x" * spool.stat().st_size)
    extract(**arguments)
    assert len(set(ids(tmp_path))) == 420
    assert asked(candid) == 29 + 1 + 9 + 13


def test_what_is_kept_names_no_patient(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    states = States()
    fail_once_at(candid, 3)
    query = {**PAGE, "sort": "created_at:asc"}
    with pytest.raises(AirflowFailException):
        extract({"task_state_store": states}, resource="encounters", path=str(tmp_path), query=query)
    kept = json.dumps(states) + (tmp_path / ".candid-checkpoint.json").read_text()
    assert "created_at:asc" not in kept
    assert not [marker for marker in candid.markers if marker in kept]


@pytest.fixture
def store() -> fsspec.AbstractFileSystem:
    """An object store that Airflow knows; fsspec's own, in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    attach("memory", fs=store)
    return store


def test_two_processes_do_not_write_at_the_same_place(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    with Directory(str(tmp_path)).held(), pytest.raises(CandidUnavailableError, match="another process"):
        extract(resource="encounters", path=str(tmp_path))
    assert asked(candid) == 0
    assert extract(resource="encounters", path=str(tmp_path))["rows"] == 420


def test_a_manifest_names_no_part_that_another_run_has_removed(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    arguments = {"resource": "encounters", "path": str(tmp_path), "query": PAGE, "part_rows": 100}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract(**arguments)
    next(tmp_path.glob("part-00000-*")).unlink()
    with pytest.raises(CandidUnavailableError, match=r"1 of 5 parts are not there.*Give each run a directory"):
        extract(**arguments)
    assert not (tmp_path / "manifest.json").exists()
    assert extract(**arguments)["rows"] == len(rows(tmp_path)) == 420
