"""Charges, the claims that are made of them, and the views of claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running
from tests.emulator.conftest import Api, connected
from tests.emulator.test_encounter_writes import BODY, CONFIG, ENCOUNTERS, Writer, refusal
from tests.emulator.test_sdk import client, pages, shape_faults

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
CHARGES = "/api/charge_captures/v1"
CREATIONS = "/api/charge_capture_claim_creation/v1"
SCHEMA = "221d426b-5837-5168-9b0e-185542ffcb62"
DATA: dict[str, Any] = {
    name: BODY[name]
    for name in ("patient", "billing_provider", "rendering_provider", "diagnoses", "place_of_service_code")
} | {"date_of_service": "2026-03-14", "service_lines": [{**BODY["service_lines"][0], "external_id": None}]}
QUARTER = 1 / 96


@pytest.fixture
def writer() -> Iterator[Writer]:
    with running(CONFIG) as emulator, connected(emulator) as http:
        yield Writer(http)


@pytest.fixture
def sdk() -> Iterator[Any]:
    with running(CONFIG) as emulator, client(emulator) as sdk:
        yield sdk


def charge(
    writer: Writer, number: int, *, status: str = "billable", data: Any = DATA, **others: Any
) -> dict[str, Any]:
    given = {"charge_external_id": f"c-{number}", "patient_external_id": "pat-1", "status": status, "data": data}
    answer = writer.post(CHARGES, given | others)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_what_was_attached_to_a_charge_is_attached_to_its_encounter(writer: Writer) -> None:
    made, attachments = charge(writer, 1), "/api/encounter-attachments/v1"
    form = {"charge_capture_external_id": "c-1", "attachment_type": "EOB"}
    file = {"attachment_file": ("a.pdf", b"x", "application/pdf")}
    path = f"{attachments}/create-from-charge-capture-external-id"
    attached = writer.http.post(path, data=form, files=file).json()
    writer.advance(QUARTER)
    encounter = writer.ok(f"{CREATIONS}/{made['claim_creation_id']}")["created_encounter_id"]
    assert [row["attachment_id"] for row in writer.ok(f"{attachments}/{encounter}")] == [attached]


def test_charges_of_a_patient_and_day_become_one_claim_a_while_later(writer: Writer) -> None:
    first, second = charge(writer, 1), charge(writer, 2)
    other = charge(writer, 3, data=DATA | {"date_of_service": "2026-03-13"})
    assert first["claim_creation_id"] == second["claim_creation_id"] != other["claim_creation_id"]
    path = f"{CREATIONS}/{first['claim_creation_id']}"
    assert writer.ok(path)["status"] == "not-started"
    writer.advance(QUARTER)
    made = writer.ok(path)
    assert made["status"] == "successful"
    encounter = writer.ok(f"{ENCOUNTERS}/{made['created_encounter_id']}")
    assert encounter["claim_creation_id"] == made["id"]
    assert len(encounter["claims"][0]["service_lines"]) == 2
    assert [row["code"] for row in encounter["diagnoses"]] == ["F41.1", "I10"]
    assert len(writer.rows(CHARGES, claim_ids=made["created_encounter_id"])) == 2


def test_a_planned_charge_holds_the_claim_up_until_it_is_done(writer: Writer) -> None:
    ready, planned = charge(writer, 1), charge(writer, 2, status="planned")
    path = f"{CREATIONS}/{ready['claim_creation_id']}"
    writer.advance(1)
    assert writer.ok(path)["status"] == "held"
    assert writer.patch(f"{CHARGES}/{planned['id']}", {"status": "billable"}).status_code == 200
    writer.advance(QUARTER)
    made = writer.ok(path)
    assert made["status"] == "successful"
    assert len(writer.ok(f"{ENCOUNTERS}/{made['created_encounter_id']}")["claims"][0]["service_lines"]) == 2


def test_what_is_wrong_is_told_can_be_mended_and_resolved(writer: Writer) -> None:
    before = writer.ok(f"{CREATIONS}/all/summary")
    bad = charge(writer, 1, data=DATA | {"diagnoses": [], "service_lines": []})
    assert _grew(writer, before) == {"not_started": 1}
    writer.advance(QUARTER)
    path = f"{CREATIONS}/{bad['claim_creation_id']}"
    failed = writer.ok(path)
    assert (failed["status"], failed["errors"][0]["field_in_error"]) == ("in-error", "diagnoses")
    assert _grew(writer, before) == {"in_error": 1}
    assert writer.ok(f"{CHARGES}/{bad['id']}")["error"] == failed["errors"][0]
    error = f"{CREATIONS}/error/{failed['errors'][0]['id']}"
    assert writer.patch(error, {"resolved_by": "me", "resolution_reason": "mended"}).status_code == 204
    assert writer.ok(path)["errors"][0]["resolved_by"] == "me"
    writer.patch(f"{CHARGES}/{bad['id']}", {"data": DATA})
    writer.advance(QUARTER)
    assert writer.ok(path)["status"] == "successful"
    assert writer.ok(f"{CHARGES}/{bad['id']}")["error"] is None
    assert _grew(writer, before) == {}
    refusal(writer.patch(f"{CREATIONS}/error/{bad['id']}", {}), 404, "EntityNotFoundError")


def _grew(writer: Writer, before: dict[str, int]) -> dict[str, int]:
    names = {"not_started": "not_started", "held": "held", "in_error": "in_error"}
    now = writer.ok(f"{CREATIONS}/all/summary")
    grown = {
        short: now[full] - before[full]
        for short in names
        for full in before
        if short in full and now[full] != before[full]
    }
    return grown


def test_a_charge_that_changes_after_its_claim_was_made_leaves_one_update_to_resolve(writer: Writer) -> None:
    made = charge(writer, 1)
    writer.advance(QUARTER)
    for note in ("EHR", "other"):
        changed = writer.patch(f"{CHARGES}/{made['id']}", {"originating_system": note}).json()
    assert len(changed["updates"]) == 1
    assert writer.ok(f"{CREATIONS}/all/summary")["charge_capture_unresolved_change_count"] == 1
    assert len(writer.rows(CREATIONS, has_charge_capture_updates="true")) == 1
    order = {"charge_capture_change_ids": [changed["updates"][0]["id"]], "resolved": True}
    assert writer.patch(f"{CHARGES}/changes", order).json()[0]["resolved"] is True
    assert writer.ok(f"{CREATIONS}/all/summary")["charge_capture_unresolved_change_count"] == 0
    order["charge_capture_change_ids"] = [made["id"]]
    refusal(writer.patch(f"{CHARGES}/changes", order), 404, "EntityNotFoundError")


@pytest.mark.parametrize("taken", ["c-1", "chg-00000004"])
def test_a_second_charge_with_an_external_id_is_a_conflict(writer: Writer, taken: str) -> None:
    charge(writer, 1)
    given = {"charge_external_id": taken, "patient_external_id": "pat-1", "status": "billable", "data": DATA}
    assert "message" in refusal(writer.post(CHARGES, given), 409, "ChargeExternalIdConflictError")


def test_a_charge_from_pre_encounter_becomes_a_claim_with_the_patients_coverage(writer: Writer) -> None:
    appointment = writer.ok("/appointments/v1/updates/scan", since="2000-01-01T00:00:00Z")[0]
    data = {name: value for name, value in DATA.items() if name != "patient"}
    given = {"charge_external_id": "c-1", "status": "billable", "data": data}
    given |= {
        "pre_encounter_patient_id": appointment["patient_id"],
        "pre_encounter_appointment_ids": [appointment["id"]],
    }
    path = f"{CHARGES}/create-from-pre-encounter"
    made = writer.post(path, given).json()
    writer.advance(QUARTER)
    created = writer.ok(f"{CREATIONS}/{made['claim_creation_id']}")
    assert created["status"] == "successful", created
    encounter = writer.ok(f"{ENCOUNTERS}/{created['created_encounter_id']}")
    assert encounter["subscriber_primary"]["insurance_card"]["payer_uuid"]
    given |= {"charge_external_id": "c-2", "pre_encounter_patient_id": appointment["id"]}
    refusal(writer.post(path, given), 404, "EntityNotFoundError")


def test_charges_are_found_by_their_metadata(writer: Writer) -> None:
    instance = {"schema_id": SCHEMA, "content": {}}
    answer = writer.post(f"{CHARGES}/find-by-metadata", {"metadata": [instance], "limit": 5}).json()
    assert (answer["items"], answer["item_count"]) == ([], 0)


def test_every_charge_and_claim_creation_parses(sdk: Any) -> None:
    charges = [row for page in pages(sdk.charge_capture.v_1.get_all, limit=50) for row in page.items]
    creations = [row for page in pages(sdk.charge_capture_bundles.v_1.get_all, limit=50) for row in page.items]
    assert (len(charges), len(creations)) == (159, 53)
    assert shape_faults(charges) == shape_faults(creations) == []
    assert {row.status.value for row in creations} == {"successful", "in-error", "held", "aborted"}
    summary = sdk.charge_capture_bundles.v_1.get_summary()
    assert summary.charge_capture_held_claim_creations_count == sum(row.status.value == "held" for row in creations)
    assert summary.charge_capture_charges_not_linked_to_claims_count == 53
    assert sdk.charge_capture.v_1.get(charges[0].id) == charges[0]
    made = next(row for row in creations if row.created_encounter_id)
    assert sdk.encounters.v_4.get(made.created_encounter_id).claim_creation_id == made.id


@pytest.mark.parametrize("path", [CHARGES, CREATIONS])
def test_listings_filter_by_what_the_rows_hold(api: Api, path: str) -> None:
    rows = api.rows(path, limit=1000)
    data = "charge_capture_data" if path == CHARGES else "encounter_creation_input"
    whole = next(row for row in rows if row[data])
    patient = whole[data]["patient"]
    for name, value in (
        ("patient_external_id", patient["external_id"]),
        ("patient_names", f"{patient['first_name']} {patient['last_name']}"),
        ("primary_payer_ids", whole[data]["subscriber_primary"]["insurance_card"]["payer_id"]),
        ("rendering_provider_npis", whole[data]["rendering_provider"]["npi"]),
        ("service_facility_name", whole[data]["service_facility"]["organization_name"]),
        ("date_of_service_min", "2026-03-15"),
        ("sort_direction", "asc"),
    ):
        found = api.rows(path, limit=7, **{name: value})
        assert whole in found, name
        assert all(row in rows for row in found)
    assert api.rows(path, claim_creation_category="none") == []
    assert api.rows(path, tags="none") == []


def test_charges_filter_and_rank(api: Api) -> None:
    rows = api.rows(CHARGES, limit=1000)
    planned = [row for row in rows if row["status"] == "planned"]
    assert api.rows(CHARGES, status="planned", limit=1) == planned
    ranked = api.rows(CHARGES, status_ranked_sort="planned", limit=50)
    assert ranked[: len(planned)] == planned
    assert len(ranked) == len(rows)
    assert api.rows(CHARGES, exclude_charges_linked_to_claims="true") == [
        r for r in rows if not r["claim_creation_id"]
    ]
    assert api.rows(CHARGES, charge_external_id="chg-00000005")[0]["charge_external_id"] == "chg-00000005"
    days = [
        row["date_of_service"] for row in api.rows(CHARGES, sort="date_of_service", sort_direction="asc", limit=40)
    ]
    assert days == sorted(days)
    paid = api.rows(CHARGES, claim_status="finalized_paid")
    assert paid
    assert len(paid) < len(rows)


def views(api: Api) -> dict[str, str]:
    return {row["name"]: row["id"] for row in api.ok("/_emulator/views")["views"]}


def resolved(writer: Api, name: str, **body: Any) -> list[dict[str, Any]]:
    path = f"/api/claim-dynamic-views/v1/{views(writer)[name]}/resolve"
    found: list[dict[str, Any]] = []
    while True:
        answer = writer.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        body["page_token"] = answer.json()["next_page_token"]
        if body["page_token"] is None:
            return found


def test_a_view_shows_its_claims_in_the_order_of_their_changes(writer: Writer) -> None:
    by_change = [{"field": "claim_updated_at", "direction": "asc"}]
    rows = resolved(writer, "All claims", sort=by_change, limit=33)
    assert len({row["claim_id"] for row in rows}) == len(rows) == 420
    instants = [row["claim_updated_at"] for row in rows]
    assert instants == sorted(instants)
    made = writer.made()
    since = {"claim_updated_at": {"min": instants[-1]}}
    later = resolved(writer, "All claims", sort=by_change, filters=since)
    assert [row["encounter_id"] for row in later] == [rows[-1]["encounter_id"], made["encounter_id"]]
    writer.patch(f"{ENCOUNTERS}/{rows[0]['encounter_id']}", {"referral_number": "R"})
    later = resolved(writer, "All claims", sort=by_change, filters=since)
    assert later[-1]["encounter_id"] == rows[0]["encounter_id"]
    denied = resolved(writer, "Denied or rejected")
    assert {row["claim_status"] for row in denied} <= {"denied", "finalized_denied", "rejected"}
    amounts = [
        row["sum_charge_amount_cents"]
        for row in resolved(writer, "Paid", sort=[{"field": "sum_charge_amount_cents"}])
    ]
    assert amounts == sorted(amounts, reverse=True)


def test_views_filter_and_refuse(writer: Writer) -> None:
    rows = resolved(writer, "All claims", limit=1000)
    one = rows[5]
    filters = {
        "patient_external_id": {"values": [one["patient_external_id"]]},
        "claim_status": {"values": [one["claim_status"]]},
    }
    assert one in resolved(writer, "All claims", filters=filters)
    negative = resolved(
        writer, "All claims", filters={"claim_status": {"mode": "not_in", "values": [one["claim_status"]]}}
    )
    assert negative == [row for row in rows if row["claim_status"] != one["claim_status"]]
    cents = {"sum_charge_amount_cents": {"min": 20_000}}
    assert all(row["sum_charge_amount_cents"] >= 20_000 for row in resolved(writer, "All claims", filters=cents))
    refusal(writer.post(f"/api/claim-dynamic-views/v1/{SCHEMA}/resolve", {}), 404, "EntityNotFoundError")
    path = f"/api/claim-dynamic-views/v1/{views(writer)['Paid']}/resolve"
    refusal(writer.post(path, {"sort": [{"field": "nonsense"}]}), 422, "UnprocessableEntityError")
    refusal(writer.post(path, {"filters": {"claim_status": {}}}), 422, "UnprocessableEntityError")


def test_the_sdk_resolves_views(sdk: Any) -> None:
    import httpx

    base = sdk._client_wrapper.get_environment().candid_api
    view = httpx.get(f"{base}/_emulator/views").json()["views"][0]["id"]
    page = sdk.views.dynamic.v_1.resolve(view, limit=50)
    assert len(page.items) == 50
    assert shape_faults(page.items) == []
