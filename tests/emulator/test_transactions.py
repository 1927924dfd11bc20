"""Payments, refunds and write-offs: they add up, are for what exists, and can be found, changed and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running

from .conftest import SMALL, Api, connected

NOWHERE = "00000000-0000-4000-8000-000000000000"
PATIENT, REFUNDS = "/api/patient-payments/v4", "/api/patient-refunds/v1"
INSURANCE, WRITE_OFFS = "/api/insurance-refunds/v1", "/api/write-offs/v1"
THIRD, THIRD_REFUNDS = "/api/non-insurance-payer-payments/v1", "/api/non-insurance-payer-refunds/v1"
ITEMIZED = "/api/patient-ar/v1/invoice-itemization"
ALLOCATED = {PATIENT: "payment", REFUNDS: "refund", INSURANCE: "refund", THIRD: "payment", THIRD_REFUNDS: "refund"}
DATED = {path: f"{noun}_timestamp" for path, noun in ALLOCATED.items()} | {WRITE_OFFS: "write_off_timestamp"}
IDS = {
    PATIENT: "patient_payment_id",
    REFUNDS: "patient_refund_id",
    INSURANCE: "insurance_refund_id",
    THIRD: "non_insurance_payer_payment_id",
    THIRD_REFUNDS: "non_insurance_payer_refund_id",
}


@pytest.fixture(scope="module")
def own() -> Iterator[Api]:
    """An emulator of this module's own, to be written to."""
    with running(SMALL) as emulator, connected(emulator) as http:
        yield Api(http)


def some(api: Api, place: int = -1) -> dict[str, Any]:
    """An encounter."""
    rows: list[dict[str, Any]] = api.ok("/api/encounters/v4", limit=1000)["items"]
    return rows[place]


def body(api: Api, path: str, encounter: dict[str, Any], cents: int = 700) -> dict[str, Any]:
    """A payment or refund for the first service line of an encounter."""
    line = encounter["claims"][0]["service_lines"][0]["service_line_id"]
    allocations = [{"amount_cents": cents, "target": {"type": "service_line_by_id", "value": line}}]
    who: dict[str, Any] = {"patient_external_id": encounter["patient"]["external_id"]}
    if path == INSURANCE:
        payer = encounter["subscriber_primary"]["insurance_card"]
        who = {"payer_identifier": {"type": "payer_uuid", "value": payer["payer_uuid"]}}
    if path in (THIRD, THIRD_REFUNDS):
        who = {"non_insurance_payer_id": api.rows("/api/non-insurance-payers/v1")[0]["non_insurance_payer_id"]}
    return {"amount_cents": cents, "allocations": allocations, **who}


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorName"]


# --- the seeded ones


@pytest.mark.parametrize("path", list(ALLOCATED))
def test_allocations_add_up_and_are_for_claims_of_the_patient(
    api: Api, encounters: list[dict[str, Any]], path: str
) -> None:
    patients = {row["claims"][0]["claim_id"]: row["patient"]["external_id"] for row in encounters}
    rows = api.rows(path)
    assert rows
    for row in rows:
        assert row["amount_cents"] == sum(part["amount_cents"] for part in row["allocations"]) > 0
        for claim_id in {part["target"]["claim_id"] for part in row["allocations"] if "claim_id" in part["target"]}:
            assert row.get("patient_external_id", patients[claim_id]) == patients[claim_id]


@pytest.mark.parametrize("path", list(DATED))
def test_newest_comes_first_and_pages_join(api: Api, path: str) -> None:
    rows = api.rows(path)
    assert rows == sorted(rows, key=lambda row: str(row[DATED[path]]), reverse=True)
    assert api.rows(path, limit=3) == rows
    assert api.rows(path, limit=7, sort_direction="asc") == rows[::-1]
    assert api.ok(path, sort="amount_cents", sort_direction="asc", limit=999)["items"] == sorted(
        rows[::-1], key=lambda row: int(row["amount_cents"])
    )
    assert api.get(path, limit=1000).status_code == 422


@pytest.mark.parametrize("path", [PATIENT, REFUNDS, INSURANCE, WRITE_OFFS])
def test_they_are_found_by_patient_claim_and_service_line(api: Api, path: str) -> None:
    rows = api.rows(path)
    for row in rows[:9]:
        target = row["allocations"][0]["target"] if "allocations" in row else row
        for name, value in ({**target, "patient_external_id": row.get("patient_external_id")}).items():
            if value and name in ("claim_id", "service_line_id", "patient_external_id"):
                found = api.rows(path, **{name: value})
                assert row in found
                assert len(found) < len(rows)
    assert api.rows(path, claim_id=NOWHERE) == []
    assert api.rows(path, billing_provider_id=NOWHERE) == []


def test_patient_payments_are_found_by_source_invoice_and_what_is_left_over(api: Api) -> None:
    rows = api.rows(PATIENT)
    for row in rows[:9]:
        assert api.rows(PATIENT, source_internal_id=row["source_internal_id"]) == [row]
        assert row in api.rows(PATIENT, sources=[row["payment_source"], "CEDAR"])
        if row["invoice"]:
            assert api.rows(PATIENT, invoice_id=row["invoice"]) == [row]
            assert api.ok(f"/api/import-invoice/v1/{row['invoice']}")["status"] == "PAID"
    left = [row for row in rows if any(part["target"]["type"] == "unattributed" for part in row["allocations"])]
    assert api.rows(PATIENT, unattributed="true") == left
    assert api.rows(PATIENT, sources="CEDAR") == []
    api.refuses(PATIENT, "sources", "PIGGY_BANK")


def test_insurance_refunds_and_third_parties_money_are_found_by_payer_and_check(api: Api) -> None:
    refund = api.rows(INSURANCE)[0]
    assert refund in api.rows(INSURANCE, payer_uuid=refund["payer"]["payer_uuid"])
    payment = api.rows(THIRD)[0]
    payer = payment["non_insurance_payer"]["non_insurance_payer_id"]
    assert payment in api.rows(THIRD, non_insurance_payer_id=payer)
    assert api.rows(THIRD, check_number=[payment["check_number"], "none"]) == [payment]
    assert api.rows(THIRD, invoice_id=NOWHERE) == []


# --- writing


@pytest.mark.parametrize("path", list(ALLOCATED))
def test_what_is_created_is_listed_changed_and_deleted(own: Api, path: str) -> None:
    dated, note = DATED[path], DATED[path].replace("timestamp", "note")
    moment = "2026-03-16T10:00:00+02:00"
    made = own.http.post(path, json=body(own, path, some(own)) | {dated: moment, note: "by hand"}).json()
    where = f"{path}/{made[IDS[path]]}"
    assert made[dated] == "2026-03-16T08:00:00.000000Z"
    assert own.ok(where) == made == own.ok(path)["items"][0]
    changed = own.http.patch(where, json={note: {"type": "remove"}, dated: "2026-03-17T00:00:00Z"}).json()
    assert (changed[note], changed[dated]) == (None, "2026-03-17T00:00:00.000000Z")
    assert own.ok(where) == changed == made | {note: None, dated: changed[dated]}
    assert own.http.delete(where).status_code == 204
    assert own.http.delete(where).status_code == 404
    assert made[IDS[path]] not in [row[IDS[path]] for row in own.rows(path)]


@pytest.mark.parametrize("path", list(ALLOCATED))
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"amount_cents": 701}, (422, "UnprocessableEntityError")),
        ({"amount_cents": 0}, (422, "UnprocessableEntityError")),
        ({"amount_cents": "700"}, (422, "UnprocessableEntityError")),
        ({"service_line_by_id": NOWHERE}, (404, "EntityNotFoundError")),
        ({"claim_by_id": NOWHERE}, (404, "EntityNotFoundError")),
        ({"claim_by_encounter_external_id": "nobody's"}, (404, "EntityNotFoundError")),
        ({"billing_provider_by_id": NOWHERE}, (404, "EntityNotFoundError")),
        ({"somebody": NOWHERE}, (422, "UnprocessableEntityError")),
    ],
)
def test_what_does_not_add_up_or_is_for_nothing_known_is_refused_whole(
    own: Api, path: str, change: dict[str, Any], refusal: tuple[int, str]
) -> None:
    before, wanted = own.rows(path), body(own, path, some(own))
    for name, value in change.items():
        if name == "amount_cents":
            wanted[name] = value
        else:
            wanted["allocations"][0]["target"] = {"type": name, "value": value}
    assert refused(own.http.post(path, json=wanted)) == refusal
    assert own.rows(path) == before


@pytest.mark.parametrize("place", [0, -1])
def test_a_payment_can_be_for_every_kind_of_target(own: Api, place: int) -> None:
    encounter = some(own, place)
    patient = encounter["patient"]["external_id"]
    appointment = next(
        row for row in own.ok("/appointments/v1/updates/scan", since="2000-01-01T00:00:00Z") if row["patient_id"]
    )
    targets = [
        {"type": "claim_by_encounter_external_id", "value": encounter["external_id"]},
        {"type": "billing_provider_by_id", "value": encounter["billing_provider"]["provider_id"]},
        {"type": "unattributed"},
        {
            "type": "appointment_by_id_and_patient_external_id",
            "appointment_id": appointment["id"],
            "patient_external_id": appointment["patient_id"],
        },
    ]
    parts = [{"amount_cents": 5, "target": target} for target in targets]
    wanted = {"amount_cents": 20, "patient_external_id": patient, "allocations": parts}
    made = own.http.post(PATIENT, json=wanted).json()
    kinds = [part["target"]["type"] for part in made["allocations"]]
    assert kinds == ["claim", "billing_provider_id", "unattributed", "appointment"]
    assert made in own.rows(PATIENT, billing_provider_id=encounter["billing_provider"]["provider_id"])
    assert made in own.rows(PATIENT, unattributed="true")
    parts[3]["target"]["patient_external_id"] = NOWHERE  # type: ignore[index]
    assert own.http.post(PATIENT, json=wanted).status_code == 404


def test_a_payment_for_another_patients_claim_is_refused(own: Api) -> None:
    wanted = body(own, PATIENT, some(own)) | {"patient_external_id": "somebody else"}
    assert refused(own.http.post(PATIENT, json=wanted)) == (422, "UnprocessableEntityError")


def test_a_refund_that_may_not_overdraw_says_by_how_much_it_would(own: Api) -> None:
    encounter = some(own, 3)
    own.http.post(PATIENT, json=body(own, PATIENT, encounter, 500))
    wanted = body(own, REFUNDS, encounter, 800) | {"raise_on_overdraft": True}
    answer = own.http.post(REFUNDS, json=wanted)
    assert refused(answer) == (422, "ReallocationWouldOverdraftError")
    [detail] = answer.json()["content"]["allocation_details"]
    assert (detail["patient_paid_amount_cents"], detail["overage_amount_cents"]) == (500, 300)
    assert own.http.post(REFUNDS, json=wanted | {"raise_on_overdraft": False}).status_code == 200


@pytest.mark.parametrize("name", ["payment_method_detail", "invoice", "allocation_restrictions", "payment_source"])
def test_what_comes_with_a_patients_payment_is_checked(own: Api, name: str) -> None:
    known = body(own, PATIENT, some(own))
    bad: dict[str, Any] = {
        "payment_method_detail": {"payment_method": {"type": "check"}},
        "invoice": NOWHERE,
        "allocation_restrictions": [{"restriction_type": "billing_provider_npi", "restriction_value": "1"}] * 2,
        "payment_source": "STRIPE",
    }
    assert own.http.post(PATIENT, json=known | {name: bad[name]}).status_code == (404 if name == "invoice" else 422)


def test_a_refund_of_an_unknown_insurance_refund_is_403_as_documented_but_changing_one_404(own: Api) -> None:
    assert refused(own.get(f"{INSURANCE}/{NOWHERE}")) == (403, "UnauthorizedError")
    assert refused(own.http.patch(f"{INSURANCE}/{NOWHERE}", json={})) == (404, "EntityNotFoundError")


# --- write-offs


def write_offs(api: Api, encounter: dict[str, Any]) -> list[dict[str, Any]]:
    line = encounter["claims"][0]["service_lines"][0]["service_line_id"]
    card = encounter["subscriber_primary"]["insurance_card"]
    payer = api.rows("/api/non-insurance-payers/v1")[0]["non_insurance_payer_id"]
    shared = {"write_off_timestamp": "2026-03-16T00:00:00Z", "write_off_reason": "SMALL_BALANCE", "amount_cents": 30}
    identifier = {"type": "payer_info", "payer_id": card["payer_id"], "payer_name": card["payer_name"]}
    target = {"type": "claim_id", "value": encounter["claims"][0]["claim_id"]}
    return [
        {"type": "patient", "service_line_id": line, **shared},
        {"type": "insurance", "payer_identifier": identifier, "write_off_target": target, **shared},
        {"type": "non_insurance_payer", "non_insurance_payer_id": payer, "service_line_id": line, **shared},
    ]


def test_write_offs_of_all_kinds_lower_balances_until_they_are_reverted(own: Api) -> None:
    encounter = some(own, -4)
    claim_id = encounter["claims"][0]["claim_id"]
    owed = own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"]
    made = own.http.post(WRITE_OFFS, json={"write_offs": write_offs(own, encounter)}).json()["write_offs"]
    assert [row["type"] for row in made] == ["patient", "insurance", "non_insurance_payer"]
    assert own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"] == owed - 60
    for row, kind in zip(made, ("PATIENT", "INSURANCE", "THIRD_PARTY_PAYER"), strict=True):
        assert own.ok(f"{WRITE_OFFS}/{row['write_off_id']}") == row
        assert row in own.rows(WRITE_OFFS, account_types=kind, claim_id=claim_id)
        reversal = own.http.post(f"{WRITE_OFFS}/{row['write_off_id']}/revert").json()
        assert (reversal["amount_cents"], reversal["reverts_write_off_id"]) == (-30, row["write_off_id"])
        known = own.ok(f"{WRITE_OFFS}/{row['write_off_id']}")
        assert known["reverted_by_write_off_id"] == reversal["write_off_id"]
        assert own.http.post(f"{WRITE_OFFS}/{row['write_off_id']}/revert").status_code == 422
    assert own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"] == owed
    payer = encounter["subscriber_primary"]["insurance_card"]["payer_uuid"]
    assert made[1]["write_off_id"] in [row["write_off_id"] for row in own.rows(WRITE_OFFS, payer_uuid=payer)]


def test_several_write_offs_are_made_together_or_not_at_all(own: Api) -> None:
    before, wanted = own.rows(WRITE_OFFS), write_offs(own, some(own))
    wanted[2]["service_line_id"] = NOWHERE
    assert refused(own.http.post(WRITE_OFFS, json={"write_offs": wanted})) == (404, "EntityNotFoundError")
    wanted[0]["write_off_reason"] = "WHIM"
    assert own.http.post(WRITE_OFFS, json={"write_offs": wanted}).status_code == 422
    assert own.rows(WRITE_OFFS) == before


def test_an_adjustment_of_an_era_is_posted_with_its_payment_and_can_be_reverted_once(own: Api) -> None:
    encounter = next(row for row in own.rows("/api/encounters/v4", limit=1000) if row["claims"][0]["eras"])
    era = encounter["claims"][0]["eras"][0]["era_id"]
    remit = f"/api/external-consolidated-remit/v1/{era}"
    assert own.ok(f"{remit}/era-payments")["era_payments"][0]["era_payment"]["id"] == era
    rows = own.rows(f"{remit}/transactions")
    lines = encounter["claims"][0]["service_lines"]
    assert sum(row["amount_cents"] for row in rows) == sum(
        line["charge_amount_cents"] - line["patient_responsibility_cents"] for line in lines
    )
    adjustment = own.rows(f"{remit}/transactions", transaction_type="insurance_adjustment")[0]
    revert = f"{WRITE_OFFS}/{adjustment['id']}/revert-era-originated"
    reversal = own.http.post(revert).json()
    assert own.http.post(revert).status_code == 422
    [void] = own.rows(f"{remit}/transactions", transaction_id=reversal)
    assert (void["is_void"], void["reverses_adjustment_id"]) == (True, adjustment["id"])
    shown = own.ok(f"/api/encounters/v4/{encounter['encounter_id']}")["claims"][0]["service_lines"]
    assert sum(line["insurance_balance_cents"] for line in shown) == adjustment["amount_cents"]
    adjudication = own.ok(f"/api/insurance-adjudications/v1/{era}")
    assert list(adjudication["claims"]) == [encounter["claims"][0]["claim_id"]]
    assert refused(own.get(f"/api/insurance-adjudications/v1/{NOWHERE}")) == (403, "UnauthorizedError")
    assert refused(own.get(f"/api/external-consolidated-remit/v1/{NOWHERE}/transactions"))[0] == 404
