"""What insurances got back (Candid: /api/insurance-refunds/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import allocations, references
from candid_provider.emulator.endpoints.money.transactions import Listing, change, targeted
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.settlements import INSURANCE_PAYMENTS, INSURANCE_REFUNDS
from candid_provider.emulator.world.world import microseconds


def _moment(state: State, index: int) -> int:
    return settlements.touched_again(state.world, INSURANCE_REFUNDS.position(index))


def _payer(state: State, index: int) -> int:
    number = settlements.encounter_at(state.world, INSURANCE_REFUNDS.position(index))
    return state.world.payer_of(state.world.coverages_of(state.world.patient_of(number))[0])


def _make(state: State, index: int) -> Record:
    number = settlements.encounter_at(state.world, INSURANCE_REFUNDS.position(index))
    parts = settlements.repaid(encounters.encounter(state.world, state.organization, number))
    moment = microseconds(_moment(state, index))
    return {
        "insurance_refund_id": state.world.ids.uuid("insurance_refund", index),
        "payer": references.seeded_payer(state, _payer(state, index)),
        "amount_cents": sum(part.cents for part in parts),
        "refund_timestamp": moment,
        "refund_note": None,
        "allocations": allocations.seeded(state, "insurance_refund", index, parts, moment),
        "refund_reason": "OVERCHARGED",
    }


INSURANCE_REFUND: Final = Kind(
    "insurance_refund",
    "insurance_refund_id",
    count=lambda state: INSURANCE_REFUNDS.total(state.world),
    make=_make,
    created=_moment,
    updated=_moment,
)
_LISTING: Final = Listing(INSURANCE_REFUND, "refund_timestamp", ("amount_cents", "refund_note", "refund_reason"))


@answers("insurance_refunds.v_1.get_multi")
def list_refunds(asked: Asked) -> Record:
    payer, state = asked.query.uuid("payer_uuid"), asked.state
    number = None if payer is None else state.world.ids.index("payer", payer, state.config.payers)
    seeded, fits = targeted(asked, INSURANCE_REFUNDS)

    def keep(row: Record) -> bool:
        return fits(row) and (payer is None or row["payer"]["payer_uuid"] == payer)

    return _LISTING.answer(asked, seeded, keep, lambda index: payer is None or _payer(state, index) == number)


@answers("insurance_refunds.v_1.get")
def get_refund(asked: Asked) -> Record:
    record = asked.state.of(INSURANCE_REFUND).get(asked.id)
    if record is None:
        # Documented so: what does not exist is answered like what belongs to somebody else.
        raise declared(asked.endpoint, "UnauthorizedError", {"message": "There is no such refund of yours"})
    return record


@answers("insurance_refunds.v_1.create")
def create_refund(asked: Asked) -> Record:
    body, rows = asked.body, asked.state.of(INSURANCE_REFUND)
    identifier = rows.new_id()
    record = {
        "insurance_refund_id": identifier,
        "payer": references.identified_payer(asked, body["payer_identifier"]),
        "amount_cents": body["amount_cents"],
        "refund_timestamp": body.get("refund_timestamp"),
        "refund_note": body.get("refund_note"),
        "allocations": allocations.resolve(asked, identifier, None),
        "refund_reason": body.get("refund_reason"),
    }
    rows.add(record)
    asked.state.ledger.post(INSURANCE_PAYMENTS, identifier, record["allocations"], sign=-1)
    return record


@answers("insurance_refunds.v_1.update")
def update_refund(asked: Asked) -> Record:
    record = change(asked, found(asked, INSURANCE_REFUND), dated="refund_timestamp", note="refund_note")
    return asked.state.of(INSURANCE_REFUND).put(record)


@answers("insurance_refunds.v_1.delete")
def delete_refund(asked: Asked) -> None:
    record = found(asked, INSURANCE_REFUND)
    asked.state.of(INSURANCE_REFUND).remove(record["insurance_refund_id"])
    asked.state.ledger.undo(INSURANCE_PAYMENTS, record["insurance_refund_id"], record["allocations"])
