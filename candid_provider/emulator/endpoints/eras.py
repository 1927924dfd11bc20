"""ERAs, with which payers answer claims: which claim one is about, and what it says."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.collection import Record
from candid_provider.emulator.endpoints.encounters import ENCOUNTERS
from candid_provider.emulator.endpoints.references import Claimed
from candid_provider.emulator.state import State

# A claim may have an ERA for each of its stages: their numbers are told apart by how many those are.
_ERAS_PER_CLAIM: Final = (1, 6)


def claim_of_era(state: State, era_id: str) -> Claimed | None:
    """The claim that an ERA is about."""
    world, rows = state.world, state.of(ENCOUNTERS)
    number = world.ids.index("era", era_id, max(_ERAS_PER_CLAIM) * world.encounters)
    for index in {number // most for most in _ERAS_PER_CLAIM} if number is not None else ():
        encounter = rows.get(rows.id_of(index)) if index < world.encounters else None
        for claim in encounter["claims"] if encounter else ():
            if any(era["era_id"] == era_id for era in claim["eras"]):
                return Claimed(encounter, claim)  # type: ignore[arg-type]
    return None


def posted_at(claim: Record) -> str:
    for line in claim["service_lines"]:
        for adjustment in (line["service_line_era_data"] or {"service_line_adjustments": []})[
            "service_line_adjustments"
        ]:
            return str(adjustment["created_at"])
    return f"{claim['eras'][-1]['check_date']}T00:00:00.000000Z"


def adjustments_of(line: Record) -> list[Record]:
    data = line["service_line_era_data"] or {"service_line_adjustments": []}
    return [
        {
            "adjustment_group_code": row["adjustment_group_code"],
            "adjustment_reason_code": row["adjustment_reason_code"],
            "adjustment_amount_cents": row["adjustment_amount_cents"],
            "adjustment_quantity": None,
        }
        for row in data["service_line_adjustments"]
    ]


def paid_for(claim: Record) -> int:
    return sum(line["paid_amount_cents"] or 0 for line in claim["service_lines"])
