"""Encounters made and changed (Candid: POST and PATCH /api/encounters/v4)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters import claim_lives, encounter_checks
from candid_provider.emulator.endpoints.encounters import encounter_parts as parts
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.encounter_lines import check_diagnoses, check_lines
from candid_provider.emulator.endpoints.encounters.encounter_making import PLAIN, PROVIDERS, Order, make, order, tags
from candid_provider.emulator.endpoints.encounters.pre_encounter_sources import sourced
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.world import microseconds

# They are never empty: null does not clear them.
_KEPT: Final = frozenset(
    {
        *("external_id", "patient_authorized_release", "benefits_assigned_to_provider"),
        *("provider_accepts_assignment", "billable_status", "responsible_party", "date_of_service"),
    }
)
_MERGED: Final = ("patient", "guarantor", "billing_provider", "rendering_provider", "service_facility")


@answers("encounters.v_4.create")
def create(asked: Asked) -> Record:
    return make(asked.state, checked(asked, asked.body))


@answers("encounters.v_4.create_universal")
def create_universal(asked: Asked) -> Record:
    return make(asked.state, checked(asked, _universal(asked), pointers=False))


@answers("encounters.v_4.create_from_pre_encounter_patient")
def create_from_pre_encounter(asked: Asked) -> Record:
    return _from_pre_encounter(asked, asked.body, pointers=True)


@answers("encounters.v_4.create_from_pre_encounter_patient_universal")
def create_from_pre_encounter_universal(asked: Asked) -> Record:
    return _from_pre_encounter(asked, _universal(asked, either=False), pointers=False)


def _from_pre_encounter(asked: Asked, given: Record, *, pointers: bool) -> Record:
    found = sourced(asked, given["pre_encounter_patient_id"], given["pre_encounter_appointment_ids"])
    return make(asked.state, checked(asked, given | found, pointers=pointers))


def checked(asked: Asked, given: Record, *, pointers: bool = True) -> Order:
    """What is to be made of a caller's data; a Refusal says what has to be mended in it."""
    found = given.get("diagnoses") or []
    check_diagnoses(asked, found)
    check_lines(asked, given.get("service_lines") or [], len(found), pointers=pointers)
    return order(asked, given)


def _universal(asked: Asked, *, either: bool = True) -> Record:
    given: Record = asked.body
    if either and not given.get("rendering_provider") and not given.get("attending_provider"):
        raise declared(asked.endpoint, "EncounterRenderingOrAttendingProviderRequired", {})
    return given | {"diagnoses": _coded(asked, given.get("health_care_code_information") or {})}


def _coded(asked: Asked, codes: Record) -> list[Record]:
    rows = [(codes.get("principal_diagnosis"), "principal_diagnosis_code_qualifier", "primary_diagnosis_code")]
    for item in codes.get("other_diagnosis_information") or []:
        rows.append((item, "other_diagnosis_code_qualifier", "other_diagnosis"))
    admitting = codes.get("admitting_diagnosis")
    rows.append((admitting, "admitting_diagnosis_code_qualifier", "admitting_diagnosis_code"))
    return [{"code_type": item[qualifier], "code": item[code]} for item, qualifier, code in rows if item]


@answers("encounters.v_4.update", "encounters.v_4.update_universal")
def update(asked: Asked) -> Record:
    rows, given = asked.state.of(ENCOUNTERS), asked.body
    record = rows.get(asked.id)
    if record is None:
        raise not_found(asked.id)
    encounter_checks.check_references(asked, given)
    encounter_checks.check_unique(asked, given.get("external_id"), record["encounter_id"])
    payers = encounter_checks.payers_of(asked, given)
    order_of_diagnoses = _diagnoses(asked, record)
    billed = record["billable_status"]
    at = asked.state.clock.tick()
    _change(asked, record, payers, microseconds(at))
    record["diagnoses"] = order_of_diagnoses
    if record["billable_status"] != billed:
        claim_lives.rebegin(asked.state, record, at)
    return claim_lives.keep(asked.state, record, at)


def _diagnoses(asked: Asked, record: Record) -> list[Record]:
    wanted = asked.body.get("diagnosis_ids")
    if wanted is None:
        return list(record["diagnoses"])
    known = {item["diagnosis_id"]: item for item in record["diagnoses"]}
    for identifier in wanted:
        if identifier not in known:
            raise not_found(str(identifier))
    return [known.pop(identifier) for identifier in dict.fromkeys(wanted)] + list(known.values())


def _change(asked: Asked, record: Record, payers: dict[str, str], now: str) -> None:
    given, state = asked.body, asked.state
    for name in PLAIN:
        if name in given and not (given[name] is None and name in _KEPT):
            record[name] = given[name]
    place = record["billing_provider"]["address"]
    for name in PROVIDERS:
        if name in given:
            merged = _merged(record[name], given[name])
            record[name] = parts.provider(state, merged, place)
    if "treating_provider" in given:
        record["treating_provider"] = parts.treating_provider(
            state, _merged(record["treating_provider"], given["treating_provider"])
        )
    for name in encounter_checks.SUBSCRIBERS:
        if name in given:
            record[name] = parts.subscriber(state, given[name], payers.get(name))
    for name in _MERGED:
        if given.get(name) is not None:
            record[name] = (record[name] or {}) | _merge(record[name], given[name])
    _change_notes(asked, record, now)


def _merged(old: Record | None, new: Record | None) -> Record | None:
    return None if new is None else (old or {}) | new


def _merge(old: Record | None, new: Record) -> Record:
    changed = {name: value for name, value in new.items() if name in (old or {})}
    if changed.get("address") is not None:
        changed["address"] = parts.address(changed["address"])
    return changed | ({"non_insurance_payers": []} if "non_insurance_payers" in changed else {})


def _change_notes(asked: Asked, record: Record, now: str) -> None:
    given, state = asked.body, asked.state
    if "tag_ids" in given:
        record["tags"] = tags(state, given["tag_ids"])
    if "schema_instances" in given:
        record["schema_instances"] = given["schema_instances"] or []
    if "clinical_notes" in given:
        record["clinical_notes"] = parts.clinical_notes(given["clinical_notes"])
    if "existing_medications" in given:
        record["existing_medications"] = parts.medications(given["existing_medications"])
    if "pay_to_address" in given:
        record["pay_to_address"] = parts.address(given["pay_to_address"])
    if "vitals" in given:
        vitals = _merged(record["vitals"], given["vitals"])
        record["vitals"] = None if vitals is None else parts.filled(parts.VITALS, vitals)
    if "type_of_bill" in given:
        record["type_of_bill"] = parts.type_of_bill(given["type_of_bill"])
