"""What patients owe: the inventory follows every payment, and an itemization adds up to what the encounter shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running
from candid_provider.emulator.catalogue import required_body

from .conftest import SMALL, Api, connected

INVENTORY, ITEMIZED = "/api/patient-ar/v1/inventory", "/api/patient-ar/v1/invoice-itemization"
PAYMENTS, WRITE_OFFS = "/api/patient-payments/v4", "/api/write-offs/v1"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def own() -> Iterator[Api]:
    """An emulator of one's own, to be written to."""
    with running(SMALL) as emulator, connected(emulator) as http:
        yield Api(http)


def untouched(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inventory row and the encounter of a claim on which nothing was paid yet."""
    for row in api.rows(INVENTORY):
        encounter = api.ok(f"/api/encounters/v4/{row['encounter_id']}")
        lines = encounter["claims"][0]["service_lines"]
        if len(lines) > 1 and all(
            line["patient_balance_cents"] == line["patient_responsibility_cents"] for line in lines
        ):
            return row, encounter
    raise AssertionError("every claim was paid on")


def created(api: Api, external_id: str) -> dict[str, Any]:
    """An encounter of one's own, with one service line."""
    line = {"procedure_code": "99213", "quantity": "1", "units": "UN", "diagnosis_pointers": [0]}
    body = required_body("encounters.v_4.create") | {
        "external_id": external_id,
        "date_of_service": "2026-03-15",
        "service_lines": [line | {"charge_amount_cents": 9_900}],
    }
    answer = api.http.post("/api/encounters/v4", json=body)
    assert answer.status_code == 200, answer.text
    encounter: dict[str, Any] = answer.json()
    return encounter


def pay(api: Api, row: dict[str, Any], cents: int, **target: Any) -> dict[str, Any]:
    answer = api.http.post(
        PAYMENTS,
        json={
            "amount_cents": cents,
            "patient_external_id": row["patient_external_id"],
            "allocations": [{"amount_cents": cents, "target": target}],
        },
    )
    assert answer.status_code == 200, answer.text
    payment: dict[str, Any] = answer.json()
    return payment


def test_every_itemization_adds_up_and_equals_what_the_encounter_shows(api: Api) -> None:
    kinds = set()
    for row in api.rows(INVENTORY):
        items = api.ok(f"{ITEMIZED}/{row['claim_id']}")
        lines = api.ok(f"/api/encounters/v4/{row['encounter_id']}")["claims"][0]["service_lines"]
        parts = items["service_line_itemization"]
        assert [part["patient_balance_cents"] for part in parts] == [line["patient_balance_cents"] for line in lines]
        whole = sum(part["patient_balance_cents"] for part in parts)
        assert items["patient_balance_cents"] == whole - items["claim_level_patient_payments"]["total_payment_cents"]
        assert (items["patient_balance_cents"] > 0) == (row["patient_ar_status"] == "invoiceable")
        for part, line in zip(parts, lines, strict=True):
            assert part["charge_amount_cents"] == settled(part) + balances(line)
            assert part["patient_payments"]["total_payment_cents"] == sum(
                item["amount_cents"] for item in part["patient_payments"]["items"]
            )
        kinds.add((items["patient_balance_cents"] > 0) - (items["patient_balance_cents"] < 0))
    assert kinds == {0, 1}


def settled(part: dict[str, Any]) -> int:
    accounts = [value for name, value in part.items() if name.endswith(("_adjustments", "_payments"))]
    return sum(row.get("total_payment_cents", 0) + row.get("total_adjustment_cents", 0) for row in accounts)


def balances(line: dict[str, Any]) -> int:
    return int(line["patient_balance_cents"] + line["insurance_balance_cents"])


def test_a_payment_lowers_the_balance_everywhere_and_moves_the_row_to_the_end(own: Api) -> None:
    row, encounter = untouched(own)
    line = encounter["claims"][0]["service_lines"][0]
    before, seen = own.ok(f"{ITEMIZED}/{row['claim_id']}"), len(own.rows(INVENTORY))
    pay(own, row, 100, type="service_line_by_id", value=line["service_line_id"])
    after = own.ok(f"{ITEMIZED}/{row['claim_id']}")
    assert after["patient_balance_cents"] == before["patient_balance_cents"] - 100
    shown = own.ok(f"/api/encounters/v4/{row['encounter_id']}")["claims"][0]["service_lines"][0]
    assert shown["patient_balance_cents"] == line["patient_balance_cents"] - 100
    moved = own.rows(INVENTORY)
    assert len(moved) == seen
    assert moved[-1]["claim_id"] == row["claim_id"]
    assert own.rows(INVENTORY, since=moved[-1]["timestamp"]) == moved[-1:]


def test_paying_too_much_leaves_a_credit_and_deleting_the_payment_takes_it_back(own: Api) -> None:
    row, _ = untouched(own)
    owed = own.ok(f"{ITEMIZED}/{row['claim_id']}")["patient_balance_cents"]
    payment = pay(own, row, owed + 500, type="claim_by_id", value=row["claim_id"])
    items = own.ok(f"{ITEMIZED}/{row['claim_id']}")
    assert items["patient_balance_cents"] == -500
    assert items["claim_level_patient_payments"]["total_payment_cents"] == owed + 500
    assert own.rows(INVENTORY)[-1]["patient_ar_status"] == "non_invoiceable"
    assert own.http.delete(f"{PAYMENTS}/{payment['patient_payment_id']}").status_code == 204
    assert own.ok(f"{ITEMIZED}/{row['claim_id']}")["patient_balance_cents"] == owed
    assert own.rows(INVENTORY)[-1]["patient_ar_status"] == "invoiceable"


def test_deleting_a_payment_that_was_there_from_the_start_gives_the_balance_back(own: Api) -> None:
    payment = next(row for row in own.rows(PAYMENTS) if row["allocations"][0]["target"]["type"] == "service_line")
    claim_id = payment["allocations"][0]["target"]["claim_id"]
    before = own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"]
    for_claim = sum(a["amount_cents"] for a in payment["allocations"] if a["target"]["type"] == "service_line")
    own.http.delete(f"{PAYMENTS}/{payment['patient_payment_id']}")
    assert own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"] == before + for_claim


def test_a_payment_before_the_payer_answered_brings_the_claim_into_the_inventory_as_a_credit(own: Api) -> None:
    encounter = own.ok("/api/encounters/v4", limit=1)["items"][0]
    row = {"patient_external_id": encounter["patient"]["external_id"]}
    assert encounter["claims"][0]["claim_id"] not in {row["claim_id"] for row in own.rows(INVENTORY)}
    pay(own, row, 2_000, type="claim_by_encounter_external_id", value=encounter["external_id"])
    last = own.rows(INVENTORY)[-1]
    assert last["claim_id"] == encounter["claims"][0]["claim_id"]
    assert own.ok(f"{ITEMIZED}/{last['claim_id']}")["patient_balance_cents"] == -2_000


def test_rows_written_while_the_inventory_is_read_come_at_its_end_and_none_is_left_out(own: Api) -> None:
    first = own.ok(INVENTORY, limit=10)
    row, _ = untouched(own)
    pay(own, row, 100, type="claim_by_id", value=row["claim_id"])
    rest, token = [], first["next_page_token"]
    while token:
        page = own.ok(INVENTORY, limit=10, page_token=token)
        rest += page["records"]
        token = page["next_page_token"]
    assert rest[-1]["claim_id"] == row["claim_id"]
    assert {r["claim_id"] for r in first["records"] + rest} == {r["claim_id"] for r in own.rows(INVENTORY)}


def test_an_unknown_claim_is_404(api: Api) -> None:
    answer = api.get(f"{ITEMIZED}/{NOWHERE}")
    assert (answer.status_code, answer.json()["errorName"]) == (404, "EntityNotFoundError")
    assert answer.json()["content"] == {"id": NOWHERE}


@pytest.mark.parametrize(
    ("name", "value"),
    [("since", "yesterday"), ("since", "2026-03-15T00:00:00"), ("limit", "0"), ("limit", "101"), ("page_token", "x")],
)
def test_what_the_inventory_cannot_be_asked_with_is_its_own_error(api: Api, name: str, value: str) -> None:
    answer = api.get(INVENTORY, **{name: value})
    assert (answer.status_code, answer.json()["errorName"]) == (422, "InvalidFiltersError")
    assert name in answer.json()["content"]["message"]


def test_claims_that_are_adjudicated_later_come_in_at_their_instants_and_payments_stay(own: Api) -> None:
    encounter = own.ok("/api/encounters/v4", limit=1)["items"][0]
    row = {"patient_external_id": encounter["patient"]["external_id"]}
    pay(own, row, 2_000, type="claim_by_id", value=encounter["claims"][0]["claim_id"])
    before = own.rows(INVENTORY)
    own.http.post("/_emulator/clock", json={"advance": 86_400 * SMALL.days})
    after = own.rows(INVENTORY)
    assert after == sorted(after, key=lambda row: str(row["timestamp"]))
    assert after[: len(before) - 1] == before[:-1]
    assert len(after) > len(before)
    assert len({row["claim_id"] for row in after}) == len(after)
    for row in after[-9:]:
        shown = own.ok(f"/api/encounters/v4/{row['encounter_id']}")["claims"][0]["service_lines"]
        items = own.ok(f"{ITEMIZED}/{row['claim_id']}")
        paid = items["claim_level_patient_payments"]["total_payment_cents"]
        assert items["patient_balance_cents"] == sum(line["patient_balance_cents"] for line in shown) - paid


def test_an_encounter_of_ones_own_comes_into_the_inventory_when_it_leaves_a_balance(own: Api) -> None:
    made = [created(own, f"own-{number}") for number in range(9)]
    own.http.post("/_emulator/clock", json={"advance": 86_400 * SMALL.days})
    listed = {row["encounter_id"]: row for row in own.rows(INVENTORY)}
    owing = [
        row["encounter_id"]
        for row in (own.ok(f"/api/encounters/v4/{each['encounter_id']}") for each in made)
        if any(line["patient_balance_cents"] for line in row["claims"][0]["service_lines"])
    ]
    assert owing
    assert {name for name in (row["encounter_id"] for row in made) if name in listed} == set(owing)
    claim_id = listed[owing[0]]["claim_id"]
    owed = own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"]
    pay(own, listed[owing[0]], 40, type="claim_by_id", value=claim_id)
    assert own.ok(f"{ITEMIZED}/{claim_id}")["patient_balance_cents"] == owed - 40
