"""What patients paid (Candid: /api/patient-payments/v4)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import allocations, references
from candid_provider.emulator.endpoints.money.invoices import invoice_of_payment, known_invoice, payment_of_invoice
from candid_provider.emulator.endpoints.money.transactions import Listing, change, numbered, targeted
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.ranges import within
from candid_provider.emulator.world.settlements import PATIENT_PAYMENTS, PAYMENTS
from candid_provider.emulator.world.world import microseconds

SOURCES: Final = (
    *("MANUAL_ENTRY", "CHARGEBEE", "SQUARE", "STRIPE", "ELATION", "CEDAR", "HEALTHIE", "REALLOCATION"),
    *("PHREESIA", "INSTAMED", "SHERPA_HEALTH", "LOCKBOX"),
)
_METHODS: Final = {"cash": None, "card": None, "check": "check_number", "money_order": "money_order_serial_number"}


def _moment(state: State, index: int) -> int:
    return settlements.touched_first(state.world, PAYMENTS.position(index))


def _source_id(index: int) -> str:
    return f"patient_payment-{index:08d}"


def _make(state: State, index: int) -> Record:
    world = state.world
    number = settlements.encounter_at(world, PAYMENTS.position(index))
    encounter = encounters.encounter(world, state.organization, number)
    parts, moment = settlements.payment_parts(world, index, encounter), microseconds(_moment(state, index))
    return {
        "patient_payment_id": world.ids.uuid("patient_payment", index),
        "organization_id": state.organization.id,
        "source_internal_id": _source_id(index),
        "payment_source": settlements.source_of(world, index),
        "amount_cents": sum(part.cents for part in parts),
        "patient_external_id": encounter["patient"]["external_id"],
        "payment_timestamp": moment,
        "payment_note": None,
        "allocations": allocations.seeded(state, "patient_payment", index, parts, moment),
        "invoice": invoice_of_payment(state, index),
        "payment_method_detail": None,
    }


PATIENT_PAYMENT: Final = Kind(
    "patient_payment",
    "patient_payment_id",
    count=lambda state: PAYMENTS.total(state.world),
    make=_make,
    created=_moment,
    updated=_moment,
)
_LISTING: Final = Listing(PATIENT_PAYMENT, "payment_timestamp", ("payment_source", "amount_cents", "payment_note"))


@answers("patient_payments.v_4.get_multi")
def list_payments(asked: Asked) -> Record:
    query, state = asked.query, asked.state
    seeded, fits = targeted(asked, PAYMENTS)
    sources, unattributed = query.choices("sources", SOURCES), query.boolean("unattributed")
    source_id, invoice = query.text("source_internal_id"), query.uuid("invoice_id")
    if source_id is not None:
        seeded = within(seeded, numbered(source_id, _source_id))
    if sources and sources.isdisjoint(settlements.SOURCES):
        seeded = range(0)
    if invoice is not None:
        seeded = within(seeded, payment_of_invoice(state, invoice))

    def may(index: int) -> bool:
        return (not sources or settlements.source_of(state.world, index) in sources) and (
            not unattributed or settlements.has_prepaid(state.world, index)
        )

    def keep(row: Record) -> bool:
        return (
            fits(row)
            and (not sources or row["payment_source"] in sources)
            and (source_id is None or row["source_internal_id"] == source_id)
            and (invoice is None or row["invoice"] == invoice)
        )

    return _LISTING.answer(asked, seeded, keep, may)


@answers("patient_payments.v_4.get")
def get_payment(asked: Asked) -> Record:
    return found(asked, PATIENT_PAYMENT)


@answers("patient_payments.v_4.create")
def create_payment(asked: Asked) -> Record:
    body, state = asked.body, asked.state
    rows = state.of(PATIENT_PAYMENT)
    identifier, patient = rows.new_id(), body["patient_external_id"]
    check_restrictions(asked)
    record = {
        "patient_payment_id": identifier,
        "organization_id": state.organization.id,
        "source_internal_id": body.get("source_internal_id"),
        "payment_source": body.get("payment_source") or "MANUAL_ENTRY",
        "amount_cents": body["amount_cents"],
        "patient_external_id": patient,
        "payment_timestamp": body.get("payment_timestamp"),
        "payment_note": body.get("payment_note"),
        "allocations": allocations.resolve(asked, identifier, patient),
        "invoice": known_invoice(asked, body.get("invoice")),
        "payment_method_detail": _method(asked, body.get("payment_method_detail")),
    }
    rows.add(record)
    details = {"patient": patient, "source": record["source_internal_id"]}
    state.ledger.post(PATIENT_PAYMENTS, identifier, record["allocations"], **details)
    return record


def _method(asked: Asked, detail: Record | None) -> Record | None:
    if detail is None:
        return None
    method = detail["payment_method"]
    needed = _METHODS[method["type"]]
    facility = detail.get("organization_service_facility_id")
    if facility is not None and references.facility(asked, facility) is None:
        raise missing(asked.endpoint, facility)
    known = {"type": method["type"]} | ({needed: method[needed]} if needed else {})
    if method["type"] == "card":
        known["authorization_number"] = method.get("authorization_number")
    unset = {"collected_at_address": None, "provider_info": None}
    return {"payment_method": known} | {name: detail.get(name) for name in unset}


def check_restrictions(asked: Asked) -> None:
    """No restriction of what a credit may be used for is said twice."""
    restrictions = asked.body.get("allocation_restrictions") or ()
    pairs = [(row["restriction_type"], row["restriction_value"]) for row in restrictions]
    if len(set(pairs)) != len(pairs):
        raise unprocessable(asked.endpoint, "allocation_restrictions", "must be unique")


@answers("patient_payments.v_4.update")
def update_payment(asked: Asked) -> Record:
    record = change(asked, get_payment(asked), dated="payment_timestamp", note="payment_note", invoice="invoice")
    return asked.state.of(PATIENT_PAYMENT).put(record)


@answers("patient_payments.v_4.delete")
def delete_payment(asked: Asked) -> None:
    record = get_payment(asked)
    asked.state.of(PATIENT_PAYMENT).remove(record["patient_payment_id"])
    asked.state.ledger.undo(PATIENT_PAYMENTS, record["patient_payment_id"], record["allocations"])
