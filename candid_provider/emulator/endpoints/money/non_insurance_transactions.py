"""What non-insurance payers paid and got back (Candid: /api/non-insurance-payer-payments/v1, …-refunds/v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import allocations
from candid_provider.emulator.endpoints.money.invoices import known_invoice
from candid_provider.emulator.endpoints.money.non_insurance_payers import payer_of, required
from candid_provider.emulator.endpoints.money.transactions import Listing, change, numbered
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.ranges import within
from candid_provider.emulator.world.settlements import (
    NON_INSURANCE_PAYMENTS,
    THIRD_PARTY_PAYMENTS,
    THIRD_PARTY_REFUNDS,
    Series,
)
from candid_provider.emulator.world.world import microseconds


@dataclass(frozen=True)
class _Money:
    """Payments or refunds: they differ in their names, in the direction, and in a reason."""

    noun: str
    series: Series
    sign: int
    prefix: str

    @property
    def name(self) -> str:
        return f"non_insurance_payer_{self.noun}"

    def moment(self, state: State, index: int) -> int:
        touched = settlements.touched_first if self.sign > 0 else settlements.touched_again
        return touched(state.world, self.series.position(index))

    def check(self, index: int) -> str:
        return f"{self.prefix}{index:08d}"

    def payer(self, state: State, index: int) -> Record:
        # A refund goes to who paid: every fourth payment is partly refunded.
        payment = index * self.series.step // THIRD_PARTY_PAYMENTS.step
        return payer_of(state, state.world.ids.draw("non_insurance_payer_payment", payment))

    def make(self, state: State, index: int) -> Record:
        number = settlements.encounter_at(state.world, self.series.position(index))
        encounter = encounters.encounter(state.world, state.organization, number)
        parts = settlements.one_line(encounter, 1, 2 if self.sign > 0 else 4)
        moment = microseconds(self.moment(state, index))
        record = {
            f"{self.name}_id": state.world.ids.uuid(self.name, index),
            "non_insurance_payer": self.payer(state, index),
            "amount_cents": sum(part.cents for part in parts),
            "check_number": self.check(index),
            f"{self.noun}_timestamp": moment,
            f"{self.noun}_note": None,
            "allocations": allocations.seeded(state, self.name, index, parts, moment),
            "invoice_id": None,
        }
        return record if self.sign > 0 else record | {"refund_reason": "OVERCHARGED"}

    def kind(self) -> Kind:
        return Kind(
            self.name,
            f"{self.name}_id",
            count=lambda state: self.series.total(state.world),
            make=self.make,
            created=self.moment,
            updated=self.moment,
        )


def _register(money: _Money) -> Kind:
    kind = money.kind()
    area, dated = f"{money.name}s.v_1", f"{money.noun}_timestamp"
    listing = Listing(kind, dated, ("amount_cents",))

    @answers(f"{area}.get_multi")
    def list_rows(asked: Asked) -> Record:
        return _page(asked, money, listing)

    @answers(f"{area}.get")
    def get_row(asked: Asked) -> Record:
        return found(asked, kind)

    @answers(f"{area}.create")
    def create_row(asked: Asked) -> Record:
        rows = asked.state.of(kind)
        record = _created(asked, money, rows.new_id())
        rows.add(record)
        posted = record["allocations"]
        asked.state.ledger.post(NON_INSURANCE_PAYMENTS, record[kind.id_field], posted, sign=money.sign)
        return record

    @answers(f"{area}.update")
    def update_row(asked: Asked) -> Record:
        before = found(asked, kind)
        changed = change(asked, before, dated=dated, note=f"{money.noun}_note", invoice="invoice_id")
        return asked.state.of(kind).put(changed)

    @answers(f"{area}.delete")
    def delete_row(asked: Asked) -> None:
        record = found(asked, kind)
        asked.state.of(kind).remove(record[kind.id_field])
        asked.state.ledger.undo(NON_INSURANCE_PAYMENTS, record[kind.id_field], record["allocations"])

    return kind


def _page(asked: Asked, money: _Money, listing: Listing) -> Record:
    query = asked.query
    payer, invoice = query.uuid("non_insurance_payer_id"), query.uuid("invoice_id")
    checks = set(query.texts("check_number"))
    seeded = range(money.series.total(asked.state.world)) if invoice is None else range(0)
    if checks:
        known = [within(seeded, numbered(check, money.check)) for check in checks]
        hits = sorted(hit[0] for hit in known if hit)
        seeded = range(hits[0], hits[-1] + 1) if hits else range(0)

    def may(index: int) -> bool:
        return payer is None or money.payer(asked.state, index)["non_insurance_payer_id"] == payer

    def keep(row: Record) -> bool:
        return (
            (payer is None or row["non_insurance_payer"]["non_insurance_payer_id"] == payer)
            and (invoice is None or row["invoice_id"] == invoice)
            and (not checks or row["check_number"] in checks)
        )

    return listing.answer(asked, seeded, keep, may)


def _created(asked: Asked, money: _Money, identifier: str) -> dict[str, Any]:
    body = asked.body
    record = {
        f"{money.name}_id": identifier,
        "non_insurance_payer": required(asked, body["non_insurance_payer_id"]),
        "amount_cents": body["amount_cents"],
        "check_number": body.get("check_number"),
        f"{money.noun}_timestamp": body.get(f"{money.noun}_timestamp"),
        f"{money.noun}_note": body.get(f"{money.noun}_note"),
        "allocations": allocations.resolve(asked, identifier, None),
        "invoice_id": known_invoice(asked, body.get("invoice_id")),
    }
    if money.sign > 0:
        return record
    return record | {"refund_reason": body.get("refund_reason")}


NON_INSURANCE_PAYER_PAYMENT: Final = _register(_Money("payment", THIRD_PARTY_PAYMENTS, 1, "NIP"))
NON_INSURANCE_PAYER_REFUND: Final = _register(_Money("refund", THIRD_PARTY_REFUNDS, -1, "NIR"))
