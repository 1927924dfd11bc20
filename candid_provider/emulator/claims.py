"""Claims of the seeded world: their status, money and service lines."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from candid_provider.emulator.data import World, microseconds, nulls

STATUSES: Final = (
    *("biller_received", "coded", "submitted_to_payer", "missing_information", "not_billable"),
    *("waiting_for_provider", "era_received", "rejected", "denied", "paid", "paid_incorrectly"),
    *("finalized_paid", "finalized_denied", "held_by_customer", "era_requires_review"),
)
_OPEN: Final = (
    *("submitted_to_payer",) * 8,
    *("biller_received",) * 3,
    *("coded",) * 2,
    *("missing_information", "waiting_for_provider", "held_by_customer"),
)
_OWING: Final = (*("finalized_paid",) * 5, *("paid",) * 2, "paid_incorrectly")
_CLOSED: Final = (
    *("finalized_paid",) * 16,
    *("paid",) * 4,
    *("denied", "finalized_denied", "rejected", "era_received") * 2,
    *("era_requires_review", "paid_incorrectly", "not_billable", "submitted_to_payer"),
)
_DENIED: Final = frozenset({"denied", "finalized_denied"})
_PAID: Final = frozenset({"paid", "finalized_paid", "paid_incorrectly", "era_received", "era_requires_review"})
_LINE_COUNTS: Final = (*(1,) * 12, 2, 2, 3, 4)
_PROCEDURES: Final = ("99213", "99214", "99203", "90834", "90837", "97110", "36415", "93000")

_UNSET: Final[dict[str, Any]] = nulls(
    """
    tertiary_paid_amount_cents diagnosis_id_two diagnosis_id_three drug_identification
    service_line_manual_adjustments related_invoices related_invoice_info
    place_of_service_code_as_submitted custom_procedure_code ordering_provider revenue_code description
    end_date_of_service test_results has_epsdt_indicator has_family_planning_indicator note
    prior_authorization_number
    """
)


class Money(NamedTuple):
    """Amounts of one service line in cents; None before adjudication. charge >= allowed = paid + owed."""

    charge: int
    allowed: int | None = None
    paid: int | None = None
    owed: int | None = None


def rows_with(world: World, status: str) -> range:
    """Encounters among which a status occurs: some statuses come only before adjudication, some only after."""
    adjudicated, everything = world.adjudicated_rows(), range(world.encounters)
    if status not in _OPEN:
        return adjudicated
    return everything if status in _CLOSED else everything[adjudicated.stop :]


def status_of(world: World, encounter: int) -> str:
    """Status of the claim of an encounter."""
    bits = world.ids.draw("status", encounter)
    if world.is_open(encounter):
        return _OPEN[bits % len(_OPEN)]
    choices = _OWING if world.owes(encounter) else _CLOSED
    return choices[bits % len(choices)]


def money(status: str, owes: bool, bits: int) -> Money:
    """Amounts of a service line, from the status of its claim, whether the patient owes, and random bits."""
    charge = 5_000 + 25 * (bits % 1_000)
    if status in _DENIED:
        return Money(charge, 0, 0, 0)
    if status not in _PAID:
        return Money(charge)
    allowed = charge * (60 + (bits >> 10) % 31) // 100
    owed = allowed // 5 if owes else 0
    return Money(charge, allowed, allowed - owed, owed)


def line_indices(world: World, encounter: int) -> range:
    """The service lines of an encounter's claim, as they are numbered among all."""
    count = _LINE_COUNTS[world.ids.draw("lines", encounter) % len(_LINE_COUNTS)]
    return range(4 * encounter, 4 * encounter + count)


def claim(world: World, encounter: int, diagnoses: list[str]) -> dict[str, Any]:
    """The claim of an encounter, with one to four service lines and, once adjudicated, an ERA."""
    ids, status = world.ids, status_of(world, encounter)
    claim_id = ids.uuid("claim", encounter)
    submitted = status not in _OPEN or status == "submitted_to_payer"
    lines = _LINE_COUNTS[ids.draw("lines", encounter) % len(_LINE_COUNTS)]
    return {
        "claim_id": claim_id,
        "status": status,
        "clearinghouse": "STEDI" if submitted else None,
        "clearinghouse_claim_id": None,
        "payer_claim_id": None,
        "clia_number": None,
        "service_lines": [_line(world, encounter, n, claim_id, status, diagnoses) for n in range(lines)],
        "eras": [_era(world, encounter)] if status in _PAID | _DENIED else [],
    }


def _era(world: World, encounter: int) -> dict[str, Any]:
    return {
        "era_id": world.ids.uuid("era", encounter),
        "check_number": f"CHK{encounter:08d}",
        "check_date": microseconds(world.adjudicated(encounter))[:10],
    }


def _line(
    world: World, encounter: int, number: int, claim_id: str, status: str, diagnoses: list[str]
) -> dict[str, Any]:
    index = 4 * encounter + number
    bits = world.ids.draw("line", index)
    served = world.date_of_service(encounter).isoformat()
    amounts = money(status, world.owes(encounter), bits)
    return {
        **_UNSET,
        **_amounts(amounts),
        "created_at": microseconds(world.created(encounter)),
        "modifiers": [],
        "diagnosis_id_zero": diagnoses[0],
        "diagnosis_id_one": diagnoses[1] if len(diagnoses) > 1 else None,
        "service_line_era_data": _era_data(world, encounter, amounts),
        "denial_reason": {"reason": "Authorization Required"} if status in _DENIED else None,
        "place_of_service_code": "11",
        "service_line_id": world.ids.uuid("service_line", index),
        "procedure_code": _PROCEDURES[(bits >> 20) % len(_PROCEDURES)],
        "quantity": "1.0",
        "units": "UN",
        "claim_id": claim_id,
        "date_of_service_range": {"start_date": served, "end_date": None},
        "date_of_service": served,
        "external_id": f"line-{index:08d}",
    }


def _amounts(amounts: Money) -> dict[str, Any]:
    charge, allowed, paid, owed = amounts
    copay = None if owed is None else min(owed, 2_000)
    return {
        "charge_amount_cents": charge,
        "allowed_amount_cents": allowed,
        "insurance_balance_cents": charge if paid is None else 0,
        "patient_balance_cents": owed or 0,
        "paid_amount_cents": paid,
        "primary_paid_amount_cents": paid,
        "secondary_paid_amount_cents": None if paid is None else 0,
        "patient_responsibility_cents": owed,
        "copay_cents": copay,
        "coinsurance_cents": None if owed is None or copay is None else owed - copay,
        "deductible_cents": None if owed is None else 0,
    }


def _era_data(world: World, encounter: int, amounts: Money) -> dict[str, Any] | None:
    if amounts.allowed is None:
        return None
    moment = microseconds(world.adjudicated(encounter))
    written_off = ("CO", "45" if amounts.allowed else "197", amounts.charge - amounts.allowed)
    left_to_patient = ("PR", "2", amounts.owed or 0)
    return {
        "service_line_adjustments": [
            {
                "created_at": moment,
                "adjustment_group_code": group,
                "adjustment_reason_code": reason,
                "adjustment_amount_cents": cents,
                "adjustment_note": None,
            }
            for group, reason, cents in (written_off, left_to_patient)
            if cents
        ],
        "remittance_advice_remark_codes": [],
    }
