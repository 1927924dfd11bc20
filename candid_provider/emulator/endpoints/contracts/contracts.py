"""Contracts with payers (Candid: /api/contracts/v2, of professionals; /api/contracts/v3, of institutions too)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from candid_provider.emulator.endpoints.contracts import contract_kinds
from candid_provider.emulator.endpoints.contracts.contract_kinds import CONTRACTS, STATUSES, required, shown
from candid_provider.emulator.endpoints.contracts.fee_rates import has_rates
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import values_of
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Record

_TYPES: Final = ("professional", "institutional")
_SORTS: Final[dict[str, Callable[[Record], str]]] = {
    "payer_name": lambda row: str(row["payer"]["payer_name"]),
    "payer_id": lambda row: str(row["payer"]["payer_id"]),
    "billing_provider_name": lambda row: _name(row["contracting_provider"]),
    "effective_date": lambda row: str(row["effective_date"]),
    "contract_status": lambda row: str(row["contract_status"]),
}


def _name(provider: Record) -> str:
    return provider["organization_name"] or f"{provider['last_name']} {provider['first_name']}"


def _register(version: int) -> None:
    area, professional = f"contracts.v_{version}", version == 2

    @answers(f"{area}.get_multi")
    def list_contracts(asked: Asked) -> Record:
        return _page(asked, version)

    @answers(f"{area}.get")
    def get_contract(asked: Asked) -> Record:
        if professional and asked.query.uuid("organization_id") not in (None, asked.state.organization.id):
            raise missing(asked.endpoint, asked.id)
        return shown(asked, required(asked, professional=professional), version=version)

    @answers(f"{area}.create")
    def create_contract(asked: Asked) -> Record:
        kind = "professional" if professional else asked.body["type"]
        return shown(asked, _created(asked, kind), version=version)

    @answers(f"{area}.update")
    def update_contract(asked: Asked) -> Record:
        record = required(asked, professional=professional)
        if not professional and asked.body["type"] != record["type"]:
            raise unprocessable(asked.endpoint, "type", f"the contract is {record['type']}")
        return shown(asked, _updated(asked, record), version=version)

    @answers(f"{area}.delete")
    def delete_contract(asked: Asked) -> None:
        record = required(asked, professional=professional)
        if has_rates(asked.state, record["payer_uuid"], record["contracting_provider_id"]):
            content = {"message": "There are rates of this payer for this provider in the fee schedule"}
            raise declared(asked.endpoint, "ContractIsLinkedToFeeScheduleHttpError", content)
        asked.state.of(CONTRACTS).remove(record["contract_id"])


def _page(asked: Asked, version: int) -> Record:
    query = asked.query
    sort = query.choice("sort", ("created_at", *_SORTS)) or "created_at"
    descending = (query.choice("sort_direction", ("asc", "desc")) or "desc") == "desc"
    kept = _filter(asked, "professional" if version == 2 else query.choice("type", _TYPES))
    found = [
        row
        for record in asked.state.of(CONTRACTS)
        if kept(record, row := shown(asked, record, version=version, whole=False))
    ]
    if sort != "created_at":
        found.sort(key=_SORTS[sort])
    return page_of(asked, found[::-1] if descending else found)


def _filter(asked: Asked, kind: str | None) -> Callable[[Record, Record], bool]:
    query = asked.query
    contracting, rendering = query.uuid("contracting_provider_id"), set(query.texts("rendering_provider_ids"))
    names, states = set(query.texts("payer_names")), query.choices("states", values_of("State"))
    status = query.choice("contract_status", STATUSES)

    def keep(record: Record, row: Record) -> bool:
        held = record["regions"].get("states")
        return (
            kind in (None, record["type"])
            and contracting in (None, record["contracting_provider_id"])
            and (not rendering or not rendering.isdisjoint(contract_kinds.provider_ids(record)))
            and (not names or row["payer"]["payer_name"] in names)
            and (not states or held is None or not states.isdisjoint(held))
            and status in (None, record["contract_status"])
        )

    return keep


def _created(asked: Asked, kind: str) -> Record:
    body, rows = asked.body, asked.state.of(CONTRACTS)
    identifier = rows.new_id()
    record: Record = {"type": kind, "contract_id": identifier, **contract_kinds.contracted(asked, body)}
    if record["expiration_date"] and record["expiration_date"] < record["effective_date"]:
        raise unprocessable(asked.endpoint, "expiration_date", "must not be before effective_date")
    record |= {"rendering_provider_ids": [], "facilities": []}
    if kind == "professional":
        name = "rendering_provider_ids"
        record[name] = contract_kinds.known_providers(asked, name, body[name])
    else:
        record["facilities"] = _facilities(asked, identifier, body["contract_service_facilities"])
    return rows.add(record)


def _facilities(asked: Asked, contract_id: str, given: list[Record]) -> list[Record]:
    return [contract_kinds.new_facility(asked, contract_id, number, row) for number, row in enumerate(given)]


def _updated(asked: Asked, record: Record) -> Record:
    body = asked.body
    changed = contract_kinds.signed(asked, record) | contract_kinds.terms(asked, body)
    if changed["expiration_date"] and changed["expiration_date"] < changed["effective_date"]:
        content = {"message": "The expiration date is before the effective date"}
        raise declared(asked.endpoint, "ContractInvalidExpirationDateHttpError", content)
    if body.get("rendering_provider_ids") is not None and record["type"] == "professional":
        name = "rendering_provider_ids"
        changed[name] = contract_kinds.known_providers(asked, name, body[name])
    if body.get("contract_service_facility_ids") is not None and record["type"] == "institutional":
        wanted = set(body["contract_service_facility_ids"])
        kept = [row for row in record["facilities"] if row["contract_service_facility_id"] in wanted]
        if len(kept) < len(wanted):
            raise unprocessable(
                asked.endpoint, "contract_service_facility_ids", "names a facility not in the contract"
            )
        changed["facilities"] = kept
    return asked.state.of(CONTRACTS).put(changed)


_register(2)
_register(3)
