"""How the claims of encounters that were written live on: their statuses, money and events follow the world's clock.

What the seeded claims do is arithmetic (`claims`, `lives`); that of a claim made here is planned, stage by stage.
"""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.events import emit
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters
from candid_provider.emulator.world.claims import standing_of
from candid_provider.emulator.world.encounters import CREATED, STATUS_UPDATED
from candid_provider.emulator.world.lives import (
    ADJUDICATION,
    STAGES,
    Path,
    Standing,
    path_of,
    stages_owned_by,
    standing,
)
from candid_provider.emulator.world.world import World, microseconds

_LIVING: Final = ("owner_of_next_action", "next_responsible_party", "last_submitted_at")
_LIVING_CLAIM: Final = ("status", "clearinghouse", "eras")
_LIVING_LINE: Final = (
    *("allowed_amount_cents", "insurance_balance_cents", "patient_balance_cents", "paid_amount_cents"),
    *("primary_paid_amount_cents", "secondary_paid_amount_cents", "patient_responsibility_cents"),
    *("copay_cents", "coinsurance_cents", "deductible_cents", "denial_reason", "service_line_era_data"),
)
# Each claim that was written and when its present life began: one that is not to be billed has none.
LIVES: Final = Kind("claim_life", "claim_id")


def age_at(state: State, stage: int) -> int:
    """How long after its creation a claim reaches a stage."""
    return state.world.ages[stage]


def owner_of(world: World, index: int) -> str:
    """Who has to act next on a seeded encounter."""
    return standing_of(world, index).owner


def rows_owned_by(world: World, owner: str) -> range:
    """Where the seeded encounters lie on which somebody has to act next."""
    return world.at_stages(stages_owned_by(owner))


def keep(state: State, record: Record, at: int) -> Record:
    """Keep an encounter that was changed; what time does to the claim of a seeded one, it still does."""
    rows = state.of(ENCOUNTERS)
    index = rows.index_of(record["encounter_id"])
    if index is not None and not rows.is_changed(index):
        _follow(state, index, state.world.stage(index) + 1)
    return rows.put(record, at)


def _follow(state: State, index: int, stage: int) -> None:
    if stage < STAGES:
        state.agenda.plan(state.world.reached(index, stage), lambda now: _refresh(state, index, stage, now))


def _refresh(state: State, index: int, stage: int, now: int) -> None:
    rows = state.of(ENCOUNTERS)
    record = rows.get(rows.id_of(index))
    if record is None or state.of(LIVES).get(record["claims"][0]["claim_id"]):
        return
    fresh = encounters.encounter(state.world.at(now), state.organization, index)
    record |= {name: fresh[name] for name in _LIVING}
    claim, lived = record["claims"][0], fresh["claims"][0]
    claim |= {name: lived[name] for name in _LIVING_CLAIM}
    lines = {line["service_line_id"]: line for line in lived["service_lines"]}
    for line in claim["service_lines"]:
        line |= {name: lines.get(line["service_line_id"], line)[name] for name in _LIVING_LINE}
    rows.put(record, now)
    _follow(state, index, stage + 1)


def begin(state: State, record: Record, at: int) -> None:
    """Let the claim of a new encounter live."""
    emit(state, CREATED, _payload(record), at)
    _begin(state, record, at)


def rebegin(state: State, record: Record, at: int) -> None:
    """Whether a claim is to be billed has changed: it starts anew, or ends."""
    billable = record["billable_status"] == "BILLABLE"
    record["claims"][0]["status"] = "biller_received" if billable else "not_billable"
    record["owner_of_next_action"] = "CODER" if billable else "NONE"
    record["next_responsible_party"] = "primary" if billable else "none"
    emit(state, STATUS_UPDATED, _payload(record), at)
    _begin(state, record, at)


def _begin(state: State, record: Record, at: int) -> None:
    claim_id = record["claims"][0]["claim_id"]
    billable = record["billable_status"] == "BILLABLE"
    lives, life = state.of(LIVES), {"claim_id": claim_id, "since": at if billable else None}
    (lives.put if lives.get(claim_id) else lives.add)(life, at)
    if billable:
        _plan(state, record["encounter_id"], claim_id, at, 1)


def _plan(state: State, encounter_id: str, claim_id: str, since: int, stage: int) -> None:
    if stage < STAGES:
        at = since + age_at(state, stage)
        state.agenda.plan(at, lambda now: _reach(state, encounter_id, claim_id, since, stage, now))


def _reach(state: State, encounter_id: str, claim_id: str, since: int, stage: int, now: int) -> None:
    life, record = state.of(LIVES).get(claim_id), state.of(ENCOUNTERS).get(encounter_id)
    if life is None or record is None or life["since"] != since:
        return
    number = _number(claim_id)
    path = path_of(state.world.ids.draw("path", number), number % 3 == 0)
    Stage(state, path, stage, number % 3 == 0, since).apply(record)
    state.of(ENCOUNTERS).put(record, now)
    if stage == ADJUDICATION and number % 3 == 0:
        state.ledger.arise(record, now)
    emit(state, STATUS_UPDATED, _payload(record), now)
    _plan(state, encounter_id, claim_id, since, stage + 1)


def _number(claim_id: str) -> int:
    return int(claim_id.replace("-", "")[:12], 16)


def _payload(record: Record) -> Record:
    claim = record["claims"][0]
    return {
        "encounter_id": record["encounter_id"],
        "claim_id": claim["claim_id"],
        "claim_status": claim["status"],
    }


class Stage:
    """A stage in the life of a claim, and what an encounter shows of it."""

    def __init__(self, state: State, path: Path, stage: int, owing: bool, since: int) -> None:
        self._state, self._owing, self._since = state, owing, since
        self._known: Standing = standing(path, stage)

    def apply(self, record: Record) -> None:
        """Bring an encounter to this stage."""
        known, claim = self._known, record["claims"][0]
        claim["status"] = known.status
        claim["clearinghouse"] = None if known.submitted is None else "STEDI"
        claim["eras"] = [self._era(claim["claim_id"], stage) for stage in known.eras]
        for line in claim["service_lines"]:
            line |= self._amounts(line)
        if known.submitted is not None:
            record["last_submitted_at"] = self._instant(known.submitted)
        record["owner_of_next_action"] = known.owner
        record["next_responsible_party"] = self._next_party()

    def _next_party(self) -> str:
        if self._known.eras and self._owing:
            return "patient"
        return "none" if self._known.eras or self._known.status == "not_billable" else "primary"

    def _instant(self, stage: int) -> str:
        return microseconds(self._since + age_at(self._state, stage))

    def _era(self, claim_id: str, stage: int) -> Record:
        life = _number(claim_id) * STAGES + stage
        return {
            "era_id": self._state.world.ids.uuid("written_era", life),
            "check_number": f"CHK{life}",
            "check_date": self._instant(stage)[:10],
        }

    def _amounts(self, line: Record) -> Record:
        charge = line["charge_amount_cents"] or 0
        if not self._known.eras:
            return unadjudicated(charge)
        allowed = 0 if self._known.denied else charge * 80 // 100
        owed = allowed // 5 if self._owing else 0
        return _adjudicated(charge, allowed, owed) | {
            "denial_reason": {"reason": "Authorization Required"} if self._known.denied else None,
            "service_line_era_data": self._era_data(charge - allowed, owed),
        }

    def _era_data(self, written_off: int, owed: int) -> Record:
        moment = self._instant(self._known.eras[-1])
        shares = (("CO", "197" if self._known.denied else "45", written_off), ("PR", "2", owed))
        return {
            "service_line_adjustments": [
                {
                    "created_at": moment,
                    "adjustment_group_code": group,
                    "adjustment_reason_code": reason,
                    "adjustment_amount_cents": cents,
                    "adjustment_note": None,
                }
                for group, reason, cents in shares
                if cents
            ],
            "remittance_advice_remark_codes": [],
        }


def unadjudicated(charge: int | None) -> dict[str, Any]:
    """What is known of a service line's money before the payer has spoken: all of it is the insurance's."""
    return {"insurance_balance_cents": charge or 0, "patient_balance_cents": 0}


def _adjudicated(charge: int, allowed: int, owed: int) -> dict[str, Any]:
    copay = min(owed, 2_000)
    return {
        "allowed_amount_cents": allowed,
        "insurance_balance_cents": 0,
        "patient_balance_cents": owed,
        "paid_amount_cents": allowed - owed,
        "primary_paid_amount_cents": allowed - owed,
        "secondary_paid_amount_cents": 0,
        "patient_responsibility_cents": owed,
        "copay_cents": copay,
        "coinsurance_cents": owed - copay,
        "deductible_cents": 0,
    }
