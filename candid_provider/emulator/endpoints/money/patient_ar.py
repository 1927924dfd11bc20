"""Patients' balances (Candid: /api/patient-ar/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.references import Claimed
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import Refusal, declared, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed, Key
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import settlements
from candid_provider.emulator.world.ledger import Entry, claim_balance
from candid_provider.emulator.world.settlements import (
    INSURANCE_ADJUSTMENTS,
    INSURANCE_PAYMENTS,
    NON_INSURANCE_ADJUSTMENTS,
    NON_INSURANCE_PAYMENTS,
    PATIENT_ADJUSTMENTS,
    PATIENT_PAYMENTS,
)
from candid_provider.emulator.world.world import microseconds

# Places in the order of things, for each position: the balance arises; an earlier claim is touched; or again.
_PLACES: Final = 3


@answers("patient_ar.v_1.list_inventory")
def list_inventory(asked: Asked) -> Record:
    inventory = _Inventory(asked.state)
    try:
        rows = inventory.feed().between(asked.query.instant("since"), None)
        return page(asked, rows, inventory.row)
    except Refusal as refusal:
        # This listing has an error of its own for whatever it is asked with.
        raise _invalid(asked, refusal) from None


def _invalid(asked: Asked, refusal: Refusal) -> Refusal:
    content = refusal.body.get("content")
    problem = content[0] if isinstance(content, list) else content or {}
    if refusal.status != 422:
        return refusal
    parts = (problem.get(name) for name in ("fieldName", "humanReadableMessage", "message"))
    return declared(asked.endpoint, "InvalidFiltersError", {"message": " ".join(part for part in parts if part)})


class _Inventory:
    """The claims that have, or had, a patient balance, each at the time when it last changed."""

    def __init__(self, state: State) -> None:
        self._state, self._world, self._ledger = state, state.world, state.ledger

    def feed(self) -> Feed:
        places = range(_PLACES * len(self._world.inventory_rows()))
        return Feed(places, self._moment, self._ledger.touched_at)

    def _moment(self, number: int) -> int:
        position, place = divmod(number, _PLACES)
        # The places that touch earlier claims are told by the balance that arises at this position.
        arisen = self._world.adjudicated(settlements.encounter_at(self._world, position))
        return arisen + (0, settlements.FIRST_TOUCH, settlements.SECOND_TOUCH)[place]

    def row(self, key: Key) -> Record | None:
        """The row at a place; None if there is none, or if its claim has a later one."""
        position = self._position(key)
        if position is None:
            return self._touched(key) if key.written else None
        if self._latest_place(position) != key.number:
            return None
        encounter = settlements.encounter_at(self._world, position)
        touch = self._ledger.last_touch(self._world.ids.uuid("claim", encounter))
        if touch is not None and self._ledger.touched_at[touch] >= key.order:
            return None
        return self._row(self._state.of(ENCOUNTERS).id_of(encounter), self._world.ids.uuid("claim", encounter), key)

    def _position(self, key: Key) -> int | None:
        """The position of the claim that a seeded place is about, if it is about any."""
        if key.written:
            return None
        position, place = divmod(key.number, _PLACES)
        position -= place * settlements.lag(self._world)
        if place == 0:
            return position
        fits = 0 <= position < settlements.positions(self._world)
        return position if fits and settlements.is_touched(position, again=place == 2) else None

    def _latest_place(self, position: int) -> int:
        settled = position < settlements.positions(self._world)
        for place in (2, 1) if settled else ():
            if settlements.is_touched(position, again=place == 2):
                return _PLACES * (position + place * settlements.lag(self._world)) + place
        return _PLACES * position

    def _touched(self, key: Key) -> Record | None:
        touch = self._ledger.touches[key.number]
        if self._ledger.last_touch(touch.claim_id) != key.number:
            return None
        index = self._world.ids.index("encounter", touch.encounter_id, self._world.encounters)
        owes = index is not None and self._world.owes(index)
        if index is not None and owes and self._world.adjudicated(index) > key.order:
            return None
        return self._row(touch.encounter_id, touch.claim_id, key)

    def _row(self, encounter_id: str, claim_id: str, key: Key) -> Record | None:
        encounter = self._state.of(ENCOUNTERS).get(encounter_id)
        claims = [claim for claim in encounter["claims"] if claim["claim_id"] == claim_id] if encounter else []
        if encounter is None or not claims:
            return None
        owed = claim_balance(self._ledger, claims[0], encounter)
        return {
            "claim_id": claim_id,
            "encounter_id": encounter_id,
            "timestamp": microseconds(key.order),
            "patient_external_id": encounter["patient"]["external_id"],
            "patient_ar_status": "invoiceable" if owed > 0 else "non_invoiceable",
        }


@answers("patient_ar.v_1.itemize")
def itemize(asked: Asked) -> Record:
    found = references.find_claim(asked.state, asked.id)
    if found is None:
        raise missing(asked.endpoint, asked.id)
    ledger, claim = asked.state.ledger, found.claim
    paid = ledger.entries(PATIENT_PAYMENTS, f"claim:{claim['claim_id']}", found.encounter)
    return {
        "claim_id": claim["claim_id"],
        "patient_balance_cents": claim_balance(ledger, claim, found.encounter),
        "organization_service_facility_id": found.encounter["service_facility"]["service_facility_id"],
        "claim_level_patient_payments": _payments(paid),
        "service_line_itemization": [_itemized(asked.state, found, line) for line in claim["service_lines"]],
    }


def _itemized(state: State, found: Claimed, line: Record) -> Record:
    key, charge = f"service_line:{line['service_line_id']}", line["charge_amount_cents"] or 0

    def total(account: str) -> int:
        return state.ledger.total(account, key, found.encounter)

    allowed = line["allowed_amount_cents"]
    contractual = 0 if allowed is None else charge - allowed
    return {
        "service_line_id": line["service_line_id"],
        "procedure_code": line["procedure_code"] or "",
        "date_of_service": line["date_of_service"],
        "patient_balance_cents": line["patient_balance_cents"] or 0,
        "charge_amount_cents": charge,
        "insurance_adjustments": {"total_adjustment_cents": contractual + total(INSURANCE_ADJUSTMENTS)},
        "insurance_payments": {"total_payment_cents": (line["paid_amount_cents"] or 0) + total(INSURANCE_PAYMENTS)},
        "non_insurance_adjustments": {"total_adjustment_cents": total(NON_INSURANCE_ADJUSTMENTS)},
        "non_insurance_payments": {"total_payment_cents": total(NON_INSURANCE_PAYMENTS)},
        "patient_adjustments": {"total_adjustment_cents": total(PATIENT_ADJUSTMENTS)},
        "patient_payments": _payments(state.ledger.entries(PATIENT_PAYMENTS, key, found.encounter)),
        "copay_cents": line["copay_cents"] or 0,
        "coinsurance_cents": line["coinsurance_cents"] or 0,
        "deductible_cents": line["deductible_cents"] or 0,
    }


def _payments(entries: list[Entry]) -> Record:
    items = [{"source_id": entry.source, "amount_cents": entry.cents} for entry in entries]
    return {"total_payment_cents": sum(entry.cents for entry in entries), "items": items}
