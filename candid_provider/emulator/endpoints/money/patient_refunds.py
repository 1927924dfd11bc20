"""What patients got back (Candid: /api/patient-refunds/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import allocations, references
from candid_provider.emulator.endpoints.money.invoices import known_invoice
from candid_provider.emulator.endpoints.money.patient_payments import SOURCES, check_restrictions
from candid_provider.emulator.endpoints.money.transactions import REFUND_REASONS, Listing, change, targeted
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.ledger import key_of
from candid_provider.emulator.world.settlements import PATIENT_PAYMENTS, PAYMENTS, PREPAID_CENTS, REFUNDS
from candid_provider.emulator.world.world import microseconds


def _moment(state: State, index: int) -> int:
    return settlements.touched_again(state.world, REFUNDS.position(index))


def _make(state: State, index: int) -> Record:
    world = state.world
    number = settlements.encounter_at(world, REFUNDS.position(index))
    encounter = encounters.encounter(world, state.organization, number)
    parts, moment = settlements.refund_parts(world, index, encounter), microseconds(_moment(state, index))
    return {
        "patient_refund_id": world.ids.uuid("patient_refund", index),
        "organization_id": state.organization.id,
        "source_internal_id": f"patient_refund-{index:08d}",
        "refund_source": "MANUAL_ENTRY",
        "amount_cents": sum(part.cents for part in parts),
        "patient_external_id": encounter["patient"]["external_id"],
        "refund_timestamp": moment,
        "refund_note": None,
        "allocations": allocations.seeded(state, "patient_refund", index, parts, moment),
        "invoice": None,
        "refund_reason": REFUND_REASONS[index % len(REFUND_REASONS)],
    }


PATIENT_REFUND: Final = Kind(
    "patient_refund",
    "patient_refund_id",
    count=lambda state: REFUNDS.total(state.world),
    make=_make,
    created=_moment,
    updated=_moment,
)
_SORTS: Final = ("refund_source", "amount_cents", "refund_reason", "refund_note")
_LISTING: Final = Listing(PATIENT_REFUND, "refund_timestamp", _SORTS)


@answers("patient_refunds.v_1.get_multi")
def list_refunds(asked: Asked) -> Record:
    query = asked.query
    seeded, fits = targeted(asked, REFUNDS)
    sources, invoice = query.choices("sources", SOURCES), query.uuid("invoice_id")
    if invoice is not None or query.boolean("unattributed") or (sources and "MANUAL_ENTRY" not in sources):
        seeded = range(0)

    def keep(row: Record) -> bool:
        return (
            fits(row)
            and (not sources or row["refund_source"] in sources)
            and (invoice is None or row["invoice"] == invoice)
        )

    return _LISTING.answer(asked, seeded, keep)


@answers("patient_refunds.v_1.get")
def get_refund(asked: Asked) -> Record:
    return found(asked, PATIENT_REFUND)


@answers("patient_refunds.v_1.create")
def create_refund(asked: Asked) -> Record:
    body, state = asked.body, asked.state
    rows = state.of(PATIENT_REFUND)
    identifier, patient = rows.new_id(), body["patient_external_id"]
    check_restrictions(asked)
    record = {
        "patient_refund_id": identifier,
        "organization_id": state.organization.id,
        "source_internal_id": None,
        "refund_source": "MANUAL_ENTRY",
        "amount_cents": body["amount_cents"],
        "patient_external_id": patient,
        "refund_timestamp": body.get("refund_timestamp"),
        "refund_note": body.get("refund_note"),
        "allocations": allocations.resolve(asked, identifier, patient),
        "invoice": known_invoice(asked, body.get("invoice")),
        "refund_reason": body.get("refund_reason"),
    }
    if body.get("raise_on_overdraft"):
        _refuse_overdraft(asked, record["allocations"], patient)
    rows.add(record)
    state.ledger.post(PATIENT_PAYMENTS, identifier, record["allocations"], sign=-1, patient=patient)
    return record


def _refuse_overdraft(asked: Asked, rows: list[Record], patient: str) -> None:
    wanted: dict[str, int] = {}
    targets = {}
    for row in rows:
        key = key_of(row["target"], patient)
        wanted[key], targets[key] = wanted.get(key, 0) + row["amount_cents"], row["target"]
    details = []
    for key, cents in wanted.items():
        paid = _paid(asked.state, key, targets[key], patient)
        if cents > paid:
            details.append(_overdraft(targets[key], paid, cents - paid))
    if details:
        content = {"messages": [row["error_message"] for row in details], "allocation_details": details}
        raise declared(asked.endpoint, "ReallocationWouldOverdraftError", content)


def _overdraft(target: Record, paid: int, over: int) -> Record:
    return {
        "allocation_target": target,
        "patient_paid_amount_cents": paid,
        "current_balance_cents": paid,
        "overage_amount_cents": over,
        "error_message": f"The {target['type']} holds {paid} cents of the patient's, {over} too few",
    }


def _paid(state: State, key: str, target: Record, patient: str) -> int:
    if "claim_id" in target:
        known = references.find_claim(state, target["claim_id"])
        return state.ledger.total(PATIENT_PAYMENTS, key, known.encounter if known else None)
    total = state.ledger.total(PATIENT_PAYMENTS, key)
    return total + _prepaid(state, patient) if target["type"] == "unattributed" else total


def _prepaid(state: State, patient: str) -> int:
    seeded = PAYMENTS.indices(state.world, references.encounters_of_patient(state, patient))
    undone = state.ledger.is_undone
    ids = (state.world.ids.uuid("patient_payment", n) for n in seeded if settlements.has_prepaid(state.world, n))
    return PREPAID_CENTS * sum(not undone(identifier) for identifier in ids)


@answers("patient_refunds.v_1.update")
def update_refund(asked: Asked) -> Record:
    record = change(asked, get_refund(asked), dated="refund_timestamp", note="refund_note", invoice="invoice")
    return asked.state.of(PATIENT_REFUND).put(record)


@answers("patient_refunds.v_1.delete")
def delete_refund(asked: Asked) -> None:
    record = get_refund(asked)
    asked.state.of(PATIENT_REFUND).remove(record["patient_refund_id"])
    asked.state.ledger.undo(PATIENT_PAYMENTS, record["patient_refund_id"], record["allocations"])
