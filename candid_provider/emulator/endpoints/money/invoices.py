"""The invoices of the seeded world, and which payments were made on them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from candid_provider.emulator.endpoints.money.invoice_items import claim_items
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.people import mrn
from candid_provider.emulator.world.settlements import PAYMENTS, common
from candid_provider.emulator.world.world import microseconds

STATUSES: Final = ("DRAFT", "OPEN", "PAID", "VOID", "UNCOLLECTIBLE", "HELD")
_UNPAID: Final = ("OPEN", "OPEN", "OPEN", "HELD", "DRAFT", "VOID", "UNCOLLECTIBLE", "OPEN")
_PREFIX: Final = "inv-"
_DAYS_UNTIL_DUE: Final = 30
# Positions (see settlements) of two in four claims: one that was paid, one that was not.
_PLACES: Final = (0, 3)
_DELAY: Final = 200


def invoice_of_payment(state: State, payment: int) -> str | None:
    """The invoice that seeded patient payment `payment` was made on: every second one."""
    return None if payment % 2 else state.world.ids.uuid("invoice", 2 * payment)


def payment_of_invoice(state: State, invoice_id: str) -> range:
    """The seeded patient payments made on an invoice."""
    index = state.world.ids.index("invoice", invoice_id, _count(state))
    if index is None or index % 4:
        return range(0)
    return range(index // 2, index // 2 + 1)


def _count(state: State) -> int:
    return 2 * PAYMENTS.total(state.world)


def encounter_of(state: State, index: int) -> int:
    turn, place = divmod(index, 2)
    return settlements.encounter_at(state.world, 4 * turn + _PLACES[place])


def created_at(state: State, index: int) -> int:
    return state.world.adjudicated(encounter_of(state, index)) + _DELAY


def status_of(state: State, index: int) -> str:
    if index % 4 == 0:
        return "PAID"
    return _UNPAID[state.world.ids.draw("invoice-status", index) % len(_UNPAID)]


def _make(state: State, index: int) -> Record:
    world = state.world
    encounter = encounters.encounter(world, state.organization, encounter_of(state, index))
    claim, created, status = encounter["claims"][0], created_at(state, index), status_of(state, index)
    paid = settlements.touched_first(world, 4 * (index // 2)) if status == "PAID" else created
    lines = {line["service_line_id"]: line["patient_responsibility_cents"] or 0 for line in claim["service_lines"]}
    return {
        "id": world.ids.uuid("invoice", index),
        "created_at": microseconds(created),
        "updated_at": microseconds(paid),
        "items": {"claim_invoice_items": {claim["claim_id"]: claim_items(claim["claim_id"], None, lines)}}
        | {"unattributed_items": []},
        "patient_external_id": encounter["patient"]["external_id"],
        "external_customer_identifier": f"cus-{mrn(world.patient_of(encounter_of(state, index)))}",
        "status": status,
        "external_identifier": f"{_PREFIX}{index:08d}",
        "note": None,
        "customer_invoice_url": f"https://pay.example.com/{_PREFIX}{index:08d}",
        "due_date": due_date(microseconds(created)),
        "amount_cents": sum(lines.values()),
    }


def invoices_on(state: State, billed: range) -> list[int]:
    """The seeded invoices for some encounters, which lie evenly."""
    step, turns = settlements.encounter_at(state.world, 1), _count(state) // len(_PLACES)
    found = (common(place * step, PAYMENTS.step * step, turns, billed) for place in _PLACES)
    return sorted(len(_PLACES) * turn + place for place, hits in enumerate(found) for turn in hits)


def made_by(due: date) -> int:
    """The first instant (microseconds since 1970) at which an invoice is made that is due on a day."""
    return (due - timedelta(days=_DAYS_UNTIL_DUE) - date(1970, 1, 1)).days * 86_400_000_000


def due_date(created: str) -> str:
    return (date.fromisoformat(created[:10]) + timedelta(days=_DAYS_UNTIL_DUE)).isoformat()


def _seeded(_: State, text: str) -> int | None:
    digits = text.removeprefix(_PREFIX)
    index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
    return index if index is not None and f"{_PREFIX}{index:08d}" == text else None


INVOICES: Final = Kind(
    "invoice",
    "id",
    _count,
    _make,
    created=created_at,
    updated=created_at,
    unique="external_identifier",
    seeded=_seeded,
)


def known_invoice(asked: Asked, invoice_id: Any) -> Any:
    """An invoice's id; 404 if there is no such invoice."""
    if invoice_id is not None and asked.state.of(INVOICES).get(str(invoice_id)) is None:
        raise missing(asked.endpoint, str(invoice_id))
    return invoice_id
