"""Rates that payers agreed to pay, with the versions they went through."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import values_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import CLINICIANS

# Dimensions of which a rate may name several values; naming none, it holds for all.
SETS: Final = (
    *("states", "zip_codes", "license_types", "facility_type_codes", "network_types"),
    *("payer_plan_group_ids", "modifiers"),
)
SINGLE: Final = ("payer_uuid", "organization_billing_provider_id", "cpt_code")
_CODES: Final = ("99213", "99214", "99203", "90834", "90837", "97110", "36415", "93000")
_PAYERS: Final = 10
_STARTS: Final = "2020-01-01"


def _payers(state: State) -> int:
    return min(_PAYERS, state.config.payers)


def _make(state: State, index: int) -> Record:
    payer, code = divmod(index, len(_CODES))
    ids = state.world.ids
    return {
        "rate_id": ids.uuid("rate", index),
        "dimensions": {
            "payer_uuid": ids.uuid("payer", payer),
            "organization_billing_provider_id": ids.uuid("provider", CLINICIANS),
            **{name: [] for name in SETS},
            "cpt_code": _CODES[code],
        },
        "version": 1,
        "updated_at": _STARTS,
        "updated_by": state.organization.user_id,
        "entries": [
            {
                "start_date": _STARTS,
                "end_date": None,
                "rate_cents": 6_000 + 25 * (ids.draw("rate", index) % 400),
                "is_deactivated": False,
            }
        ],
    }


RATES: Final = Kind("rate", "rate_id", count=lambda state: _payers(state) * len(_CODES), make=_make)
# The versions that rates went through before the latest; a rate that was never changed has none.
HISTORIES: Final = Kind("rate_history", "rate_id")


def has_rates(state: State, payer_uuid: str, provider_id: str) -> bool:
    """Whether the fee schedule holds rates of a payer for a billing provider."""
    rows = (rate["dimensions"] for rate in state.of(RATES))
    return any(
        (row["payer_uuid"], row["organization_billing_provider_id"]) == (payer_uuid, provider_id) for row in rows
    )


def wanted(asked: Asked) -> Record:
    """The dimensions that a query asks for."""
    query = asked.query
    found: Record = {name: query.uuid(name) for name in SINGLE[:2]} | {"cpt_code": query.text("cpt_code")}
    found |= {name: sorted(set(query.texts(name))) for name in SETS}
    query.choices("states", values_of("State"))
    return found


def is_wanted(dimensions: Record, wanted: Record) -> bool:
    """Whether a rate has the dimensions that were asked for; of several values, one is enough."""
    return all(wanted.get(name) in (None, dimensions[name]) for name in SINGLE) and all(
        not wanted.get(name) or not set(wanted[name]).isdisjoint(dimensions[name]) for name in SETS
    )


def in_effect(rate: Record, date: str) -> Any:
    """The entry of a rate that holds on a day."""
    for entry in rate["entries"]:
        ended = entry["end_date"] is not None and entry["end_date"] < date
        if entry["start_date"] <= date and not ended and not entry["is_deactivated"]:
            return entry
    return None
