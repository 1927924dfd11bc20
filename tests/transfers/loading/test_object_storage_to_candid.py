"""Files into records: each once, each with an outcome."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.transfers.loading.conftest import CREATE, Desk, encounter, encounters, numbered

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
    desk.load([encounter("visit-0")])
    desk.load([encounter("visit-1")], run_id="next")
    assert desk.outcomes() == [("visit-1", "created", None)]


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
