"""Invoices brought in from elsewhere, and those who pay and are no insurance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running

from .conftest import SMALL, Api, connected

NOWHERE = "00000000-0000-4000-8000-000000000000"
INVOICES, PAYERS = "/api/import-invoice/v1", "/api/non-insurance-payers/v1"


@pytest.fixture(scope="module")
def own() -> Iterator[Api]:
    """An emulator of this module's own, to be written to."""
    with running(SMALL) as emulator, connected(emulator) as http:
        yield Api(http)


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorName"]


def invoice(api: Api, identifier: str) -> dict[str, Any]:
    encounter = api.ok("/api/encounters/v4", limit=1)["items"][0]
    claim = encounter["claims"][0]
    line = claim["service_lines"][0]["service_line_id"]
    return {
        "external_payment_account_config_id": api.rows("/api/external-payment-account-config/v1")[0]["id"],
        "patient_external_id": encounter["patient"]["external_id"],
        "external_customer_identifier": "cus-1",
        "items": [
            {"attribution": {"type": "service_line_id", "value": line}, "amount_cents": 300},
            {"attribution": {"type": "claim_id", "value": claim["claim_id"]}, "amount_cents": 50},
            {"attribution": {"type": "unattributed"}, "amount_cents": 7},
        ],
        "status": "OPEN",
        "external_identifier": identifier,
    }


def test_seeded_invoices_bill_what_their_patient_owes(api: Api, encounters: list[dict[str, Any]]) -> None:
    owed = {
        row["claims"][0]["claim_id"]: sum(
            line["patient_responsibility_cents"] or 0 for line in row["claims"][0]["service_lines"]
        )
        for row in encounters
    }
    rows = api.rows(INVOICES)
    assert {row["status"] for row in rows} >= {"OPEN", "PAID"}
    for row in rows:
        [claim_id] = row["items"]["claim_invoice_items"]
        assert row["amount_cents"] == owed[claim_id] > 0


def test_invoices_are_found_by_every_filter_and_sorted_by_every_field(api: Api) -> None:
    rows = api.rows(INVOICES)
    assert rows == sorted(rows, key=lambda row: str(row["created_at"]), reverse=True)
    row, due = rows[3], rows[3]["due_date"]
    assert row in api.rows(INVOICES, patient_external_id=row["patient_external_id"])
    assert row in api.rows(INVOICES, status=[row["status"], "VOID"])
    assert api.rows(INVOICES, due_date_before=due) == [other for other in rows if other["due_date"] < due]
    assert api.rows(INVOICES, due_date_after=due) == [other for other in rows if other["due_date"] > due]
    assert api.rows(INVOICES, note="anything") == []
    for field in ("UPDATED_AT", "PATIENT_EXTERNAL_ID", "DUE_DATE", "STATUS"):
        found = api.rows(INVOICES, sort=field, sort_direction="asc", limit=9)
        assert found == sorted(found, key=lambda row: str(row[field.lower()]))
        assert len(found) == len(rows)
    api.refuses(INVOICES, "status", "LOST")


def test_an_invoice_is_found_by_the_external_id_of_its_encounter(api: Api, encounters: list[dict[str, Any]]) -> None:
    row = api.rows(INVOICES)[0]
    [claim_id] = row["items"]["claim_invoice_items"]
    [external] = [each["external_id"] for each in encounters if each["claims"][0]["claim_id"] == claim_id]
    assert api.rows(INVOICES, encounter_external_id=external) == [row]


def test_an_invoice_is_imported_once_and_changed_often(own: Api) -> None:
    wanted = invoice(own, "first")
    made = own.http.post(INVOICES, json=wanted).json()
    assert (made["amount_cents"], made["items"]["unattributed_items"]) == (357, [{"amount_cents": 7}])
    assert own.ok(f"{INVOICES}/{made['id']}") == made == own.ok(INVOICES)["items"][0]
    assert refused(own.http.post(INVOICES, json=wanted)) == (409, "EntityConflictError")
    seeded = own.rows(INVOICES)[-1]["external_identifier"]
    assert refused(own.http.post(INVOICES, json=wanted | {"external_identifier": seeded}))[0] == 409
    more = {"update_type": "APPEND", "items": wanted["items"][:1]}
    changed = own.http.patch(f"{INVOICES}/{made['id']}", json={"status": "PAID", "note": "thanks", "items": more})
    assert (changed.json()["amount_cents"], changed.json()["status"]) == (657, "PAID")
    assert changed.json()["updated_at"] > made["updated_at"]
    only = {"update_type": "OVERWRITE", "items": wanted["items"][2:]}
    assert own.http.patch(f"{INVOICES}/{made['id']}", json={"items": only}).json()["amount_cents"] == 7
    assert [row["id"] for row in own.rows(INVOICES, note="THANK")] == [made["id"]]
    assert own.http.patch(f"{INVOICES}/{made['id']}", json={"external_identifier": "x"}).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"status": "LOST"},
        {"external_payment_account_config_id": NOWHERE},
        {"due_date": "tomorrow"},
        {"items": [{"attribution": {"type": "claim_id", "value": NOWHERE}, "amount_cents": 1}]},
        {"items": [{"attribution": {"type": "thing"}, "amount_cents": 1}]},
    ],
)
def test_an_invoice_for_what_is_not_known_is_422(own: Api, change: dict[str, Any]) -> None:
    answer = own.http.post(INVOICES, json=invoice(own, "bad") | change)
    assert refused(answer) == (422, "UnprocessableEntityError")
    assert refused(own.http.patch(f"{INVOICES}/{NOWHERE}", json={})) == (404, "EntityNotFoundError")


# --- those who pay and are no insurance


def categories(api: Api, **params: Any) -> list[str]:
    return [str(name) for name in api.rows(PAYERS + "/categories", **params)]


def test_non_insurance_payers_are_found_by_every_filter(api: Api) -> None:
    rows = api.rows(PAYERS)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert api.rows(PAYERS, name="harbor") == [row for row in rows if "Harbor" in row["name"]]
    assert api.rows(PAYERS, category="emp") == [row for row in rows if row["category"] == "Employer"]
    assert api.rows(PAYERS, categories_exact=["Public", "emp"]) == [
        row for row in rows if row["category"] == "Public"
    ]
    assert api.rows(PAYERS, enabled="false") == [row for row in rows if not row["enabled"]]
    [trial] = [row for row in rows if row["clinical_trials"]]
    assert api.rows(PAYERS, clinical_trial_ids=trial["clinical_trials"][0]["clinical_trial_id"]) == [trial]
    for field in ("CATEGORY", "ENABLED", "UPDATED_AT"):
        assert len(api.rows(PAYERS, sort=field, sort_direction="desc", limit=2)) == len(rows)
    assert categories(api, limit=1) == ["Clinical trial", "Employer", "Foundation", "Public"]
    assert categories(api, search_term="PUB") == ["Public"]
    assert refused(api.get(PAYERS, organization_id=NOWHERE)) == (403, "UnauthorizedError")


def test_a_non_insurance_payer_is_created_changed_switched_off_and_deleted(own: Api) -> None:
    trial = {"name": "Trial", "clinical_trial_number": "NCT12345"}
    made = own.http.post(PAYERS, json={"name": "New", "category": "Guild", "clinical_trials": [trial]}).json()
    where = f"{PAYERS}/{made['non_insurance_payer_id']}"
    assert own.ok(where) == made
    assert "Guild" in categories(own)
    changed = own.http.patch(where, json={"name": "Newer", "category": {"type": "remove"}}).json()
    assert changed == made | {"name": "Newer", "category": None}
    assert own.http.patch(f"{where}/toggle_enablement", json={"enabled": False}).json() == changed | {
        "enabled": False
    }
    assert own.http.delete(where).status_code == 204
    assert refused(own.get(where)) == (404, "EntityNotFoundError")


def test_a_non_insurance_payers_name_is_its_own(own: Api) -> None:
    first, second = own.rows(PAYERS)[:2]
    assert refused(own.http.post(PAYERS, json={"name": first["name"]})) == (409, "EntityConflictError")
    where = f"{PAYERS}/{second['non_insurance_payer_id']}"
    assert refused(own.http.patch(where, json={"name": first["name"]})) == (409, "EntityConflictError")
    assert own.http.patch(where, json={"name": second["name"]}).status_code == 200
    assert own.http.post(PAYERS, json={"name": "x" * 51}).status_code == 422


def test_payers_of_version_three_are_the_same_payers(api: Api) -> None:
    rows, known = api.rows("/api/payers/v3", limit=9), api.rows("/api/payers/v4")
    assert [row["payer_uuid"] for row in rows] == [row["payer_uuid"] for row in known]
    assert api.ok(f"/api/payers/v3/{rows[4]['payer_uuid']}") == rows[4]
    assert api.rows("/api/payers/v3", search_term="harbor")
