"""Claims of the seeded world: their status, money and service lines."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from candid_provider.emulator.world.lives import STAGES, STATUSES, Path, Standing, path_of, stages_of, standing
from candid_provider.emulator.world.world import World, microseconds, nulls

__all__ = ["STATUSES", "Money", "claim", "line_indices", "money", "path", "rows_with", "standing_of", "status_of"]

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


def path(world: World, encounter: int) -> Path:
    """The statuses that the claim of an encounter goes through."""
    return path_of(world.ids.draw("path", encounter), world.owing(encounter))


def standing_of(world: World, encounter: int) -> Standing:
    """Where the claim of an encounter stands now."""
    return standing(path(world, encounter), world.stage(encounter))


def status_of(world: World, encounter: int) -> str:
    """Status of the claim of an encounter now."""
    return path(world, encounter)[world.stage(encounter)]


def rows_with(world: World, status: str) -> range:
    """Encounters among which are all whose claim has a status now; one in fifty or more of them has it."""
    return world.at_stages(stages_of(status))


def money(denied: bool | None, owes: bool, bits: int) -> Money:
    """Amounts of a service line, from what the payer said (None: nothing yet), who owes, and random bits."""
    charge = 5_000 + 25 * (bits % 1_000)
    if denied is None:
        return Money(charge)
    if denied:
        return Money(charge, 0, 0, 0)
    allowed = charge * (60 + (bits >> 10) % 31) // 100
    owed = allowed // 5 if owes else 0
    return Money(charge, allowed, allowed - owed, owed)


def line_indices(world: World, encounter: int) -> range:
    """The service lines of an encounter's claim, as they are numbered among all."""
    count = _LINE_COUNTS[world.ids.draw("lines", encounter) % len(_LINE_COUNTS)]
    return range(4 * encounter, 4 * encounter + count)


def claim(world: World, encounter: int, diagnoses: list[str], standing: Standing) -> dict[str, Any]:
    """The claim of an encounter, with one to four service lines and the ERAs that have come."""
    claim_id = world.ids.uuid("claim", encounter)
    made = _Made(world, encounter, claim_id, diagnoses, standing)
    count = _LINE_COUNTS[world.ids.draw("lines", encounter) % len(_LINE_COUNTS)]
    return {
        "claim_id": claim_id,
        "status": standing.status,
        "clearinghouse": None if standing.submitted is None else "STEDI",
        "clearinghouse_claim_id": None,
        "payer_claim_id": None,
        "clia_number": None,
        "service_lines": [made.line(number) for number in range(count)],
        "eras": [_era(world, encounter, stage) for stage in standing.eras],
    }


def _era(world: World, encounter: int, stage: int) -> dict[str, Any]:
    number = STAGES * encounter + stage
    return {
        "era_id": world.ids.uuid("era", number),
        "check_number": f"CHK{number:08d}",
        "check_date": microseconds(world.reached(encounter, stage))[:10],
    }


class _Made:
    """What the service lines of one claim share."""

    def __init__(self, world: World, encounter: int, claim_id: str, diagnoses: list[str], standing: Standing) -> None:
        self._world, self._encounter = world, encounter
        self._owing = world.owing(encounter)
        self._denied = standing.denied if standing.eras else None
        self._adjudicated = microseconds(world.reached(encounter, standing.eras[-1])) if standing.eras else ""
        served = world.date_of_service(encounter).isoformat()
        self._shared: dict[str, Any] = {
            **_UNSET,
            "created_at": microseconds(world.created(encounter)),
            "modifiers": [],
            "diagnosis_id_zero": diagnoses[0],
            "diagnosis_id_one": diagnoses[1] if len(diagnoses) > 1 else None,
            "denial_reason": {"reason": "Authorization Required"} if self._denied else None,
            "place_of_service_code": "11",
            "quantity": "1.0",
            "units": "UN",
            "claim_id": claim_id,
            "date_of_service_range": {"start_date": served, "end_date": None},
            "date_of_service": served,
        }

    def line(self, number: int) -> dict[str, Any]:
        """Service line `number` of the claim."""
        index = 4 * self._encounter + number
        ids = self._world.ids
        bits = ids.draw("line", index)
        amounts = money(self._denied, self._owing, bits)
        return {
            **self._shared,
            **_amounts(amounts),
            "service_line_era_data": _era_data(amounts, self._adjudicated),
            "service_line_id": ids.uuid("service_line", index),
            "procedure_code": _PROCEDURES[(bits >> 20) % len(_PROCEDURES)],
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


def _era_data(amounts: Money, moment: str) -> dict[str, Any] | None:
    if amounts.allowed is None:
        return None
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
