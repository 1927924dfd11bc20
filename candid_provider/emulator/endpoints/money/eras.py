"""ERAs, with which payers answer claims: which claim one is about, and what it says."""

from __future__ import annotations

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.money.references import Claimed
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.lives import STAGES


def claim_of_era(state: State, era_id: str) -> Claimed | None:
    """The claim that an ERA is about."""
    rows = state.of(ENCOUNTERS)
    number = state.world.ids.index("era", era_id, STAGES * state.world.encounters)
    if number is not None:
        return _with_era(rows.get(rows.id_of(number // STAGES)), era_id)
    found = (_with_era(record, era_id) for _, record, _ in rows.written_rows())
    return next((claimed for claimed in found if claimed), None)


def _with_era(encounter: Record | None, era_id: str) -> Claimed | None:
    for claim in encounter["claims"] if encounter else ():
        if encounter and any(era["era_id"] == era_id for era in claim["eras"]):
            return Claimed(encounter, claim)
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
