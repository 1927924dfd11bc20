"""Listings into directories."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.api.call import Call
from candid_provider.api.paging import TokenPaging
from candid_provider.api.resources import RESOURCES
from candid_provider.emulator import Emulator
from candid_provider.transfers.extraction.feed import Within
from candid_provider.transfers.extraction.windows import windows
from tests.conftest import Connect
from tests.transfers.extraction.conftest import extract, ids, manifest, rows


@pytest.mark.parametrize("resource", ["appointments", "coverages", "encounters", "events", "patients", "payers"])
def test_every_record_is_written_once(candid: Emulator, connect: Connect, tmp_path: Path, resource: str) -> None:
    summary = extract(resource=resource, path=str(tmp_path))
    keys = ids(tmp_path, RESOURCES[resource].key or "")
    assert len(set(keys)) == len(keys) == summary["rows"] == candid.stats()["records"][resource]


def test_the_summary_and_the_manifest_describe_the_extract(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    summary = extract({"run_id": "nightly"}, resource="encounters", path=str(tmp_path), part_rows=100)
    described = manifest(tmp_path)
    size = sum(part["bytes"] for part in described["parts"])
    counts = {"rows": 420, "bytes": size, "pages": 5, "deactivated": 0, "failures": 0}
    place = {"path": str(tmp_path), "manifest": f"{tmp_path}/manifest.json"}
    assert summary == {"resource": "encounters", **place, "parts": 5, **counts}
    assert {name: described[name] for name in counts} == counts
    assert described["route"] == "GET /api/encounters/v4"
    assert described["parameters"] == ["limit"]
    assert described["owner"] == {
        "dag_id": "adhoc_airflow",
        "task_id": "extract",
        "run_id": "nightly",
        "map_index": -1,
    }
    assert len(rows(tmp_path)) == 420


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_a_compressed_extract_holds_the_same_rows(
    candid: Emulator, connect: Connect, tmp_path: Path, compression: str | None
) -> None:
    extract(resource="patients", path=str(tmp_path), compression=compression)
    assert len(set(ids(tmp_path, "id"))) == 230


def test_a_query_and_a_path_are_templates(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    query = {"date_of_service_min": "{{ ds }}", "date_of_service_max": "{{ ds }}"}
    summary = extract(resource="encounters", path=f"{tmp_path}/{{{{ ds }}}}", query=query)
    found = rows(tmp_path / "2026-03-14")
    assert {row["date_of_service"] for row in found} == {"2026-03-14"}
    assert summary["rows"] == len(found) == 42
    assert "2026-03-14" not in json.dumps(manifest(tmp_path / "2026-03-14"))


def test_a_call_of_ones_own_is_extracted_like_a_resource(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    call = Call(method="GET", path="/api/payers/v4", params={"limit": 7}, paging=TokenPaging())
    summary = extract(resource=call, path=str(tmp_path))
    assert summary["rows"] == candid.stats()["records"]["payers"]
    assert summary["resource"] == "GET /api/payers/v4"


def test_deactivated_records_are_there_and_counted(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    summary = extract(resource="patients", path=str(tmp_path))
    assert summary["deactivated"] == sum(row["deactivated"] for row in rows(tmp_path)) > 0


def test_an_extract_of_nothing_is_a_manifest(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    summary = extract(resource="encounters", path=str(tmp_path), query={"date_of_service_min": "2031-01-01"})
    assert (summary["rows"], summary["parts"], rows(tmp_path)) == (0, 0, [])


def test_a_token_revoked_in_mid_run_costs_one_mint_and_no_row(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    extract(resource="payers", path=str(tmp_path / "payers"))
    candid.revoke_tokens()
    summary = extract(resource="encounters", path=str(tmp_path / "encounters"))
    assert summary["rows"] == 420
    assert candid.stats()["token"]["minted"] == 2


def test_a_run_replaces_what_the_task_left_there_and_nothing_else(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    extract(resource="encounters", path=str(tmp_path), part_rows=100)
    extract(resource="encounters", path=str(tmp_path))
    assert len(rows(tmp_path)) == 420
    (tmp_path / "notes.txt").write_text("mine")
    extract(resource="encounters", path=str(tmp_path), compression="gzip")
    (tmp_path / "notes.txt").unlink()
    assert len(rows(tmp_path)) == 420


def test_a_manifest_can_have_only_parts_removed(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    extract(resource="payers", path=str(tmp_path / "payers"))
    (tmp_path / "mine.jsonl").write_text("mine")
    described = manifest(tmp_path / "payers")
    described["parts"] = [{**described["parts"][0], "name": "../mine.jsonl"}]
    (tmp_path / "payers" / "manifest.json").write_text(json.dumps(described))
    extract(resource="payers", path=str(tmp_path / "payers"))
    assert (tmp_path / "mine.jsonl").read_text() == "mine"


def test_another_tasks_directory_is_left_alone(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    extract(task_id="first", resource="payers", path=str(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    asked = sum(candid.stats()["requests"].values())
    with pytest.raises(AirflowFailException, match=r"path holds the output of another task \(adhoc_airflow.first\)"):
        extract(task_id="second", resource="payers", path=str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert sum(candid.stats()["requests"].values()) == asked


def test_two_mapped_tasks_of_a_run_do_not_share_a_directory(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    class Instance:
        run_id, map_index = "nightly", 0

    extract({"ti": Instance()}, resource="payers", path=str(tmp_path))
    Instance.map_index = 1
    with pytest.raises(AirflowFailException, match="path is the same for two mapped tasks of one run"):
        extract({"ti": Instance()}, resource="payers", path=str(tmp_path))


def test_a_failed_extract_leaves_the_old_one(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    extract(resource="encounters", path=str(tmp_path))
    with pytest.raises(AirflowFailException, match="fields: date_of_service_min"):
        extract(resource="encounters", path=str(tmp_path), query={"date_of_service_min": "yesterday"})
    (tmp_path / ".candid-checkpoint.json").unlink()
    assert len(rows(tmp_path)) == 420


def test_windows_are_read_at_once_and_written_in_order(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    query = {"date_of_service_min": "2026-03-06", "date_of_service_max": date(2026, 3, 15), "limit": 10}
    summary = extract(resource="encounters", path=str(tmp_path), query=query, parallel_windows=4)
    days = [row["date_of_service"] for row in rows(tmp_path)]
    assert days == sorted(days)
    assert len(set(ids(tmp_path))) == summary["rows"] == 420
    assert summary["parts"] == 10


@pytest.mark.parametrize("first", ["2026-03-06T00:00:00Z", "2026-03-14T21:17:04.5Z", "2026-03-15T00:00:00Z"])
@pytest.mark.parametrize("at_once", [2, 5])
def test_windows_of_times_bring_each_event_once_and_in_order(
    candid: Emulator, connect: Connect, tmp_path: Path, first: str, at_once: int
) -> None:
    last = datetime(2026, 3, 15, 23, 59, 59, tzinfo=UTC)
    query = {"created_after": first, "created_before": last, "limit": 10}
    extract(resource="events", path=str(tmp_path / "whole"), query=query)
    extract(resource="events", path=str(tmp_path / "windows"), query=query, parallel_windows=at_once)
    assert ids(tmp_path / "windows", "id") == ids(tmp_path / "whole", "id")
    assert len(candid.requests(route="GET /api/events/v1")) > 2


def test_an_event_at_a_cut_is_in_one_window() -> None:
    call = RESOURCES["events"].call(
        {"created_after": "2026-03-15T00:00:00Z", "created_before": "2026-03-15T00:01:00Z"}
    )
    found = windows(call, RESOURCES["events"].ranges, 2)
    asked = [(window.call.params["created_after"], window.call.params["created_before"]) for window in found]
    assert asked[-1] == ("2026-03-15T00:00:00.000000Z", "2026-03-15T00:00:07.000000Z")
    assert asked[0][1] == "2026-03-15T00:01:00.000000Z"
    assert [later for later, _ in asked[:-1]] == [end for _, end in asked[1:]]
    (_, later), (_, earlier) = found[-2:]
    assert later
    assert earlier
    row = msgspec.Raw(b'{"created_at": "2026-03-15T00:00:07Z"}')
    assert (Within("", "created_at", later).take([row]), Within("", "created_at", earlier).take([row])) == ([row], [])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"resource": "claims"}, "resource"),
        ({"resource": None}, "resource is not text"),
        ({"query": "limit=5"}, "query is not a mapping"),
        ({"path_params": "7"}, "path_params is not a mapping"),
        ({"json": {"limit": 5}}, "json: encounters takes none. Its parameters go into query"),
        ({"detail": 5}, "detail is not text"),
        ({"format": "csv"}, "format"),
        ({"compression": "bzip2"}, "compression"),
        ({"path": "out"}, "path"),
        ({"path": __file__}, "path"),
        ({"part_rows": 0}, "part_rows"),
        ({"part_bytes": 1000}, "part_bytes"),
        ({"parallel_windows": 0}, "parallel_windows"),
        ({"parallel_windows": 4}, "parallel_windows"),
        ({"parallel_windows": 4, "resource": "payers"}, "parallel_windows"),
        ({"parallel_windows": 4, "resource": "events"}, "parallel_windows"),
        (
            {
                "parallel_windows": 4,
                "resource": "events",
                "query": {"created_after": "now", "created_before": "then"},
            },
            "parallel_windows",
        ),
        (
            {
                "parallel_windows": 4,
                "query": {"date_of_service_min": "2026-03-15", "date_of_service_max": "2026-03-01"},
            },
            "parallel_windows",
        ),
        ({"resource": Call(method="GET", path="/api/payers/v4")}, "paging"),
    ],
)
def test_a_wrong_argument_names_itself_before_anything_is_sent(
    candid: Emulator, connect: Connect, tmp_path: Path, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=field):
        extract(**{"resource": "encounters", "path": str(tmp_path / "new"), **arguments})
    assert sum(candid.stats()["requests"].values()) == 0
    assert list(tmp_path.iterdir()) == []
