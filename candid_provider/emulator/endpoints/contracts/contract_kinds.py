"""Contracts of the organization's providers with payers: kept by their ids, shown with what those stand for."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.fields import day
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import CLINICIANS, FACILITIES

STATUSES: Final = ("pending", "effective", "cancelled")
INSURANCES: Final = ("commercial_insurance_types", "medicare_insurance_types", "medicaid_insurance_types")
MOST_PROVIDERS: Final = 4_000
_PAYERS: Final = 12


def _payers(state: State) -> int:
    return min(_PAYERS, state.config.payers)


def _make(state: State, index: int) -> Record:
    # First a professional contract with each payer, then for every fourth an institutional one.
    ids, professional = state.world.ids, index < _payers(state)
    clinicians = [ids.uuid("provider", number) for number in range(CLINICIANS)]
    return {
        "type": "professional" if professional else "institutional",
        "contract_id": ids.uuid("contract", index),
        "contracting_provider_id": ids.uuid("provider", CLINICIANS),
        "payer_uuid": ids.uuid("payer", index if professional else 4 * (index - _payers(state))),
        "effective_date": f"202{index % 4}-01-01",
        "expiration_date": "2022-12-31" if index % 4 == 1 else None,
        "regions": {"type": "national"} if index % 3 == 2 else {"type": "states", "states": ["IL"]},
        "contract_status": ("effective", "effective", "pending", "cancelled")[index % 4],
        "authorized_signatory": None,
        **{name: {"type": "allApply"} for name in INSURANCES},
        "rendering_provider_ids": clinicians[index % 2 :] if professional else [],
        "facilities": [] if professional else [_facility(state, index, number) for number in range(FACILITIES)],
    }


def _facility(state: State, index: int, number: int) -> Record:
    ids = state.world.ids
    return {
        "contract_service_facility_id": ids.uuid("contract_service_facility", index * FACILITIES + number),
        "contract_id": ids.uuid("contract", index),
        "service_facility_id": ids.uuid("facility", number),
        "provider_ids": [ids.uuid("provider", number), ids.uuid("provider", number + FACILITIES)],
    }


CONTRACTS: Final = Kind(
    "contract", "contract_id", count=lambda state: _payers(state) + -(-_payers(state) // 4), make=_make
)


def required(asked: Asked, *, professional: bool = False) -> Record:
    """The contract that the path names; version 2 knows the professional ones only."""
    record = asked.state.of(CONTRACTS).get(next(iter(asked.path.values())))
    if record is None or (professional and record["type"] != "professional"):
        raise missing(asked.endpoint, asked.id)
    return record


# --- shown


def shown(asked: Asked, record: Record, *, version: int, whole: bool = True) -> Record:
    """A contract as an endpoint shows it; `whole` with its rendering providers or facilities."""
    own = ("effective_date", "expiration_date", "regions", "contract_status", "authorized_signatory", *INSURANCES)
    found: Record = {name: record[name] for name in ("contract_id", *own)}
    found["contracting_provider"] = provider(asked, record["contracting_provider_id"])
    found["payer"] = references.payer_v3(asked.state, record["payer_uuid"])
    found["provider_count"] = len(provider_ids(record))
    if version == 3:
        found["type"] = record["type"]
    if whole and record["type"] == "professional":
        found["rendering_provider_ids"] = record["rendering_provider_ids"]
    if whole and record["type"] == "institutional":
        found["contract_service_facilities"] = record["facilities"]
    return found


def provider_ids(record: Record) -> list[str]:
    """Who may render services under a contract."""
    if record["type"] == "professional":
        return list(record["rendering_provider_ids"])
    return list(dict.fromkeys(one for facility in record["facilities"] for one in facility["provider_ids"]))


def provider(asked: Asked, identifier: str) -> Record | None:
    """A provider as contracts show it."""
    known = references.provider(asked, identifier)
    if known is None:
        return None
    ended = known["employment_termination_date"]
    employed = "TERMINATED" if ended and ended < asked.state.now()[:10] else "ACTIVE"
    plain = {name: value for name, value in known.items() if name != "qualifications"}
    return plain | {"ptan": None, "medicaid_provider_id": None, "employment_status": employed}


# --- given


def terms(asked: Asked, body: Record) -> Record:
    """What a body says of a contract's dates, regions, status and insurance types; what it leaves out is left out."""
    found: Record = {}
    if body.get("effective_date") is not None:
        found["effective_date"] = day(asked, "effective_date", body["effective_date"])
    if body.get("contract_status") is not None:
        found["contract_status"] = body["contract_status"]
    for name in INSURANCES:
        if body.get(name) is not None:
            found[name] = body[name]
    return found


def known_providers(asked: Asked, name: str, values: list[str], most: int = MOST_PROVIDERS) -> list[str]:
    """Ids of providers of the organization, each once."""
    if len(values) > most:
        raise unprocessable(asked.endpoint, name, f"must be a list of at most {most} ids")
    ids = list(dict.fromkeys(values))
    for identifier in ids:
        if references.provider(asked, identifier) is None:
            raise unprocessable(asked.endpoint, name, f"{identifier} is not a provider of the organization")
    return ids


def new_facility(asked: Asked, contract_id: str, number: int, given: Record) -> Record:
    """A facility in which a contract holds, and who may work there under it."""
    site = given["service_facility_id"]
    if references.facility(asked, site) is None:
        raise unprocessable(asked.endpoint, "service_facility_id", "is not a facility of the organization")
    return {
        "contract_service_facility_id": references.derived_id(
            asked.state, "written_contract_service_facility", contract_id, number
        ),
        "contract_id": contract_id,
        "service_facility_id": site,
        "provider_ids": known_providers(asked, "provider_ids", given["provider_ids"]),
    }


def contracted(asked: Asked, body: Record) -> Record:
    """The two sides of a new contract, its dates and where it holds."""
    return {
        "contracting_provider_id": known_providers(
            asked, "contracting_provider_id", [body["contracting_provider_id"]]
        )[0],
        "payer_uuid": references.required_payer(asked, body["payer_uuid"])["payer_uuid"],
        "expiration_date": day(asked, "expiration_date", body.get("expiration_date")),
        "regions": body["regions"],
        "contract_status": "pending",
        "authorized_signatory": _signatory(body.get("authorized_signatory")),
        **terms(asked, body),
    }


def _signatory(value: Any) -> Any:
    names = ("first_name", "last_name", "title", "email", "phone", "fax")
    return None if value is None else {name: value.get(name) for name in names}


def signed(asked: Asked, record: Record) -> Record:
    """The fields that a body sets or removes."""
    body, found = asked.body, {}
    for name in ("expiration_date", "regions", "authorized_signatory"):
        order = body.get(name)
        if order is not None:
            found[name] = _ordered(asked, name, order)
    return record | found


def _ordered(asked: Asked, name: str, order: Record) -> Any:
    if order["type"] == "remove":
        # A contract holds somewhere: without regions of its own, everywhere.
        return {"type": "national"} if name == "regions" else None
    if name == "authorized_signatory":
        return _signatory(order)
    return day(asked, name, order["value"]) if name == "expiration_date" else order["value"]
