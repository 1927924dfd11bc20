"""Who may work under a contract, and where (Candid: /api/contracts/v3/{contract_id}/providers and so on)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.contracts.contract_kinds import (
    CONTRACTS,
    known_providers,
    new_facility,
    provider,
    provider_ids,
    required,
)
from candid_provider.emulator.endpoints.contracts.credentialing import PROVIDER_SPANS
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Record

_MOST: Final = 100_000


@answers("contracts.v_3.get_contract_providers")
def list_contract_providers(asked: Asked) -> Record:
    found = (provider(asked, identifier) for identifier in provider_ids(required(asked)))
    return page_of(asked, [known for known in found if known is not None])


@answers("contracts.v_3.get_contract_provider_credentialing_spans")
def list_credentialing_spans(asked: Asked) -> Record:
    record = required(asked)
    spans: dict[str, list[Record]] = {}
    for span in asked.state.of(PROVIDER_SPANS):
        contracting = span["contracting_provider"]["organization_provider_id"]
        if (contracting, span["payer"]["payer_uuid"]) == (record["contracting_provider_id"], record["payer_uuid"]):
            spans.setdefault(span["rendering_provider"]["organization_provider_id"], []).append(span)
    found = ((identifier, provider(asked, identifier)) for identifier in provider_ids(record))
    return page_of(
        asked,
        [
            {"provider": known, "credentialing_spans": spans.get(name, [])}
            for name, known in found
            if known is not None
        ],
    )


def _professional(asked: Asked) -> Record:
    record = required(asked)
    if record["type"] != "professional":
        raise unprocessable(
            asked.endpoint, "contract_id", "providers of an institution's contract are its facilities'"
        )
    return record


@answers("contracts.v_3.add_contract_providers")
def add_contract_providers(asked: Asked) -> Record:
    record, name = _professional(asked), "rendering_provider_ids"
    wanted, known = known_providers(asked, name, asked.body[name], _MOST), record[name]
    new = [identifier for identifier in wanted if identifier not in known]
    asked.state.of(CONTRACTS).put(record | {name: known + new})
    return {
        "provider_count": len(known) + len(new),
        "added_count": len(new),
        "ignored_count": len(wanted) - len(new),
    }


@answers("contracts.v_3.remove_contract_providers")
def remove_contract_providers(asked: Asked) -> Record:
    record, name = _professional(asked), "rendering_provider_ids"
    unwanted = asked.body[name]
    if len(unwanted) > _MOST:
        raise unprocessable(asked.endpoint, name, f"must be a list of at most {_MOST} ids")
    for identifier in unwanted:
        if identifier not in record[name]:
            raise missing(asked.endpoint, identifier)
    left = [identifier for identifier in record[name] if identifier not in unwanted]
    asked.state.of(CONTRACTS).put(record | {name: left})
    return {"provider_count": len(left)}


# --- service facilities of institutional contracts


def _institutional(asked: Asked) -> Record:
    record = required(asked)
    if record["type"] != "institutional":
        raise unprocessable(asked.endpoint, "contract_id", "a professional's contract has no facilities")
    return record


@answers("contracts.v_3.create_contract_service_facility")
def create_facility(asked: Asked) -> Record:
    record, rows = _institutional(asked), asked.state.of(CONTRACTS)
    # Numbered by the writes so far: a number is not given twice, even if a facility was taken out.
    number = _MOST + sum(1 for _ in rows.by_update(range(0)).walk())
    made = new_facility(asked, record["contract_id"], number, asked.body)
    if any(row["service_facility_id"] == made["service_facility_id"] for row in record["facilities"]):
        raise unprocessable(asked.endpoint, "service_facility_id", "is in the contract already")
    rows.put(record | {"facilities": [*record["facilities"], made]})
    return made


@answers("contracts.v_3.update_contract_service_facility")
def update_facility(asked: Asked) -> Record:
    record, identifier = _institutional(asked), asked.path["contract_service_facility_id"].lower()
    before = next((row for row in record["facilities"] if row["contract_service_facility_id"] == identifier), None)
    if before is None:
        raise missing(asked.endpoint, identifier)
    given = {name: value for name, value in asked.body.items() if name in before and value is not None}
    made = new_facility(asked, record["contract_id"], 0, before | given) | {
        "contract_service_facility_id": identifier
    }
    rows = [made if row is before else row for row in record["facilities"]]
    asked.state.of(CONTRACTS).put(record | {"facilities": rows})
    return made
