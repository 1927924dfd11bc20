"""Payers (Candid: /api/payers/v3 and v4)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator import organization
from candid_provider.emulator.answers import not_found
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Kind, Record
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.paging import page

PAYERS: Final = Kind(
    "payer",
    "payer_uuid",
    count=lambda state: state.config.payers,
    make=lambda state, index: organization.payer(state.world.ids, index),
)


@answers("payers.v_4.get_all")
def list_payers(asked: Asked) -> Record:
    term, payers = (asked.query.text("search_term") or "").casefold(), asked.state.of(PAYERS)

    def matches(payer: Record) -> bool:
        return term in payer["payer_name"].casefold() or term in payer["payer_ids"]["claims_payer_id"]

    return page(asked, payers.by_creation(), payers.created_record, keep=matches if term else None)


@answers("payers.v_4.get")
def get_payer(asked: Asked) -> Record:
    record = asked.state.of(PAYERS).get(asked.id)
    if record is None:
        raise not_found(asked.id)
    return record
