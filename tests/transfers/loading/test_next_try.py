"""Loads that do not come to their end, and what the next try sends."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from candid_provider.exceptions import CandidUnavailableError
from tests.transfers.loading.conftest import CREATE, PAY, Desk, Instance, encounter, encounters, numbered, payments

# --- too many errors


def broken(count: int) -> list[dict[str, Any]]:
    return [encounter(f"visit-{number}", billable_status="NO") for number in range(count)]


def test_too_many_errors_stop_the_load_and_the_results_are_whole(desk: Desk) -> None:
    desk.write([*broken(10), *(encounter(f"visit-{number}") for number in range(10, 60))])
    with pytest.raises(AirflowFailException, match=r"4 of 60 lines are errors \(4 Http"):
        desk.load(max_errors=3, concurrency=1)
    assert desk.sent() == 4
    assert len(desk.rows()) == len(desk.lines("dead-letters.jsonl")) == 4
    summary = json.loads((desk.results / "summary.json").read_bytes())
    assert summary["not_sent"] == 56


def test_a_later_try_sends_what_was_not_loaded_and_nothing_else(desk: Desk) -> None:
    records = encounters(40)
    lines = desk.write(records)
    desk.emulator.faults.add(kind="status", error_name="EntityNotFoundError", route=CREATE, count=4, after=5)
    with pytest.raises(AirflowFailException):
        desk.load(max_errors=3, concurrency=1)
    assert desk.lines("dead-letters.jsonl") == lines[5:9]
    desk.load(max_errors=3)
    assert desk.created() == numbered(40)
    assert desk.sent() == 44
    assert [row["external_id"] for row in desk.rows()] == [f"visit-{number}" for number in range(40)]
    assert desk.lines("dead-letters.jsonl") == []


def test_an_error_rate_is_looked_at_when_it_says_something(desk: Desk) -> None:
    desk.write([*broken(2), *(encounter(f"visit-{number}") for number in range(2, 110))])
    assert desk.load(max_error_rate=0.02)["outcomes"] == {"created": 108, "refused": 2}


def test_an_error_rate_that_is_too_high_fails_the_task(desk: Desk) -> None:
    with pytest.raises(AirflowFailException, match="2 of 10 lines"):
        desk.load([*broken(2), *(encounter(f"visit-{number}") for number in range(2, 10))], max_error_rate=0.1)
    assert len(desk.rows()) == 10


# --- outage


def test_an_outage_ends_the_try_and_the_next_one_goes_on(desk: Desk) -> None:
    desk.write(encounters(60))
    desk.emulator.faults.add(kind="status", status=501, route=CREATE, after=20)
    with pytest.raises(AirflowFailException):
        desk.load(concurrency=1)
    assert not (desk.results / "summary.json").exists()
    desk.load()
    assert desk.created() == numbered(60)
    assert desk.sent() == 61


def test_the_same_holds_on_a_store_where_files_do_not_grow(desk: Desk) -> None:
    results = f"memory://{desk.folder.name}/results"
    lines = desk.write(payments(desk, 30))
    desk.emulator.faults.add(kind="status", status=501, route=PAY, after=20)
    with pytest.raises(AirflowFailException):
        desk.load(resource="patient_payments", results_path=results, concurrency=4)
    summary = desk.load(resource="patient_payments", results_path=results, concurrency=4)
    assert summary["outcomes"] == {"created": 30}
    assert desk.sent(PAY) == 31
    assert ObjectStoragePath(summary["results"]).read_text().count("\n") == len(lines)
    names = sorted(path.name for path in ObjectStoragePath(results).iterdir() if path.is_file())
    assert names == ["dead-letters.jsonl", "results.jsonl", "summary.json", "unknown.jsonl"]


def test_a_process_that_died_after_its_results_were_in_place_is_finished_without_sending(desk: Desk) -> None:
    desk.write(encounters(20))
    desk.emulator.faults.add(kind="status", status=501, route=CREATE, after=10)
    with pytest.raises(AirflowFailException):
        desk.load(concurrency=1)
    journal = desk.results / ".candid-journal.jsonl"
    left = journal.read_bytes()
    first = desk.load()
    journal.write_bytes(left)
    assert desk.load() == first
    assert desk.sent() == 21


def test_a_load_that_did_not_end_is_not_overrun_by_another_one(desk: Desk) -> None:
    desk.write(encounters(20))
    desk.emulator.faults.add(kind="status", status=501, route=CREATE, after=10)
    with pytest.raises(AirflowFailException):
        desk.load(concurrency=1)
    with pytest.raises(AirflowFailException, match="results_path holds a load that did not end, with another input"):
        desk.load(encounters(21), run_id="next")


def test_a_load_that_is_told_to_stop_ends_its_lines_and_the_next_one_goes_on(desk: Desk) -> None:
    desk.write(encounters(40))
    operator = desk.operator()

    def stop_later() -> None:
        while desk.sent() < 10:
            time.sleep(0.001)
        operator.on_kill()

    context: Any = {"ti": Instance("run")}
    thread = threading.Thread(target=stop_later)
    thread.start()
    with pytest.raises(CandidUnavailableError, match="was stopped"):
        operator.execute(context)
    thread.join()
    assert 10 <= desk.sent() < 40
    desk.load()
    assert desk.sent() == 40
    assert desk.created() == numbered(40)
