from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from candid_provider.emulator import Emulator

from .conftest import SMALL, Api

ENCOUNTERS, EVENTS, PAYERS = "/api/encounters/v4", "/api/events/v1/", "/api/payers/v4"
INVENTORY = "/api/patient-ar/v1/inventory"
SCANS = {"patients": "/patients/v1", "appointments": "/appointments/v1", "coverages": "/coverages/v1"}


@pytest.fixture(scope="module")
def events(api: Api) -> list[dict[str, Any]]:
    return api.rows(EVENTS, limit=100)


# --- events


def test_events_come_newest_first_with_and_without_the_slash(api: Api, events: list[dict[str, Any]]) -> None:
    assert [row["created_at"] for row in events] == sorted((row["created_at"] for row in events), reverse=True)
    assert api.ok("/api/events/v1", limit=100) == api.ok("/api/events/v1/", limit=100)


def test_event_bounds_are_inclusive(api: Api, events: list[dict[str, Any]]) -> None:
    newer, older = events[200], events[260]
    window = api.rows(EVENTS, created_after=older["created_at"], created_before=newer["created_at"], limit=13)
    assert window == events[200:261]
    assert api.rows(EVENTS, created_after=newer["created_at"], created_before=older["created_at"]) == []


def test_event_bounds_may_have_any_offset(api: Api, events: list[dict[str, Any]]) -> None:
    assert api.rows(EVENTS, created_after="2026-03-15T18:00:00-05:00") == [
        row for row in events if row["created_at"] >= "2026-03-15T23:00:00"
    ]


@pytest.mark.parametrize(
    "types",
    [
        ["CandidApi.Encounter.Created"],
        ["CandidApi.Encounter.StatusUpdated"],
        ["CandidApi.Encounter.Created", "CandidApi.Encounter.StatusUpdated"],
        ["PreEncounter.Patient.Created"],
        ["PreEncounter.Patient.Created", "CandidApi.Encounter.Created"],
    ],
)
def test_event_types_can_be_repeated(api: Api, events: list[dict[str, Any]], types: list[str]) -> None:
    wanted = [row for row in events if row["event_type"] in types]
    assert api.rows(EVENTS, event_types=types, limit=100) == wanted


def test_events_are_about_encounters_that_exist(
    api: Api, events: list[dict[str, Any]], encounters: list[dict[str, Any]]
) -> None:
    created = {row["encounter_id"]: row["created_at"] for row in encounters}
    assert all(created[row["payload"]["encounter_id"]] <= row["timestamp"] <= row["created_at"] for row in events)


@pytest.mark.parametrize("value", ["2026-03-15T00:00:00", "2026-03-15", "now", "2026-03-15T00:00:00 00:00", ""])
@pytest.mark.parametrize(("path", "name"), [(EVENTS, "created_after"), (EVENTS, "created_before")])
def test_an_instant_without_offset_is_422_and_named(api: Api, path: str, name: str, value: str) -> None:
    api.refuses(path, name, value)


# --- patient AR


def test_the_inventory_lists_exactly_the_claims_that_have_or_had_a_patient_balance(
    api: Api, encounters: list[dict[str, Any]]
) -> None:
    owing = {
        claim["claim_id"]: row["encounter_id"]
        for row in encounters
        for claim in row["claims"]
        if any(line["patient_responsibility_cents"] for line in claim["service_lines"])
    }
    assert {row["claim_id"]: row["encounter_id"] for row in api.rows(INVENTORY)} == owing


def test_the_inventory_rises_in_time_and_since_is_inclusive(api: Api) -> None:
    rows = api.rows(INVENTORY, limit=20)
    assert rows == sorted(rows, key=lambda row: str(row["timestamp"]))
    assert api.rows(INVENTORY, since=rows[50]["timestamp"]) == rows[50:]
    assert api.rows(INVENTORY, since="2100-01-01T00:00:00Z") == []


def test_payers_can_be_searched(api: Api) -> None:
    names = [row["payer_name"] for row in api.rows(PAYERS)]
    assert [row["payer_name"] for row in api.rows(PAYERS, search_term="HARBOR")] == [
        n for n in names if "Harbor" in n
    ]
    assert api.rows(PAYERS, search_term="no such payer") == []
    assert [row["payer_ids"]["claims_payer_id"] for row in api.rows(PAYERS, search_term="10003")] == ["10003"]


# --- scans


@pytest.mark.parametrize("kind", SCANS)
def test_a_scan_brings_every_row_in_order_of_change(api: Api, emulator: Emulator, kind: str) -> None:
    rows = api.scan(f"{SCANS[kind]}/updates/scan")
    assert len(rows) == emulator.stats()["records"][kind]
    assert [row["updated_at"] for row in rows] == sorted(row["updated_at"] for row in rows)


@pytest.mark.parametrize("kind", SCANS)
def test_some_rows_share_a_timestamp_but_never_a_page_of_them(api: Api, kind: str) -> None:
    moments = [row["updated_at"] for row in api.scan(f"{SCANS[kind]}/updates/scan")]
    most = max(moments.count(moment) for moment in moments)
    assert 2 <= most < 100
    assert all(len(moment) == len("2026-01-15T12:00:00.123Z") for moment in moments)


@pytest.mark.parametrize("path", SCANS.values())
def test_since_is_inclusive_and_required(api: Api, path: str) -> None:
    rows = api.scan(f"{path}/updates/scan")
    shared = next(i for i, (a, b) in enumerate(pairwise(rows)) if a["updated_at"] == b["updated_at"])
    assert api.ok(f"{path}/updates/scan", since=rows[shared]["updated_at"])[0] == rows[shared]
    assert api.ok(f"{path}/updates/scan", since="2100-01-01T00:00:00Z") == []
    missing = api.get(f"{path}/updates/scan")
    assert (missing.status_code, missing.json()["content"][0]["fieldName"]) == (422, "since")


def test_a_scan_page_has_a_hundred_rows_and_patients_can_ask_for_more(api: Api) -> None:
    since = "2000-01-01T00:00:00Z"
    assert {len(api.ok(f"{path}/updates/scan", since=since)) for path in SCANS.values()} == {100}
    assert len(api.ok("/patients/v1/updates/scan", since=since, maxResults=1000)) == SMALL.patients
    api.refuses("/patients/v1/updates/scan", "maxResults", "1001", since=since)
    assert api.get("/coverages/v1/updates/scan", since=since, maxResults=5).status_code == 501


def test_scans_keep_deactivated_rows(api: Api) -> None:
    assert any(row["deactivated"] and row["version"] > 1 for row in api.scan("/appointments/v1/updates/scan"))
