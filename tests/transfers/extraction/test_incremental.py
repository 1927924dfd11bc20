"""Changes only, and details in place of rows, through the operator."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.api.event_feeds import EncounterEvents, ServiceDates
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.conftest import Connect
from tests.emulator.conftest import connected
from tests.transfers.extraction.conftest import extract, ids, manifest, rows
from tests.transfers.extraction.test_resume import fail_once_at
from tests.transfers.loading.conftest import encounter

SCAN = "GET /patients/v1/updates/scan"
ITEMIZE = "/api/patient-ar/v1/invoice-itemization/{claim_id}"


class Instance:
    dag_id, task_id, map_index = "dag", "extract", -1

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id


def changes(run: int, tmp_path: Path, *, run_id: str = "nightly", dag_run: Any = None, **arguments: Any) -> Path:
    """Extract what changed since the last run; the mark lies beside the extracts."""
    directory = tmp_path / f"run-{run}"
    given = {"path": str(directory), "incremental": True, "watermark": str(tmp_path / "mark.json"), **arguments}
    extract({"ti": Instance(run_id), "dag_run": dag_run}, **given)
    return directory


def test_the_second_run_brings_nothing_that_did_not_change(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    first = changes(1, tmp_path, resource="patients")
    second = changes(2, tmp_path, resource="patients")
    assert len(set(ids(first, "id"))) == 230
    assert rows(second) == []
    assert manifest(second)["began_at"] == manifest(first)["cursor"]


def test_a_failed_run_leaves_the_mark_and_its_retry_moves_it_on(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    fail_once_at(candid, 7, SCAN)
    query = {"maxResults": 20}
    with pytest.raises(AirflowFailException):
        changes(1, tmp_path, resource="patients", query=query)
    assert not (tmp_path / "mark.json").exists()
    asked = len(candid.requests(route=SCAN))
    first = changes(1, tmp_path, resource="patients", query=query)
    assert len(candid.requests(route=SCAN)) - asked == manifest(first)["pages"] - 6
    assert len(set(ids(first, "id"))) == len(ids(first, "id")) == 230
    assert (tmp_path / "mark.json").exists()


def test_the_log_says_from_where_and_to_where_changes_were_read(
    candid: Emulator, connect: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cursor = manifest(changes(1, tmp_path, resource="patients"))["cursor"]["at"]
    first = capsys.readouterr().out
    assert "reading what changed since the beginning: there is no watermark" in first
    assert f"cursor={cursor}" in first
    assert f"the next run goes on from {cursor} (file {tmp_path}/mark.json)" in first
    changes(2, tmp_path, resource="patients")
    assert f"reading what changed since {cursor}" in capsys.readouterr().out


def test_a_run_that_is_made_again_loses_nothing_of_what_it_replaces(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    for _ in range(2):  # the second after the mark has moved on: the task was cleared, or its end was not noted
        found = changes(1, tmp_path, resource="patients")
        assert len(set(ids(found, "id"))) == len(ids(found, "id")) == 230
    second = changes(2, tmp_path, resource="patients")
    changes(3, tmp_path, resource="patients")
    assert manifest(changes(2, tmp_path, resource="patients"))["began_at"] == manifest(second)["began_at"]


def test_a_mark_that_was_removed_begins_anew_also_when_a_run_is_made_again(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    changes(1, tmp_path, resource="patients")
    changes(2, tmp_path, resource="patients")
    (tmp_path / "mark.json").unlink()
    assert len(ids(changes(2, tmp_path, resource="patients"), "id")) == 230


def test_what_another_run_brought_is_not_replaced_by_what_changed_since(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    first = changes(1, tmp_path, resource="patients")
    asked = len(candid.requests(route=SCAN))
    with pytest.raises(
        AirflowFailException, match=r"path holds what had changed when an earlier run \(nightly\).*run_id"
    ):
        changes(1, tmp_path, resource="patients", run_id="manual")
    assert len(candid.requests(route=SCAN)) == asked
    assert len(ids(first, "id")) == 230


def test_an_empty_extract_of_another_run_may_be_replaced(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    changes(1, tmp_path, resource="patients")
    changes(2, tmp_path, resource="patients")
    assert rows(changes(2, tmp_path, resource="patients", run_id="manual")) == []


def test_a_whole_extract_replaces_what_changed(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    changes(1, tmp_path, resource="patients")
    found = changes(1, tmp_path, resource="patients", run_id="manual", incremental=False)
    assert len(ids(found, "id")) == 230


def test_an_interval_that_is_not_over_is_refused_before_anything_is_sent(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    with pytest.raises(AirflowFailException, match="data interval is not over"):
        changes(1, tmp_path, resource="patients", dag_run=backfill(now, now + timedelta(days=1)))
    assert candid.requests() == []


def backfill(start: datetime, end: datetime) -> Any:
    return SimpleNamespace(run_type="backfill", data_interval_start=start, data_interval_end=end)


def test_an_interval_is_replaced_by_itself_and_by_no_other(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    start, middle, end = (datetime(2026, month, 16, tzinfo=UTC) for month in (1, 3, 4))
    for run_id in ("one", "again"):
        found = changes(1, tmp_path, resource="patients", run_id=run_id, dag_run=backfill(start, middle))
        assert ids(found, "id")
    with pytest.raises(AirflowFailException, match=r"an earlier run \(again\)"):
        changes(1, tmp_path, resource="patients", run_id="next", dag_run=backfill(middle, end))
    with pytest.raises(AirflowFailException, match=r"an earlier run \(again\)"):
        changes(1, tmp_path, resource="patients", run_id="next")


def test_what_is_read_anew_in_each_run_may_be_replaced(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    dates = [datetime(2026, 3, day, tzinfo=UTC) for day in (14, 15, 16)]
    for run_id, (start, end) in zip(("one", "two"), itertools.pairwise(dates), strict=True):
        given: Any = {"run_id": run_id, "dag_run": backfill(start, end)}
        assert ids(changes(1, tmp_path, resource="encounters", incremental=ServiceDates(days=3), **given))


def test_encounters_are_given_no_details_of_their_own_from_the_first_run_on(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    with pytest.raises(AirflowFailException, match="detail: read incrementally, encounters are"):
        changes(1, tmp_path, resource="encounters", detail="/api/encounters/v4/{encounter_id}")
    assert sum(candid.stats()["requests"].values()) == 0


def test_a_watermark_that_cannot_be_one_is_refused_first(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="watermark is relative"):
        changes(1, tmp_path, resource="patients", watermark="mark.json")
    assert candid.requests() == []


def test_a_mark_of_another_environment_is_not_gone_on_from(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    changes(1, tmp_path, resource="patients")
    connect(host=candid.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(AirflowFailException, match="is of other environments"):
        changes(2, tmp_path, resource="patients")


def test_encounters_are_asked_for_by_their_events(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    first = changes(1, tmp_path, resource="encounters")
    assert len(set(ids(first))) == 420
    second = changes(2, tmp_path, resource="encounters")
    assert manifest(second)["detail"] == "GET /api/encounters/v4/{encounter_id}"
    assert rows(second) == []


def test_the_encounter_that_was_created_since_comes_and_no_other(connect: Connect, tmp_path: Path) -> None:
    now = EmulatorConfig(as_of=datetime.now(UTC), speed=1.0, encounters=20, patients=10, days=2)
    with running(now) as emulator:
        connect(host=emulator.url)
        arguments: Any = {"resource": "encounters", "incremental": EncounterEvents(lag=0.0)}
        changes(1, tmp_path, **arguments)
        with connected(emulator) as http:
            created = http.post("/api/encounters/v4", json=encounter("visit-new")).json()
        second = changes(2, tmp_path, **arguments)
        assert created["encounter_id"] in ids(second)
        assert ids(changes(3, tmp_path, **arguments)) == []


def test_the_last_days_of_service_can_be_read_anew_in_each_run(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    for run in (1, 2):
        found = changes(run, tmp_path, resource="encounters", incremental=ServiceDates(days=4000))
        assert len(set(ids(found))) == len(ids(found)) == 420


def test_what_is_no_change_feed_is_refused(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="incremental is neither True nor a change feed"):
        changes(1, tmp_path, resource="encounters", incremental="yes")
    assert candid.requests() == []


def test_a_listing_without_changes_says_so(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="incremental: payers has no change feed"):
        changes(1, tmp_path, resource="payers")
    assert sum(candid.stats()["requests"].values()) == 0


def test_details_take_the_place_of_rows_in_their_order(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"resource": "patient_ar_inventory", "query": {"limit": 20}}
    extract(path=str(tmp_path / "rows"), **arguments)
    candid.faults.add(kind="status", error_name="EntityNotFoundError", route=f"GET {ITEMIZE}", after=3, count=2)
    summary = extract(path=str(tmp_path / "details"), detail=ITEMIZE, **arguments)
    listed, details = ids(tmp_path / "rows", "claim_id"), ids(tmp_path / "details", "claim_id")
    assert summary["failures"] == 2
    assert details == [claim for claim in listed if claim in set(details)]
    assert len(details) == len(listed) - 2
    (failures,) = manifest(tmp_path / "details")["failure_parts"]
    text = (tmp_path / "details" / failures["name"]).read_text()
    assert failures["rows"] == text.count("EntityNotFoundError") == 2
    assert all(claim in text for claim in set(listed) - set(details))
