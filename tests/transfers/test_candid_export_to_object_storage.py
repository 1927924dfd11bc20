"""Exports into a directory: waited for here or in the triggerer, whole, and nobody else's."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath, TaskDeferred

from candid_provider.emulator import Emulator
from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from tests.conftest import Connect

EXPORTS, FILES = "GET /api/exports/v3", "GET /_files/{file}"
HOUR = 3600.0
READY = {"first_day": "2026-03-06", "last_day": "2026-03-09"}
# The world begins on Monday 2026-03-16 at 00:00 UTC: what ends on Wednesday the 11th is there at 06:00.
PENDING = {"first_day": "2026-03-10", "last_day": "2026-03-11"}


@pytest.fixture(autouse=True)
def world(candid: Emulator, connect: Connect) -> None:
    """Each test has an emulator and the connection to it."""


def made(directory: Path, /, **changes: Any) -> CandidExportToObjectStorageOperator:
    given: dict[str, Any] = {"path": str(directory), "deferrable": False, "poll_interval": 0.01, "count_rows": True}
    given |= {**READY, **changes}
    return CandidExportToObjectStorageOperator(**{"task_id": "export", **given})


def export(directory: Path, /, **changes: Any) -> dict[str, Any]:
    operator = made(directory, **changes)
    context: Any = {"ds": "2026-03-06"}
    operator.render_template_fields(context)
    return operator.execute(context)


def manifest(path: Path) -> Any:
    return json.loads((path / "manifest.json").read_bytes())


def faulty(candid: Emulator, *rules: dict[str, Any]) -> None:
    assert httpx.post(f"{candid.url}/_emulator/faults", json=list(rules)).status_code == 201


def names(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


@pytest.fixture
def moving(candid: Emulator) -> Iterator[None]:
    """An hour passes in the world whenever it is waited."""

    class Moving(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "not yet" in record.getMessage():
                candid.advance(HOUR)

    moving = Moving()
    logger = logging.getLogger("candid_provider.api")
    level = logger.level
    logger.addHandler(moving)
    logger.setLevel(logging.DEBUG)  # at which what stays the same is logged
    yield
    logger.removeHandler(moving)
    logger.setLevel(level)


def test_the_file_is_candids_byte_for_byte(candid: Emulator, tmp_path: Path) -> None:
    summary = export(tmp_path)
    content = (tmp_path / "export_2026-03-06_2026-03-09.csv").read_bytes()
    token = candid.tokens()[0]
    answer = httpx.get(
        f"{candid.url}/api/exports/v3",
        params={"start_date": "2026-03-06", "end_date": "2026-03-09"},
        headers={"Authorization": f"Bearer {token}"},
    ).json()
    assert content == httpx.get(answer["authenticated_download_url"]).content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert summary == {
        "resource": "exports",
        "path": str(tmp_path),
        "manifest": str(tmp_path / "manifest.json"),
        "parts": 1,
        "rows": len(rows),
        "bytes": len(content),
    }
    assert manifest(tmp_path) == {
        "version": 1,
        "resource": "exports",
        "route": EXPORTS,
        "parameters": ["end_date", "start_date"],
        "interval": ["2026-03-06", "2026-03-10"],
        "format": "csv",
        "compression": None,
        "rows": len(rows),
        "bytes": len(content),
        "parts": [
            {
                "name": "export_2026-03-06_2026-03-09.csv",
                "rows": len(rows),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "columns": list(rows[0]),
                "interval": ["2026-03-06", "2026-03-10"],
            }
        ],
        "owner": {"dag_id": "adhoc_airflow", "task_id": "export", "run_id": "", "map_index": -1},
    }


def test_more_than_thirty_days_come_as_files_one_after_the_other(candid: Emulator, tmp_path: Path) -> None:
    summary = export(tmp_path, first_day="2026-01-05", last_day="2026-03-09")
    parts = [part["interval"] for part in manifest(tmp_path)["parts"]]
    assert parts == [["2026-01-05", "2026-02-04"], ["2026-02-04", "2026-03-06"], ["2026-03-06", "2026-03-10"]]
    assert manifest(tmp_path)["interval"] == ["2026-01-05", "2026-03-10"]
    days = ["2026-01-05_2026-02-03", "2026-02-04_2026-03-05", "2026-03-06_2026-03-09"]
    files = [f"export_{first_to_last}.csv" for first_to_last in days]
    assert names(tmp_path) == {*files, "manifest.json"}
    versions = [
        (row["claim_id"], row["claim_version"])
        for name in files
        for row in csv.DictReader((tmp_path / name).read_text().splitlines())
    ]
    assert len(set(versions)) == len(versions) == summary["rows"]


def test_days_and_path_are_templates(tmp_path: Path) -> None:
    export(tmp_path / "{{ ds }}", first_day="{{ ds }}", last_day="{{ ds }}")
    assert names(tmp_path / "2026-03-06") == {"export_2026-03-06_2026-03-06.csv", "manifest.json"}


@pytest.mark.usefixtures("moving")
def test_without_a_triggerer_the_task_waits(
    candid: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert export(tmp_path, **PENDING)["parts"] == 1
    assert caplog.text.count("not yet") == 6
    assert candid.stats()["requests"][EXPORTS] == 1 + 7 + 1 + 1
    for secret in ("2026-03-10", "signature", "_files/", *candid.markers, *candid.tokens()):
        assert secret not in caplog.text


@pytest.mark.usefixtures("moving")
def test_with_one_the_triggerer_waits(candid: Emulator, tmp_path: Path) -> None:
    operator = made(tmp_path, **PENDING, deferrable=True)
    with pytest.raises(TaskDeferred) as caught:
        operator.execute({})
    deferred = caught.value
    stored = json.dumps([deferred.trigger.serialize(), deferred.kwargs])
    assert not any(secret in stored for secret in ("http", "signature", *candid.tokens()))

    async def event() -> Any:
        return [event.payload async for event in deferred.trigger.run()]

    (payload,) = asyncio.run(event())
    assert payload["status"] == "succeeded"
    assert not list(tmp_path.iterdir())
    resumed = made(tmp_path, **PENDING, deferrable=True)
    summary = getattr(resumed, deferred.method_name)({}, event=payload, **(deferred.kwargs or {}))
    assert summary["parts"] == 1


def test_what_is_there_is_not_deferred_for(tmp_path: Path) -> None:
    assert export(tmp_path, deferrable=True)["parts"] == 1


@pytest.mark.parametrize("event", [None, {}, {"status": "odd"}, {"status": "failed", "message": "no"}, "succeeded"])
def test_an_event_that_is_no_success_fails_for_good(candid: Emulator, tmp_path: Path, event: Any) -> None:
    with pytest.raises(AirflowFailException):
        made(tmp_path).execute_complete({}, event=event, deadline=0.0)
    assert sum(candid.stats()["requests"].values()) == 0


def test_time_that_is_up_fails_for_good(candid: Emulator, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="raise timeout if it may still come"):
        export(tmp_path, **PENDING, timeout=0.02)
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_is_refused_fails_before_another_is_waited_for(candid: Emulator, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="ExportDateTooEarlyError"):
        export(tmp_path, first_day="2025-12-01", last_day="2026-03-11")
    assert candid.stats()["requests"][EXPORTS] == 1


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"first_day": "2022-01-01"}, "first_day"),
        ({"last_day": "2026-01-01"}, "last_day"),
        ({"last_day": "soon"}, "last_day"),
        ({"columns": "id"}, "columns"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"poll_interval": "1m"}, "poll_interval"),
        ({"timeout": -1}, "timeout"),
        ({"path": "exports"}, "path"),
        ({"path": "/proc/no/exports"}, "path"),
    ],
)
def test_a_wrong_argument_names_itself_before_anything_is_sent(
    candid: Emulator, tmp_path: Path, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"^{field}"):
        export(tmp_path, **arguments)
    assert sum(candid.stats()["requests"].values()) == 0


def test_columns_are_written_by_name(tmp_path: Path) -> None:
    untouched = export(tmp_path / "untouched")
    summary = export(tmp_path / "mapped", columns={"claim_id": "claim", "claim_version": "version"})
    (part,) = manifest(tmp_path / "mapped")["parts"]
    content = (tmp_path / "mapped" / part["name"]).read_text()
    assert part["columns"][:3] == ["claim", "version", "encounter_id"]
    assert content.splitlines()[0] == ",".join(part["columns"])
    assert summary["rows"] == untouched["rows"]
    with pytest.raises(AirflowFailException, match=r"no column 'claim'. It has: encounter_id, claim_id"):
        export(tmp_path / "gone", columns=["claim"])
    assert names(tmp_path / "gone") == set()


def test_rows_are_counted_on_request(tmp_path: Path) -> None:
    assert export(tmp_path, count_rows=False)["rows"] is None


def test_a_further_run_replaces_its_own_output_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "precious.csv").write_text("")
    export(tmp_path, first_day="2026-02-01", last_day="2026-03-09")
    export(tmp_path)
    assert names(tmp_path) == {"precious.csv", "export_2026-03-06_2026-03-09.csv", "manifest.json"}


@pytest.mark.parametrize("there", ['{"owner":{"dag_id":"other","task_id":"export"},"parts":[]}', "{}", "no JSON"])
def test_the_output_of_another_is_left_alone(candid: Emulator, tmp_path: Path, there: str) -> None:
    (tmp_path / "manifest.json").write_text(there)
    with pytest.raises(AirflowFailException, match=r"^path holds (the output of another task|a manifest.json)"):
        export(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == there
    assert sum(candid.stats()["requests"].values()) == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "truncated", "count": 2},
        {"kind": "reset", "count": 2},
        {"kind": "status", "status": 503, "count": 2},
        {"kind": "status", "status": 403, "count": 2},
    ],
    ids=lambda rule: f"{rule['kind']} {rule.get('status', '')}",
)
def test_a_storage_that_fails_is_asked_again_at_a_fresh_url(
    candid: Emulator, tmp_path: Path, rule: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    export(tmp_path / "good")
    before = candid.stats()["requests"]
    faulty(candid, {"route": "GET /_files/*", **rule})
    with caplog.at_level(logging.DEBUG):
        export(tmp_path / "faulty")
    assert manifest(tmp_path / "good")["parts"] == manifest(tmp_path / "faulty")["parts"]
    after = candid.stats()["requests"]
    assert after[FILES] - before[FILES] == 3
    assert after[EXPORTS] - before[EXPORTS] == 1 + 3
    assert not any(secret in caplog.text for secret in ("signature=", "expires=", *candid.markers, *candid.tokens()))


def test_a_secret_of_the_storage_is_in_no_error(
    candid: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faulty(candid, {"route": "GET /_files/*", "kind": "status", "status": 403, "count": 9})
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception, match="HTTP 403") as caught:
        export(tmp_path)
    error: BaseException | None = caught.value
    while error:
        assert not any(secret in f"{error!r} {vars(error)}" for secret in ("signature", "_files", "2026-03"))
        error = error.__cause__ or error.__context__
    assert "signature=" not in caplog.text


def test_a_directory_is_a_path_too(tmp_path: Path) -> None:
    summary = made(tmp_path, path=ObjectStoragePath(f"file://{tmp_path}")).execute({})
    assert summary["manifest"].endswith("/manifest.json")
    assert "manifest.json" in names(tmp_path)
