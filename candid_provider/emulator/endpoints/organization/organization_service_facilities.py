"""Places where the organization sees patients (Candid: /api/organization-service-facilities/v2)."""

from __future__ import annotations

from typing import Final

import msgspec

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, fields_of, given, values_of
from candid_provider.emulator.exchange.given import check, is_filled, is_npi
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import FACILITIES

_RULES: Final = {"name": is_filled, "external_id": is_filled, "npi": is_npi}
_NEEDED: Final = ("name", "aliases", "telecoms", "address")


def _external_id(index: int) -> str:
    return f"facility-{index:04d}"


def _index(_: State, external_id: str) -> int | None:
    return next((index for index in range(FACILITIES) if _external_id(index) == external_id), None)


def _make(state: State, index: int) -> Record:
    known: Record = msgspec.json.decode(state.organization.facilities[index])
    filled = {
        "name": known["organization_name"],
        "aliases": [f"Site {index + 1}"],
        "external_id": _external_id(index),
        "npi": known["npi"],
        "place_of_service_code": "11",
        "status": "active",
        "mode": "instance",
        "physical_type": "bu",
        "telecoms": [],
        "address": known["address"],
    }
    unset = dict.fromkeys(fields_of("OrganizationServiceFacilityCreate"))
    return {"organization_service_facility_id": known["service_facility_id"], **unset, **filled}


SITES: Final = Kind(
    "facility",
    "organization_service_facility_id",
    count=lambda _: FACILITIES,
    make=_make,
    unique="external_id",
    seeded=_index,
)


@answers("organization_service_facilities.v_2.get_multi")
def list_facilities(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(SITES)
    name, place = (
        (query.text("name") or "").casefold(),
        query.choice("place_of_service_code", values_of("FacilityTypeCode")),
    )
    ids, external = query.texts("organization_service_facility_ids"), query.texts("external_ids")
    ours = query.uuid("organization_id") in (None, asked.state.organization.id)

    def keep(site: Record) -> bool:
        return (
            ours
            and any(name in text.casefold() for text in (site["name"], *site["aliases"]))
            and place in (None, site["place_of_service_code"])
            and (not ids or site["organization_service_facility_id"] in ids)
            and (not external or site["external_id"] in external)
        )

    return page(asked, rows.by_creation(), rows.created_record, keep=keep)


@answers("organization_service_facilities.v_2.get")
def get_facility(asked: Asked) -> Record:
    return found(asked, SITES)


@answers("organization_service_facilities.v_2.get_by_external_id")
def get_facility_by_external_id(asked: Asked) -> Record:
    sites = asked.state.of(SITES)
    identifier = sites.holder(asked.id)
    site = None if identifier is None else sites.get(identifier)
    if site is None:
        raise not_found(asked.id)
    return site


@answers("organization_service_facilities.v_2.create")
def create_facility(asked: Asked) -> Record:
    _check(asked, None)
    sites = asked.state.of(SITES)
    return sites.add({"organization_service_facility_id": sites.new_id(), **completed(asked)})


@answers("organization_service_facilities.v_2.update")
def update_facility(asked: Asked) -> Record:
    site = get_facility(asked)
    _check(asked, site["organization_service_facility_id"])
    return asked.state.of(SITES).put(site | given(asked))


@answers("organization_service_facilities.v_2.delete")
def delete_facility(asked: Asked) -> None:
    asked.state.of(SITES).remove(get_facility(asked)["organization_service_facility_id"])


def _check(asked: Asked, own: str | None) -> None:
    check(asked, _RULES, needed=_NEEDED)
    external = asked.body.get("external_id")
    if external is not None and asked.state.of(SITES).holder(external) not in (None, own):
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "organization service facility"})
