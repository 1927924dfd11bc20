"""Searches, lists, visits: what they filter, sort, leave out and count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from candid_provider.emulator import EmulatorConfig

from .pre_encounter import NOBODY, SMALL, Desk, appointment, coverage, desk, name, patient

PATIENTS, APPOINTMENTS, COVERAGES = "/patients/v1/get_multi", "/lists/v1/appointment", "/coverages/v1"
VISITS, COUNTS, PATIENT_LIST = "/appointments/v1/visits", "/appointments/v1/visits/counts", "/lists/v1/patient"
EVERY_DAY = "appointment.startTimestamp|gt|2026-01-01"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def api() -> Iterator[Desk]:
    """A world in which each kind has written rows too."""
    with desk() as api:
        who = api.patient(name=name("Qvexzoberg", "Zelda"))
        api.coverage(who["id"])
        for start in ("2026-03-10T23:30:00Z", "2026-03-10T09:00:00Z", "2026-04-02T09:00:00Z"):
            api.done("POST", "/appointments/v1", appointment(who["id"], start, status="NOT_READY"))
        yield api


@pytest.fixture(scope="module")
def patients(api: Desk) -> list[Row]:
    return api.scan("/patients/v1/updates/scan")


@pytest.fixture(scope="module")
def appointments(api: Desk) -> list[Row]:
    return sorted(api.scan("/appointments/v1/updates/scan"), key=lambda row: str(row["start_timestamp"]))


def active(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row["deactivated"]]


def ids(rows: list[Row], part: str | None = None) -> list[str]:
    return [(row[part] if part else row)["id"] for row in rows]


# --- what every listing has in common


@pytest.mark.parametrize(
    "path",
    [
        *(PATIENTS, APPOINTMENTS, PATIENT_LIST, "/coverages/v1/get-multi-paginated"),
        *("/tags/v1", "/metadata-schemas/v1", "/organization-external-providers/v1"),
    ],
)
def test_pages_lead_on_and_back_and_count_all_rows_that_are_not_deactivated(api: Desk, path: str) -> None:
    pages = api.pages(path, limit=7 if path != "/metadata-schemas/v1" else 1)
    rows = [row for page in pages for row in page["items"]]
    assert {page["total"] for page in pages} == {len(rows)}
    assert rows == api.rows(path, limit=100)
    if len(pages) > 1:
        back = api.ok(path, limit=len(pages[0]["items"]), page_token=pages[1]["prev_page_token"])
        assert back["items"] == pages[0]["items"]
    assert api.get(path, page_token="made up").status_code == 400
    api.refuses(path, "limit", "1001")


@pytest.mark.parametrize("path", [PATIENTS, APPOINTMENTS, PATIENT_LIST, "/organization-external-providers/v1"])
def test_a_listing_can_be_turned_around(api: Desk, path: str) -> None:
    rows = api.rows(path, limit=30)
    assert api.rows(path, sort_direction="asc", limit=1000) == rows
    down = api.rows(path, sort_direction="desc", limit=30)
    assert sorted(map(str, down)) == sorted(map(str, rows))
    assert down[0] == rows[-1]
    assert api.get(path, sort_field="no.such").status_code == 422


# --- patients


def test_patients_are_listed_without_the_deactivated_ones(api: Desk, patients: list[Row]) -> None:
    assert api.rows(PATIENTS) == active(patients)
    assert len(active(patients)) < len(patients) == SMALL.patients + 1
    families = [row["name"]["family"] for row in api.rows(PATIENTS, sort_field="name.family")]
    assert families == sorted(families)


def test_totals_follow_what_is_deactivated_and_reactivated() -> None:
    with desk() as api:
        total, seeded, made = api.ok(PATIENTS)["total"], api.first("/patients/v1"), api.patient()
        gone = next(row for row in api.scan("/patients/v1/updates/scan") if row["deactivated"])
        steps = [(seeded, 1, "DELETE", 0), (made, 1, "DELETE", -1), (gone, 1, "PATCH", 0), (seeded, 2, "PATCH", 1)]
        for row, step, verb, change in steps:
            api.done(verb, f"/patients/v1/{row['id']}/{row['version'] + step}")
            page = api.ok(PATIENTS, limit=1000)
            assert page["total"] == len(page["items"]) == total + change
            assert api.ok(PATIENT_LIST, limit=1)["total"] == total + change


def test_a_patient_is_found_by_mrn_and_a_deactivated_one_is_not(api: Desk, patients: list[Row]) -> None:
    one, gone = active(patients)[3], next(row for row in patients if row["deactivated"])
    assert api.ok("/patients/v1", mrn=one["mrn"]) == api.rows(PATIENTS, mrn=one["mrn"]) == [one]
    assert api.ok("/patients/v1", mrn=gone["mrn"]) == api.rows(PATIENTS, mrn=gone["mrn"]) == []
    assert api.ok(f"/patients/v1/mrn/{gone['mrn']}") == gone


def test_a_search_puts_similar_names_first(api: Desk) -> None:
    assert api.ok("/patients/v1", similar_name_ordering="zelda qvexzobrg")[0]["name"]["family"] == "Qvexzoberg"
    assert len(api.ok("/patients/v1")) == 100


def test_merged_patients_can_be_hidden_or_led_to_their_primary_one(api: Desk, patients: list[Row]) -> None:
    merges = api.ok("/patient-merge/v1/updates/scan", since="2000-01-01T00:00:00Z")
    alternatives = {row["alternative_patient_mrn"] for row in merges}
    shown = [row["patient"]["mrn"] for row in api.rows(PATIENT_LIST, hide_alternatives="true")]
    assert shown == [row["mrn"] for row in active(patients) if row["mrn"] not in alternatives]
    assert [row["mrn"] for row in api.rows(PATIENTS, redirect_to_primary="true")] == shown
    pair = merges[0]
    led = api.rows(
        PATIENT_LIST, filters=f"patient.mrn|eq|{pair['alternative_patient_mrn']}", redirect_to_primary="true"
    )
    assert [(row["patient"]["mrn"], row["alternative_mrns"], row["primary_mrn"]) for row in led] == [
        (pair["primary_patient_mrn"], [pair["alternative_patient_mrn"]], None)
    ]


def test_the_patient_list_shows_coverages_and_the_next_appointment(api: Desk, patients: list[Row]) -> None:
    items = api.rows(PATIENT_LIST)
    assert ids(items, "patient") == ids(active(patients))
    assert items[0]["primary_coverage"].keys() >= {"subscriber", "insurance_plan"}
    assert "id" not in items[0]["primary_coverage"]
    coming = items[-1]["next_appointment"]
    assert (coming["start_timestamp"], coming["patient_id"]) == ("2026-04-02T09:00:00.000Z", patients[-1]["id"])


@pytest.mark.parametrize("op", ["eq", "ne", "gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("field", ["updated_at", "birth_date"])
def test_patients_are_filtered_by_any_field(api: Desk, patients: list[Row], field: str, op: str) -> None:
    value = patients[50][field]
    camel = {"updated_at": "updatedAt", "birth_date": "birthDate"}[field]
    wanted = {
        "eq": [row for row in active(patients) if row[field] == value],
        "ne": [row for row in active(patients) if row[field] != value],
        "gt": [row for row in active(patients) if row[field] > value],
        "gte": [row for row in active(patients) if row[field] >= value],
        "lt": [row for row in active(patients) if row[field] < value],
        "lte": [row for row in active(patients) if row[field] <= value],
    }[op]
    page = api.ok(PATIENT_LIST, filters=f"patient.{camel}|{op}|{value}", limit=1000)
    assert (ids(page["items"], "patient"), page["total"]) == (ids(wanted), len(wanted))


def test_deactivated_patients_are_listed_on_demand(api: Desk, patients: list[Row]) -> None:
    page = api.ok(PATIENT_LIST, include_deactivated="true", limit=1000)
    assert (ids(page["items"], "patient"), page["total"]) == (ids(patients), len(patients))


@pytest.mark.parametrize("path", [PATIENT_LIST, APPOINTMENTS, VISITS, COUNTS])
@pytest.mark.parametrize(
    "filters",
    ["patient.mrn", "patient.mrn|is|1", "patient.shoe|eq|1", "patient.mrn|eq|", "appointment.startTimestamp|gt|soon"],
)
def test_a_filter_that_cannot_be_read_is_400(api: Desk, path: str, filters: str) -> None:
    if path == PATIENT_LIST and filters.startswith("appointment"):
        filters = "patient.updatedAt|gt|soon"
    api.fails(400, "GET", path, filters=filters)


def test_the_snapshot_has_the_filing_order_of_its_day_and_todays_coverages(api: Desk, patients: list[Row]) -> None:
    who = next(row for row in active(patients) if len(row["filing_order"]["coverages"]) == 2)
    path, order = f"/patients/v1/{who['id']}", who["filing_order"]["coverages"]
    before = api.ok(f"{path}/snapshot")
    assert [before[f"{place}_coverage"]["id"] for place in ("primary", "secondary")] == order
    assert before["tertiary_coverage"] is None
    api.done("PUT", f"{path}/{who['version'] + 1}", who | {"filing_order": {"coverages": order[::-1]}})
    now, then = api.ok(f"{path}/snapshot"), api.ok(f"{path}/snapshot", date=who["updated_at"])
    assert [now["primary_coverage"]["id"], then["primary_coverage"]["id"]] == order[::-1]
    assert now["patient"] == then["patient"]
    assert api.ok(f"{path}/snapshot", date="0001-01-01T00:00:00+14:00") == then
    api.fails(404, "GET", f"/patients/v1/{NOBODY}/snapshot")


def test_referring_providers_are_found_by_part_of_a_name_typos_and_npi(api: Desk) -> None:
    path = "/patients/v1/search_providers"
    found = api.ok(path, search_criteria="hruska")
    assert [row["name"]["family"] for row in found] == ["Hruska"]
    assert api.ok(path, search_criteria="HRUSKAA") == api.ok(path, search_criteria=found[0]["npi"]) == found
    assert api.ok(path, search_criteria="nobody at all") == []
    assert api.get(path, search_criteria="a|b").status_code == api.get(path).status_code == 422


# --- coverages


def test_coverages_are_those_of_a_patient(api: Desk, patients: list[Row]) -> None:
    for who in (active(patients)[0], patients[-1]):
        found = api.ok(COVERAGES, patient_id=who["id"])
        assert found == api.rows("/coverages/v1/get-multi-paginated", patient_id=who["id"])
        assert found == [row for row in api.ok(COVERAGES) if row["patient"] == who["id"]] != []
    api.fails(404, "POST", COVERAGES, coverage(NOBODY))


def test_the_history_of_a_coverage_can_be_narrowed(api: Desk) -> None:
    made = api.coverage(api.patient()["id"])
    path, body = f"{COVERAGES}/{made['id']}", {field: value for field, value in made.items() if field != "id"}
    api.done("PUT", f"{path}/2", body | {"benefits": {"autoUpdatedEligibilityCheckId": "c-1"}})
    api.done("PUT", f"{path}/3", body)

    def versions(**params: Any) -> list[int]:
        return [row["version"] for row in api.ok(f"{path}/history", **params)]

    assert versions() == [1, 2, 3]
    assert versions(sort_direction="desc", limit=2) == [3, 2]
    assert versions(non_auto_updated_coverages_only="true") == [1, 3]
    assert versions(start="2026-03-16", end="2026-03-16") == [1, 2, 3]
    assert versions(start="2026-03-17") == versions(limit=0) == []
    api.fails(400, "GET", f"{path}/history", start="2026-03-17", end="2026-03-16")
    api.fails(400, "GET", f"{path}/history", limit=1001)


# --- appointments


def test_appointments_are_listed_by_start(api: Desk, appointments: list[Row]) -> None:
    items = api.rows(APPOINTMENTS, limit=100)
    assert ids(items, "appointment") == ids(active(appointments))
    assert all(row["patient"]["mrn"] and "id" not in row["patient"] for row in items)
    everything = api.ok(APPOINTMENTS, include_deactivated="true", limit=1000)
    assert (ids(everything["items"], "appointment"), everything["total"]) == (ids(appointments), len(appointments))


def test_a_date_stands_for_the_whole_day(api: Desk, appointments: list[Row]) -> None:
    def days(op: str) -> set[str]:
        page = api.ok(APPOINTMENTS, filters=f"appointment.startTimestamp|{op}|2026-03-10", limit=1000)
        return {row["appointment"]["start_timestamp"][:10] for row in page["items"]}

    every = {row["start_timestamp"][:10] for row in active(appointments)}
    assert days("eq") == {"2026-03-10"}
    assert days("gt") == {day for day in every if day > "2026-03-10"}
    assert days("lte") == {day for day in every if day <= "2026-03-10"}
    assert days("ne") == every - {"2026-03-10"}


def test_appointments_of_a_patient_can_include_those_of_merged_ones(api: Desk, appointments: list[Row]) -> None:
    pair = api.ok("/patient-merge/v1/updates/scan", since="2000-01-01T00:00:00Z")[0]
    primary, other = (
        api.ok(f"/patients/v1/mrn/{pair[f'{side}_patient_mrn']}") for side in ("primary", "alternative")
    )
    filters = f"appointment.patientId|eq|{primary['id']}"
    own = [row for row in active(appointments) if row["patient_id"] == primary["id"]]
    both = [row for row in active(appointments) if row["patient_id"] in (primary["id"], other["id"])]
    assert ids(api.rows(APPOINTMENTS, filters=filters), "appointment") == ids(own) != []
    rows = api.rows(APPOINTMENTS, filters=filters, include_merged_patient_data="true")
    assert ids(rows, "appointment") == ids(both)


def test_appointments_are_sorted_by_other_fields_too(api: Desk) -> None:
    rows = api.rows(APPOINTMENTS, sort_field="patient.name.family", limit=1000)
    assert len(rows) == api.ok(APPOINTMENTS)["total"]
    families = [row["patient"]["name"]["family"] for row in rows]
    assert families == sorted(families)


def test_visits_and_their_counts_need_a_date(api: Desk) -> None:
    for path in (VISITS, COUNTS):
        api.fails(400, "GET", path)
        api.fails(400, "GET", path, filters="appointment.status|eq|PENDING")


def test_a_visit_is_what_a_patient_has_on_one_day(api: Desk, appointments: list[Row], patients: list[Row]) -> None:
    visits = api.rows(VISITS, filters=EVERY_DAY, limit=100)
    assert {(row["patient_id"], row["start_time"][:10]) for row in visits} == {
        (row["patient_id"], row["start_timestamp"][:10]) for row in active(appointments)
    }
    assert [row["start_time"] for row in visits] == sorted(row["start_time"] for row in visits)
    mine = [row for row in visits if row["patient_id"] == patients[-1]["id"]]
    assert [(row["start_time"], row["status"]) for row in mine] == [
        ("2026-03-10T09:00:00.000Z", "NOT_READY"),
        ("2026-04-02T09:00:00.000Z", "NOT_READY"),
    ]
    assert api.rows(VISITS, filters=f"{EVERY_DAY},appointment.status|eq|NOT_READY") == mine
    assert api.ok(VISITS, filters=EVERY_DAY, sort_direction="desc", limit=1)["items"] == visits[-1:]


def test_counts_tell_why_visits_are_not_ready() -> None:
    with desk() as api:
        who = api.patient()["id"]
        for hour, reason in enumerate(("NO_COVERAGE", "NO_COVERAGE", "MANUAL")):
            body = appointment(who, f"2026-04-02T0{hour}:00:00Z", not_ready_reason=reason)
            api.done("POST", "/appointments/v1", body)
        assert api.ok(COUNTS, filters=EVERY_DAY) == {"not_ready_reason_counts": {"MANUAL": 1, "NO_COVERAGE": 1}}
        later = "appointment.startTimestamp|gt|2026-04-02"
        assert api.ok(COUNTS, filters=later) == {"not_ready_reason_counts": {}}


# --- what is small


def test_external_providers_are_found_by_name_type_and_npi(api: Desk) -> None:
    path = "/organization-external-providers/v1"
    rows = api.rows(path)
    assert [row["name"]["family"] for row in rows] == sorted(row["name"]["family"] for row in rows)
    one = rows[4]
    given, family = one["name"]["given"][0], one["name"]["family"]
    assert api.rows(path, first_name=given.lower(), last_name=family[:3], npi=one["npi"], type=one["types"][0]) == [
        one
    ]
    assert {row["types"][0] for row in api.rows(path, type="TREATING")} == {"TREATING"}


def test_schemas_are_filtered(api: Desk) -> None:
    assert [row["name"] for row in api.rows("/metadata-schemas/v1", filters="name|eq|Intake")] == ["Intake"]
    api.fails(400, "GET", "/metadata-schemas/v1", filters="shoe|eq|1")


def test_images_are_filtered_and_sorted(api: Desk) -> None:
    who = api.patient()["id"]
    for number in (2, 1):
        body = {
            "file_name": f"{number}.pdf",
            "display_name": "x",
            "file_type": "application/pdf",
            "status": "PENDING",
        }
        api.done("POST", "/images/v1", body | {"patient": {"id": who, "notes": f"scan {number}"}})

    def names(**query: str) -> list[str]:
        return [row["file_name"] for row in api.ok("/images/v1", **query)]

    assert names(patient_id=who) == ["1.pdf", "2.pdf"]
    assert names(file_type="application/pdf", patient_notes="SCAN 2") == ["2.pdf"]
    assert names(patient_id=who, sort_field="fileName", sort_direction="desc") == ["2.pdf", "1.pdf"]
    api.refuses("/images/v1", "sort_field", "size")


# --- size


def test_the_first_and_last_pages_of_a_world_of_millions_are_made_without_looking_at_the_others() -> None:
    huge = EmulatorConfig(as_of=date(2026, 3, 15), encounters=5_000_000, patients=4_000_000, days=365)
    with desk(huge) as api:
        made = api.done("POST", "/patients/v1", patient())
        for path in (PATIENTS, APPOINTMENTS, PATIENT_LIST, "/coverages/v1/get-multi-paginated"):
            page = api.ok(path)
            assert len(page["items"]) == 100
            assert page["total"] > 3_000_000
        assert api.rows(PATIENTS, mrn=made["mrn"]) == [made]
        assert api.ok(PATIENT_LIST, sort_direction="desc", limit=1)["items"][0]["patient"] == made
        filters = "appointment.startTimestamp|eq|2026-03-10"
        assert api.ok(VISITS, filters=filters, limit=5)["total"] > 12_000
        for path in (VISITS, APPOINTMENTS):
            assert api.get(path, filters=EVERY_DAY).status_code == 501
        assert api.get(COVERAGES).status_code == 501
