"""The fee schedule: its rates, and what payers may differ from them (Candid: /api/fee-schedules/v3)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.contracts.fee_rates import (
    HISTORIES,
    RATES,
    SINGLE,
    in_effect,
    is_wanted,
    wanted,
)
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, invalid, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State

_MOST_DELETED: Final = 10_000
_MOST_IDS: Final = 100
DEFAULT_THRESHOLD: Final = {
    "upper_threshold_cents": 500,
    "lower_threshold_cents": 500,
    "disable_paid_incorrectly": False,
}
_THRESHOLDS: Final = Kind("payer_threshold", "payer_uuid")


# --- rates


@answers("fee_schedules.v_3.get_multi")
def list_rates(asked: Asked) -> Record:
    criteria, active = wanted(asked), asked.query.day("active_date")
    return page_of(
        asked,
        [
            rate
            for rate in asked.state.of(RATES)
            if is_wanted(rate["dimensions"], criteria) and (active is None or in_effect(rate, active.isoformat()))
        ],
    )


@answers("fee_schedules.v_3.get_unique_values_for_dimension")
def list_unique_values(asked: Asked) -> Record:
    pivot, criteria = asked.query.choice("pivot_dimension", SINGLE), wanted(asked)
    if pivot is None:
        raise invalid("pivot_dimension", "is required")
    rows = (rate["dimensions"] for rate in asked.state.of(RATES))
    values = sorted({row[pivot] for row in rows if is_wanted(row, criteria)})
    return page_of(asked, [criteria | {pivot: value} for value in values])


@answers("fee_schedules.v_3.get_rate_history")
def list_versions(asked: Asked) -> list[Record]:
    rate, kept = asked.state.of(RATES).get(asked.id), asked.state.of(HISTORIES).get(asked.id)
    if rate is None and kept is None:
        raise missing(asked.endpoint, asked.id)
    versions: list[Record] = [*(kept["versions"] if kept else []), *([rate] if rate else [])]
    return versions[::-1]


@answers("fee_schedules.v_3.delete_rate")
def delete_rate(asked: Asked) -> None:
    rates = asked.state.of(RATES)
    rate = rates.get(asked.path["rate_id"])
    if rate is None:
        raise missing(asked.endpoint, asked.path["rate_id"])
    if asked.path["version"] != str(rate["version"]):
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "rate"})
    remember(asked.state, rate)
    rates.remove(rate["rate_id"])


def remember(state: State, rate: Record) -> None:
    """Keep a version of a rate that is not the latest any more."""
    histories = state.of(HISTORIES)
    kept = histories.get(rate["rate_id"])
    if kept is None:
        histories.add({"rate_id": rate["rate_id"], "versions": [rate]})
    else:
        histories.put(kept | {"versions": [*kept["versions"], rate]})


@answers("fee_schedules.v_3.hard_delete_rates")
def hard_delete(asked: Asked) -> int:
    rows = (rate for rate in asked.state.of(RATES) if is_wanted(rate["dimensions"], asked.body))
    doomed = [rate["rate_id"] for rate, _ in zip(rows, range(_MOST_DELETED), strict=False)]
    return _forget(asked.state, doomed)


@answers("fee_schedules.v_3.hard_delete_rates_by_ids")
def hard_delete_by_ids(asked: Asked) -> int:
    ids = asked.body["rate_ids"]
    if len(ids) > _MOST_IDS:
        raise unprocessable(asked.endpoint, "rate_ids", f"must be a list of at most {_MOST_IDS} ids")
    return _forget(asked.state, [one for one in dict.fromkeys(ids) if asked.state.of(RATES).get(one)])


def _forget(state: State, ids: list[str]) -> int:
    for identifier in ids:
        state.of(RATES).remove(identifier)
        if state.of(HISTORIES).get(identifier):
            state.of(HISTORIES).remove(identifier)
    return len(ids)


# --- thresholds


def threshold_of(state: State, payer_uuid: str) -> Record:
    """How far a payer may differ from its rates."""
    kept = state.of(_THRESHOLDS).get(payer_uuid)
    return {name: kept[name] for name in DEFAULT_THRESHOLD} if kept else dict(DEFAULT_THRESHOLD)


@answers("fee_schedules.v_3.get_payer_thresholds_default")
def get_default_threshold(_: Asked) -> Record:
    return dict(DEFAULT_THRESHOLD)


@answers("fee_schedules.v_3.get_payer_thresholds")
def list_thresholds(asked: Asked) -> Record:
    payers = asked.query.texts("payer_uuids")
    if not payers:
        raise invalid("payer_uuids", "is required")
    known = {payer: threshold_of(asked.state, payer) for payer in payers if references.payer_v3(asked.state, payer)}
    return {"payer_thresholds": known, "prev_page_token": None, "next_page_token": None}


@answers("fee_schedules.v_3.set_payer_threshold")
def set_threshold(asked: Asked) -> Record:
    payer, body = references.required_payer(asked, asked.id)["payer_uuid"], asked.body
    given: Record = {"payer_uuid": payer, "disable_paid_incorrectly": body["disable_paid_incorrectly"]}
    for name in ("upper_threshold_cents", "lower_threshold_cents"):
        given[name] = body.get(name)
    rows = asked.state.of(_THRESHOLDS)
    (rows.put if rows.get(payer) else rows.add)(given)
    return threshold_of(asked.state, payer)
