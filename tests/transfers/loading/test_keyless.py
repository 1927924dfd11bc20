"""Records without a key are never sent twice: a person decides about those whose fate is unknown."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.exceptions import CandidUnavailableError
from candid_provider.transfers.output.directory import Directory
from tests.conftest import Connect
from tests.transfers.loading.conftest import PAY, Desk, encounters, payments


def test_a_payment_of_unknown_fate_is_never_repeated_but_given_to_a_person(desk: Desk) -> None:
    lines = desk.write(payments(desk, 12))
    desk.emulator.faults.add(kind="processed_but_500", route=PAY, after=3)
    desk.emulator.faults.add(kind="reset", route=PAY, after=6)
    summary = desk.load(resource="patient_payments", concurrency=1)
    assert summary["outcomes"] == {"created": 10, "unknown": 2}
    assert desk.sent(PAY) == 12
    unknown = [row["line"] for row in desk.rows() if row["outcome"] == "unknown"]
    assert desk.lines("unknown.jsonl") == [lines[number - 1] for number in unknown]
    assert desk.lines("dead-letters.jsonl") == []
    assert {row["error"] for row in desk.rows()} == {None, "Http500", "NoAnswer"}


def test_a_payment_of_unknown_fate_is_not_sent_by_a_later_try_either(desk: Desk) -> None:
    desk.write(payments(desk, 3))
    desk.emulator.faults.add(kind="processed_but_500", route=PAY)
    desk.load(resource="patient_payments")
    desk.load(resource="patient_payments")
    assert desk.sent(PAY) == 3


def test_payments_are_not_sent_again_when_the_input_was_mended(desk: Desk) -> None:
    records = payments(desk, 3)
    desk.load([*records[:2], {**records[2], "amount_cents": "much"}], resource="patient_payments")
    results = desk.lines("results.jsonl")
    with pytest.raises(AirflowFailException, match=r"path is not what this run has loaded 2 lines of.*dead-letters"):
        desk.load(records, resource="patient_payments")
    assert desk.sent(PAY) == 3
    assert desk.lines("results.jsonl") == results
    desk.load(records[2:], resource="patient_payments", results_path=str(desk.folder / "mended"))
    assert desk.sent(PAY) == 4


def test_the_list_of_unknown_lines_is_not_replaced_before_a_person_has_taken_it(desk: Desk) -> None:
    desk.emulator.faults.add(kind="processed_but_500", route=PAY)
    records = payments(desk, 5)
    desk.load(records[:3], resource="patient_payments", run_id="first")
    (line,) = desk.lines("unknown.jsonl")
    with pytest.raises(AirflowFailException, match=r"results_path holds an unknown.jsonl of 1 lines.*Move it away"):
        desk.load(records[3:], resource="patient_payments", run_id="second")
    assert desk.lines("unknown.jsonl") == [line]
    assert desk.sent(PAY) == 3
    (desk.results / "unknown.jsonl").unlink()
    assert desk.load(resource="patient_payments", run_id="second")["outcomes"] == {"created": 2}


def test_only_the_owner_can_read_lines_that_were_not_loaded(desk: Desk) -> None:
    desk.load([*encounters(2), {"external_id": "visit-bad"}])
    modes = {path.name: path.stat().st_mode & 0o077 for path in desk.results.iterdir()}
    assert [modes[name] for name in ("dead-letters.jsonl", "unknown.jsonl")] == [0, 0]
    assert modes["results.jsonl"]


def test_records_of_another_environment_are_not_taken_for_loaded(desk: Desk, connect: Connect) -> None:
    desk.load(encounters(2))
    connect(host=desk.emulator.url.replace("127.0.0.1", "localhost"))
    desk.load()
    assert desk.sent() == 4


def test_two_processes_do_not_load_at_the_same_place(desk: Desk) -> None:
    desk.write(payments(desk, 2))
    desk.results.mkdir()
    with Directory(str(desk.results)).held(), pytest.raises(CandidUnavailableError, match="another process"):
        desk.load(resource="patient_payments")
    assert desk.sent(PAY) == 0
    desk.load(resource="patient_payments")
    assert desk.sent(PAY) == 2
