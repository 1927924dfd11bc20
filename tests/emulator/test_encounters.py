from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import SMALL, Api

ENCOUNTERS, EVENTS, PAYERS = "/api/encounters/v4", "/api/events/v1/", "/api/payers/v4"
INVENTORY = "/api/patient-ar/v1/inventory"
SCANS = {"patients": "/patients/v1", "appointments": "/appointments/v1", "coverages": "/coverages/v1"}


# --- encounters


@pytest.mark.parametrize("field", ["created_at", "date_of_service"])
def test_encounters_sort_both_ways_and_newest_first_by_default(
    api: Api, encounters: list[dict[str, Any]], field: str
) -> None:
    ascending = api.rows(ENCOUNTERS, sort=f"{field}:asc", limit=1000)
    assert ascending == sorted(ascending, key=lambda row: str(row[field]))
    assert api.rows(ENCOUNTERS, sort=f"{field}:desc", limit=1000) == ascending[::-1] == encounters


def test_encounters_lie_evenly_in_the_days_up_to_as_of(encounters: list[dict[str, Any]]) -> None:
    days = [(SMALL.as_of - timedelta(days=back)).isoformat() for back in range(SMALL.days)]
    assert {day: sum(row["date_of_service"] == day for row in encounters) for day in days} == dict.fromkeys(days, 42)


DAYS = st.none() | st.integers(-14, 4).map(lambda back: SMALL.as_of + timedelta(days=back))


@settings(deadline=None, max_examples=40)
@given(
    first=DAYS,
    last=DAYS,
    status=st.sampled_from([None, "finalized_paid", "submitted_to_payer"]),
    who=st.integers(-9, 129),
)
def test_filters_select_what_going_through_all_rows_selects(
    api: Api, encounters: list[dict[str, Any]], first: date | None, last: date | None, status: str | None, who: int
) -> None:
    patient = encounters[who]["patient"]["external_id"] if who >= 0 else None
    wanted = {
        "date_of_service_min": first and first.isoformat(),
        "date_of_service_max": last and last.isoformat(),
        "claim_status": status,
        "patient_external_id": patient,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    assert api.rows(ENCOUNTERS, limit=37, **given) == [
        row
        for row in encounters
        if (first is None or row["date_of_service"] >= first.isoformat())
        and (last is None or row["date_of_service"] <= last.isoformat())
        and status in (None, row["claims"][0]["status"])
        and patient in (None, row["patient"]["external_id"])
    ]


def test_an_external_id_finds_its_encounter(api: Api, encounters: list[dict[str, Any]]) -> None:
    for row in encounters[::60]:
        assert api.ok(ENCOUNTERS, external_id=row["external_id"], limit=1)["items"] == [row]
    for unknown in ("enc-99999999", "enc-1", "x", "", "enc-²"):
        assert api.rows(ENCOUNTERS, external_id=unknown) == []
    assert api.rows(ENCOUNTERS, patient_external_id="nobody") == []


@pytest.mark.parametrize("name", ["date_of_service_min", "date_of_service_max"])
@pytest.mark.parametrize("value", ["yesterday", "2026-02-30", "2026-03-01T00:00:00Z", ""])
def test_a_bad_date_is_422_and_named(api: Api, name: str, value: str) -> None:
    api.refuses(ENCOUNTERS, name, value)


@pytest.mark.parametrize(
    ("name", "value"), [("claim_status", "nonsense"), ("sort", "created_at"), ("sort", "url:asc")]
)
def test_a_value_outside_an_enum_is_422_and_named(api: Api, name: str, value: str) -> None:
    api.refuses(ENCOUNTERS, name, value)


# --- one record by its id


@pytest.mark.parametrize(("path", "key"), [(ENCOUNTERS, "encounter_id"), (EVENTS, "id"), (PAYERS, "payer_uuid")])
def test_a_listed_record_can_be_read_by_its_id(api: Api, path: str, key: str) -> None:
    for row in api.rows(path)[::17]:
        assert api.ok(f"{path.rstrip('/')}/{row[key]}") == row


@pytest.mark.parametrize("path", SCANS.values())
def test_a_scanned_row_can_be_read_by_its_id(api: Api, path: str) -> None:
    for row in api.scan(f"{path}/updates/scan")[::17]:
        assert api.ok(f"{path}/{row['id']}") == row


@pytest.mark.parametrize("path", [ENCOUNTERS, EVENTS.rstrip("/"), PAYERS])
@pytest.mark.parametrize("identifier", ["00000000-0000-4000-8000-000000000000", "x", "ü"])
def test_an_unknown_id_is_404(api: Api, path: str, identifier: str) -> None:
    answer = api.get(f"{path}/{identifier}")
    assert answer.status_code == 404
    assert answer.json()["errorName"] == "EntityNotFoundError"
    assert answer.json()["content"] == {"id": identifier}


@pytest.mark.parametrize("path", SCANS.values())
def test_an_unknown_pre_encounter_id_is_404(api: Api, path: str) -> None:
    answer = api.get(f"{path}/00000000-0000-4000-8000-000000000000")
    assert (answer.status_code, answer.json()["errorName"]) == (404, "NotFoundError")


def test_the_id_of_another_kind_of_record_is_404(api: Api, encounters: list[dict[str, Any]]) -> None:
    assert api.get(f"{PAYERS}/{encounters[0]['encounter_id']}").status_code == 404
    assert api.get(f"{ENCOUNTERS}/{encounters[0]['claims'][0]['claim_id']}").status_code == 404
