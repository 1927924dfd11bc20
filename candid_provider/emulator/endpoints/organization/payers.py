"""Payers (Candid: /api/payers/v3 and v4)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.world import organization

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
    return found(asked, PAYERS)


# --- version 3: the same payers, told less of


@answers("payers.v_3.get_all")
def list_payers_v3(asked: Asked) -> Record:
    answer: Record = list_payers(asked)
    return answer | {"items": [as_v3(record) for record in answer["items"]]}


@answers("payers.v_3.get")
def get_payer_v3(asked: Asked) -> Record:
    return as_v3(get_payer(asked))


def as_v3(record: Record) -> Record:
    """A payer in the shape of version 3, in which other records quote it."""
    numbers: Record = record["payer_ids"]
    return {
        "payer_uuid": record["payer_uuid"],
        "payer_id": numbers["claims_payer_id"],
        "payer_name": record["payer_name"],
        "availity_payer_name": record["payer_name"],
        "availity_claims_payer_id": numbers["claims_payer_id"],
        "availity_eligibility_id": numbers["eligibility_payer_id"],
        "availity_remittance_payer_id": numbers["remittance_payer_id"],
        "street_address": record["street_address"],
    }
