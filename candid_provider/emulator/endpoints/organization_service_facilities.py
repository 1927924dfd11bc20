"""Places where the organization sees patients (Candid: /api/organization-service-facilities/v2)."""

from __future__ import annotations

from typing import Final

import msgspec

from candid_provider.emulator.answers import declared, missing, not_found
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Kind, Record
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.given import (
    LONG_ADDRESS,
    Rule,
    address,
    changed,
    check,
    is_filled,
    is_npi,
    is_text,
    list_of,
    one_of,
)
from candid_provider.emulator.organization import FACILITIES
from candid_provider.emulator.paging import page
from candid_provider.emulator.state import State

_PLACES: Final = """
    01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 31 32 33 34 41 42 49 50 51 52 53 54
    55 56 57 58 60 61 62 65 71 72 81 99
"""
_PLACE_CODES: Final = tuple(_PLACES.split())
_PHYSICAL: Final = ("si", "bu", "wi", "wa", "lvl", "co", "ro", "bd", "ve", "ho", "ca", "rd", "area", "jdn")
_TYPES: Final = """
    DX CVDX CATH ECHO GIDX ENDOS RADDX RADO RNEU HOSP CHR GACH MHSP PSYCHF RH RHAT RHII RHMAD RHPI RHPIH RHPIMS
    RHPIVS RHYAD HU BMTU CCU CHEST EPIL ER ETU HD HLAB INLAB OUTLAB HRAD HUSCS ICU PEDICU PEDNICU INPHARM MBL
    NCCS NS OUTPHARM PEDU PHU RHU SLEEP NCCF SNF OF ALL AMPUT BMTC BREAST CANC CAPC CARD PEDCARD COAG CRS DERM
    ENDO PEDE ENT FMC GI PEDGI GIM GYN HEM PEDHEM HTN IEC INFD PEDID INV LYMPH MGEN NEPH PEDNEPH NEUR OB OMS
    ONCL PEDHO OPH OPTC ORTHO HAND PAINCL PC PEDC PEDRHEUM POD PREV PROCTO PROFF PROS PSI PSY RHEUM SPMED SU PLS
    URO TR TRAVEL WND RTF PRC SURF DADDR MOBL AMB PHARM ACC COMM CSC PTRES SCHOOL UPC WORK
"""
_RULES: Final[dict[str, Rule]] = {
    "name": is_filled,
    "aliases": list_of(is_text),
    "description": is_text,
    "external_id": is_filled,
    "npi": is_npi,
    "place_of_service_code": one_of(_PLACE_CODES),
    "clia_number": is_text,
    "mammography_certification_number": is_text,
    "status": one_of(("active", "inactive", "suspended")),
    "operational_status": one_of("CHIKOU"),
    "mode": one_of(("instance", "kind")),
    "type": one_of(_TYPES.split()),
    "physical_type": one_of(_PHYSICAL),
    "telecoms": list_of(is_text),
    "address": LONG_ADDRESS,
}
_NEEDED: Final = ("name", "aliases", "telecoms", "address")


def _external_id(index: int) -> str:
    return f"facility-{index:04d}"


def _index(_: State, external_id: str) -> int | None:
    return next((index for index in range(FACILITIES) if _external_id(index) == external_id), None)


def _make(state: State, index: int) -> Record:
    known: Record = msgspec.json.decode(state.organization.facilities[index])
    given = {
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
    return {"organization_service_facility_id": known["service_facility_id"], **dict.fromkeys(_RULES), **given}


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
    name, place = (query.text("name") or "").casefold(), query.choice("place_of_service_code", _PLACE_CODES)
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
    site = asked.state.of(SITES).get(asked.id)
    if site is None:
        raise missing(asked.endpoint, asked.id)
    return site


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
    sites, body = asked.state.of(SITES), _body(asked, None)
    given = changed(dict.fromkeys(_RULES), body, _RULES)
    return sites.add({"organization_service_facility_id": sites.new_id(), **given})


@answers("organization_service_facilities.v_2.update")
def update_facility(asked: Asked) -> Record:
    site = get_facility(asked)
    body = _body(asked, site["organization_service_facility_id"])
    return asked.state.of(SITES).put(changed(site, body, _RULES))


@answers("organization_service_facilities.v_2.delete")
def delete_facility(asked: Asked) -> None:
    asked.state.of(SITES).remove(get_facility(asked)["organization_service_facility_id"])


def _body(asked: Asked, own: str | None) -> Record:
    body = check(asked, _RULES, needed=_NEEDED)
    external = body.get("external_id")
    if external is not None and asked.state.of(SITES).holder(external) not in (None, own):
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "organization service facility"})
    return {**body, "address": address(body["address"])} if "address" in body else body
