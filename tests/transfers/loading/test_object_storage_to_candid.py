"""Files into records: each once, each with an outcome."""

from __future__ import annotations

import gzip
import json
import threading
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from candid_provider.exceptions import CandidUnavailableError
from candid_provider.transfers.output.directory import Directory
from tests.conftest import Connect
from tests.transfers.loading.conftest import CREATE, Desk, Instance, encounter, encounters

PAY = "POST /api/patient-payments/v4"


def numbered(count: int) -> list[str]:
    return sorted(f"visit-{number}" for number in range(count))


# --- outcomes


def test_every_line_becomes_a_record_and_a_result(desk: Desk) -> None:
    summary = desk.load(encounters(30))
    rows = desk.rows()
    assert desk.created() == numbered(30)
    assert [(row["file"], row["line"], row["external_id"], row["outcome"]) for row in rows] == [
        ("in.jsonl", number + 1, f"visit-{number}", "created") for number in range(30)
    ]
    assert summary == {
        "resource": "encounters",
        "lines": 30,
        "outcomes": {"created": 30},
        "errors": {},
        "not_sent": 0,
        **{
            name: str(desk.results / file)
            for name, file in (
                ("summary", "summary.json"),
                ("results", "results.jsonl"),
                ("dead_letters", "dead-letters.jsonl"),
                ("unknown", "unknown.jsonl"),
            )
        },
    }


def test_a_result_names_the_record_it_became(desk: Desk) -> None:
    desk.load(encounters(1))
    (row,) = desk.rows()
    with desk.http() as http:
        assert http.get(f"/api/encounters/v4/{row['id']}").json()["external_id"] == "visit-0"


def test_a_refused_line_says_why_and_goes_to_the_dead_letters_as_it_came(desk: Desk) -> None:
    refused = b'{"external_id": "visit-1",   "patient": {"first_name": "Adqvexzo"}}\r'
    summary = desk.load([encounter("visit-0"), refused, encounter("visit-2")])
    (row,) = (row for row in desk.rows() if row["outcome"] == "refused")
    assert row["error"] == "HttpRequestValidationsError"
    assert row["fields"] == ["patient_authorized_release"]
    assert (desk.results / "dead-letters.jsonl").read_bytes() == refused + b"\n"
    assert summary["outcomes"] == {"created": 2, "refused": 1}
    assert summary["errors"] == {"HttpRequestValidationsError": 1}


def test_a_load_that_bears_its_errors_says_where_they_are(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.load([encounter("visit-0"), {"external_id": "visit-1"}])
    assert f"1 of 2 lines are errors (1 HttpRequestValidationsError); see {desk.results}" in capsys.readouterr().out
    desk.load(encounters(1), run_id="good", results_path=str(desk.folder / "good"), existing="accept")
    assert "errors" not in capsys.readouterr().out


def test_a_write_that_was_processed_and_answered_500_is_found_and_not_repeated(desk: Desk) -> None:
    desk.emulator.faults.add(kind="processed_but_500", route=CREATE, probability=0.05, seed=7)
    desk.load(encounters(1000), concurrency=16)
    assert desk.created() == numbered(1000)
    assert desk.sent() == 1000
    assert {row["outcome"] for row in desk.rows()} == {"created"}
    assert len({row["id"] for row in desk.rows()}) == 1000
    assert desk.emulator.requests(route=CREATE, status=500)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 0},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "broken_json"},
        {"kind": "token_expired", "count": 1},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip(),
)
def test_a_fault_costs_no_record_and_makes_none_twice(desk: Desk, fault: dict[str, Any]) -> None:
    desk.emulator.faults.add(**{"route": CREATE, "every": 4, "count": 3, **fault})
    desk.load(encounters(12))
    assert desk.created() == numbered(12)
    assert [kind for _, kind, _ in desk.outcomes()] == ["created"] * 12


def test_a_refusal_by_our_own_earlier_try_counts_as_done(desk: Desk) -> None:
    # Nobody may look, so that the line is sent again, and refused because the first try had worked.
    desk.emulator.faults.add(kind="processed_but_500", route=CREATE)
    desk.emulator.faults.add(kind="status", error_name="UnauthorizedError", route="GET /api/encounters/v4", count=2)
    desk.load(encounters(1))
    assert desk.sent() == 2
    assert desk.outcomes() == [("visit-0", "created", None)]


def test_a_line_that_candid_never_manages_fails_alone(desk: Desk) -> None:
    desk.emulator.faults.add(kind="status", status=500, route=CREATE, count=4)
    desk.load(encounters(3), concurrency=1)
    assert desk.outcomes() == [
        ("visit-0", "failed", "Http500"),
        ("visit-1", "created", None),
        ("visit-2", "created", None),
    ]


def test_a_line_that_failed_and_arrived_late_is_found_by_the_next_try(desk: Desk) -> None:
    desk.emulator.faults.add(kind="status", status=500, route=CREATE, count=4)
    desk.load(encounters(1))
    with desk.http() as http:
        late = http.post("/api/encounters/v4", json=encounter("visit-0")).json()
    desk.load()
    assert [(row["outcome"], row["id"]) for row in desk.rows()] == [("created", late["encounter_id"])]
    assert desk.sent() == 5


# --- records that are there already


@pytest.mark.parametrize(("existing", "dead"), [("refuse", 1), ("accept", 0)])
def test_a_record_that_somebody_else_created_is_named(desk: Desk, existing: str, dead: int) -> None:
    with desk.http() as http:
        there = http.post("/api/encounters/v4", json=encounter("visit-0")).json()["encounter_id"]
    desk.load(encounters(2), existing=existing)
    assert desk.rows()[0]["id"] == there
    assert [row["outcome"] for row in desk.rows()] == ["existing", "created"]
    assert len(desk.lines("dead-letters.jsonl")) == dead


def test_a_patient_who_looks_like_another_is_refused_and_one_of_our_own_is_not(desk: Desk) -> None:
    patient = {
        "name": {"family": "Ashqvexzo", "given": ["Adqvexzo"], "use": "USUAL"},
        "other_names": [],
        "birth_date": "1990-01-01",
        "biological_sex": "FEMALE",
        "primary_address": {
            "use": "HOME",
            "line": ["1 Ashqvexzo Street"],
            "city": "Springfield",
            "state": "IL",
            "postal_code": "62701",
            "country": "US",
        },
        "other_addresses": [],
        "other_telecoms": [],
        "contacts": [],
        "general_practitioners": [],
        "filing_order": {"coverages": []},
    }
    records = [patient | {"external_provenance": {"system_name": "ehr", "external_id": f"p-{n}"}} for n in range(2)]
    desk.emulator.faults.add(kind="processed_but_500", route="POST /patients/v1")
    desk.load(records, resource="patients", concurrency=1)
    assert desk.outcomes() == [("p-0", "created", None), ("p-1", "refused", "VersionConflictError")]
    desk.load(records, resource="patients", query={"skip_duplicate_check": True})
    assert [kind for _, kind, _ in desk.outcomes()] == ["created", "created"]


def test_a_key_that_is_taken_by_what_cannot_be_found_is_not_called_created(desk: Desk) -> None:
    # The key is in use for another patient, under whom nobody looks; our own first try was not processed.
    with desk.http() as http:
        scan = http.get("/appointments/v1/updates/scan", params={"since": "1970-01-01T00:00:00Z"}).json()
    theirs, other = scan[0], next(row for row in scan if row["patient_id"] != scan[0]["patient_id"])
    record = {
        name: theirs[name] for name in ("placer_appointment_id", "start_timestamp", "service_duration", "services")
    }
    desk.emulator.faults.add(kind="status", status=500, route="POST /appointments/v1", count=1)
    desk.load([record | {"patient_id": other["patient_id"]}], resource="appointments")
    assert desk.outcomes() == [(theirs["placer_appointment_id"], "unknown", "VersionConflictError")]


# --- records without a key


def payments(desk: Desk, count: int) -> list[dict[str, Any]]:
    with desk.http() as http:
        made = http.post("/api/encounters/v4", json=encounter("paid")).json()
    target = {"type": "claim", "value": made["claims"][0]["claim_id"]}
    return [
        {
            "amount_cents": 100 + number,
            "patient_external_id": "pat-1",
            "allocations": [{"amount_cents": 100 + number, "target": {"type": "unattributed"}}],
            "payment_note": f"Ashqvexzo {number} {target['type']}",
        }
        for number in range(count)
    ]


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


# --- input


def test_lines_that_cannot_be_right_are_not_sent(desk: Desk) -> None:
    no_key: dict[str, Any] = {"patient": {}}
    records: list[dict[str, Any] | bytes] = [
        encounter("visit-0"),
        b"{broken",
        no_key,
        encounter("visit-9"),
        b"",
        encounter("visit-9"),
        b"[1]",
    ]
    lines = desk.write(records)
    summary = desk.load()
    assert summary["lines"] == 6
    assert [(row["line"], row["error"], row["fields"]) for row in desk.rows()] == [
        (1, None, []),
        (2, "NotAJsonObject", []),
        (3, "MissingKey", ["external_id"]),
        (4, "RepeatedKey", ["external_id"]),
        (6, "RepeatedKey", ["external_id"]),
        (7, "NotAJsonObject", []),
    ]
    assert desk.sent() == 1
    assert desk.lines("dead-letters.jsonl") == [lines[1], lines[2], lines[3], lines[5], lines[6]]


def test_a_directory_with_gzip_is_loaded_file_by_file(desk: Desk) -> None:
    folder = desk.folder / "lots"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(json.dumps(encounter("visit-0")).encode())  # without a last line break
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps(encounter("visit-1")).encode() + b"\n"))
    (folder / "manifest.json").write_text("{}")
    desk.load(path=str(folder))
    assert [(row["file"], row["line"], row["outcome"]) for row in desk.rows()] == [
        ("a.jsonl", 1, "created"),
        ("b.jsonl.gz", 1, "created"),
    ]


def test_files_are_chosen_by_a_glob_and_written_to_another_store(desk: Desk) -> None:
    (desk.folder / "one.jsonl").write_text(json.dumps(encounter("visit-0")))
    (desk.folder / "two.jsonl").write_text(json.dumps(encounter("visit-1")))
    (desk.folder / "three.txt").write_text("not this one")
    desk.load(path=f"{desk.folder}/*.jsonl", results_path=f"file://{desk.results}")
    assert [row["outcome"] for row in desk.rows()] == ["created", "created"]


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"resource": "encounter"}, "Did you mean 'encounters'"),
        ({"path": "in.jsonl"}, "path is relative"),
        ({"path": "/nowhere/in.jsonl"}, "path: there is no file"),
        ({"results_path": "results"}, "results_path is relative"),
        ({"results_path": "nonsense://results"}, "results_path: no file system"),
        ({"results_path": "/proc/no/results"}, "results_path: /proc/no/results cannot be written"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "8"}, "concurrency is not a whole number from 1 to 20"),
        ({"max_errors": True}, "max_errors is not a whole number of at least 0"),
        ({"max_error_rate": "0.1"}, "max_error_rate is not a number from 0 to 1"),
        ({"resource": None}, "resource is not text"),
        ({"query": "skip_duplicate_check"}, "query is not a mapping.*render_template_as_native_obj"),
        ({"concurrency": 21}, "concurrency"),
        ({"max_errors": -1}, "max_errors"),
        ({"max_error_rate": 1.5}, "max_error_rate"),
        ({"existing": "ignore"}, "existing"),
        ({"query": {"limit": 1}}, "query: limit is not known"),
    ],
)
def test_a_wrong_argument_names_itself_before_anything_is_sent_or_written(
    desk: Desk, arguments: dict[str, Any], field: str
) -> None:
    desk.write(encounters(1))
    with pytest.raises(AirflowFailException, match=field):
        desk.load(**arguments)
    assert sum(desk.emulator.stats()["requests"].values()) == 0
    assert list(desk.folder.iterdir()) == [desk.input]


def test_results_do_not_go_where_the_input_is(desk: Desk) -> None:
    with pytest.raises(AirflowFailException, match="results_path is where the input is"):
        desk.load(encounters(1), results_path=str(desk.folder))


def test_an_input_without_one_right_line_is_refused_as_a_whole(desk: Desk) -> None:
    with pytest.raises(AirflowFailException, match="path: not one of 2 lines can be loaded"):
        desk.load([b"id,name", b"1,Ashqvexzo"])
    assert not desk.results.exists()


def test_results_of_another_task_are_left_alone(desk: Desk) -> None:
    desk.load(encounters(1))
    before = desk.lines("results.jsonl")
    summary = json.loads((desk.results / "summary.json").read_bytes())
    summary["owner"]["task_id"] = "another"
    (desk.results / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(AirflowFailException, match="results_path holds the output of another task"):
        desk.load(encounters(2))
    assert desk.lines("results.jsonl") == before
    assert desk.sent() == 1


def test_the_next_run_replaces_the_results_of_the_one_before(desk: Desk) -> None:
    desk.load([encounter("visit-0"), *broken(0)])
    desk.load([encounter("visit-1")], run_id="next")
    assert desk.outcomes() == [("visit-1", "created", None)]


# --- dry run


def test_a_dry_run_names_lines_and_fields_and_sends_nothing(desk: Desk) -> None:
    wrong = encounter("visit-1", billable_status="Ashqvexzo", diagnoses=[{"code": 7}])
    summary = desk.load([encounter("visit-0"), wrong, b"{broken"], dry_run=True)
    assert summary["outcomes"] == {"valid": 1, "invalid": 2}
    rows = desk.rows("dry-run.jsonl")
    assert [(row["line"], row["external_id"], row["error"], row["fields"]) for row in rows] == [
        (2, "visit-1", "missing, string_type", ["diagnoses.code", "diagnoses.code_type"]),
        (3, None, "NotAJsonObject", []),
    ]
    assert "qvexzo" not in (desk.results / "dry-run.jsonl").read_text()
    assert sum(desk.emulator.stats()["requests"].values()) == 0
    assert [path.name for path in desk.results.iterdir()] == ["dry-run.jsonl"]


def test_a_dry_run_finds_values_that_the_api_does_not_list(desk: Desk) -> None:
    desk.load([encounter("visit-0", billable_status="Ashqvexzo"), encounter("visit-1")], dry_run=True)
    assert [(row["error"], row["fields"]) for row in desk.rows("dry-run.jsonl")] == [("enum", ["billable_status"])]


def test_a_dry_run_fails_the_task_like_a_load_would(desk: Desk) -> None:
    with pytest.raises(AirflowFailException, match="1 of 2 lines are errors"):
        desk.load([encounter("visit-0"), {"external_id": "visit-1"}], dry_run=True, max_errors=0)


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


# --- what must not be told


def test_no_value_of_a_record_is_told(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    desk.write([encounter("visit-0"), encounter("visit-1", patient={"first_name": "Adqvexzo"}), b'{"Ashqvexzo": 1}'])
    desk.emulator.faults.add(kind="processed_but_500", route=CREATE)
    told = [repr(desk.load())]
    with pytest.raises(AirflowFailException) as failure:
        desk.load(max_errors=0)
    told += [str(failure.value), repr(failure.value.__cause__), caplog.text, *capfd.readouterr()]
    told += [(desk.results / name).read_text() for name in ("results.jsonl", "summary.json")]
    assert caplog.text
    for text in told:
        assert not [marker for marker in desk.emulator.markers if marker.lower() in text.lower()]


def test_a_key_that_is_a_patients_number_stays_out_of_the_results(desk: Desk) -> None:
    desk.load([{"mrn": "MRNQZX1"}], resource="patients_with_mrn")
    (row,) = desk.rows()
    assert (row["external_id"], row["outcome"]) == (None, "refused")
