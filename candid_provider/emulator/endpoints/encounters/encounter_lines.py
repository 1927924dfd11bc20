"""Diagnoses and service lines of encounters that were written."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.catalogue import template
from candid_provider.emulator.endpoints.encounters import encounter_parts as parts
from candid_provider.emulator.endpoints.encounters.claim_lives import unadjudicated
from candid_provider.emulator.endpoints.encounters.encounter_kinds import DIAGNOSES, SERVICE_LINES
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import nulls

PRIMARY: Final = frozenset({"ABK", "BK"})
POINTERS: Final = ("diagnosis_id_zero", "diagnosis_id_one", "diagnosis_id_two", "diagnosis_id_three")
_GIVEN: Final = (
    *("modifiers", "has_epsdt_indicator", "has_family_planning_indicator", "quantity", "units"),
    *("charge_amount_cents", "place_of_service_code", "description", "date_of_service"),
    *("end_date_of_service", "test_results", "note", "prior_authorization_number", "external_id"),
    *("procedure_code", "revenue_code", "custom_procedure_code", "denial_reason", *POINTERS),
)
_DRUG: Final = nulls(
    """
    service_id_qualifier national_drug_code national_drug_unit_count measurement_unit_code
    link_sequence_number pharmacy_prescription_number conversion_formula drug_description
    """
)
_REQUIRED: Final = ("quantity", "units", "procedure_code", "date_of_service")


def own(state: State, kind: Kind, encounter_id: str, at: int, number: int) -> str:
    """The id for the next part of an encounter, by which the encounter will be found."""
    owners = state.of(kind)
    identifier = owners.new_id()
    owners.add({kind.id_field: identifier, "encounter_id": encounter_id, "number": number}, at)
    return identifier


def diagnosis(state: State, given: Record, encounter_id: str, at: int, now: str) -> Record:
    return {
        "name": given.get("name"),
        "code_type": given["code_type"],
        "code": given["code"],
        "present_on_admission_indicator": given.get("present_on_admission_indicator"),
        "encounter_id": encounter_id,
        "diagnosis_id": own(state, DIAGNOSES, encounter_id, at, 0),
        "created_at": now,
        "updated_at": now,
    }


def check_diagnoses(asked: Asked, given: list[Record]) -> None:
    """One of the diagnoses at most is the primary one."""
    if sum(item["code_type"] in PRIMARY for item in given) > 1:
        raise unprocessable(asked.endpoint, "diagnoses", "must have one primary diagnosis at most")


def check_lines(asked: Asked, given: list[Record], diagnoses: int, *, pointers: bool) -> None:
    """Each service line points at diagnoses that are there; `pointers`: at one of them at least."""
    for number, line in enumerate(given):
        where = f"service_lines.{number}"
        check_line(asked, line, f"{where}.")
        pointed = line.get("diagnosis_pointers") or []
        if (pointers and not pointed) or any(not 0 <= place < diagnoses for place in pointed):
            raise unprocessable(
                asked.endpoint, f"{where}.diagnosis_pointers", "must point at the encounter's diagnoses"
            )


def check_line(asked: Asked, given: Record, where: str = "") -> None:
    """The quantity of a service line is a number."""
    if given.get("quantity") is not None and not _is_decimal(given["quantity"]):
        raise unprocessable(asked.endpoint, f"{where}quantity", "must be a decimal number in a string")


def _is_decimal(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and text.isascii()


def line(state: State, given: Record, claim_id: str, encounter: Record, at: int, now: str) -> Record:
    """A new service line of an encounter; what was not given of it is the encounter's."""
    made: Record = template("service_lines.v_2.create") | {name: given.get(name) for name in _GIVEN}
    for pointer, place in zip(POINTERS, given.get("diagnosis_pointers") or (), strict=False):
        made[pointer] = encounter["diagnoses"][place]["diagnosis_id"]
    made["modifiers"] = made["modifiers"] or []
    made["procedure_code"] = made["procedure_code"] or ""
    made["place_of_service_code"] = made["place_of_service_code"] or encounter["place_of_service_code"]
    made["date_of_service"] = made["date_of_service"] or encounter["date_of_service"]
    made["date_of_service_range"] = _range(made)
    made["drug_identification"] = _drug(given.get("drug_identification"))
    place = encounter["billing_provider"]["address"]
    made["ordering_provider"] = parts.provider(state, given.get("ordering_provider"), place)
    made |= unadjudicated(made["charge_amount_cents"])
    identifier = own(
        state, SERVICE_LINES, encounter["encounter_id"], at, len(encounter["claims"][0]["service_lines"])
    )
    return made | {"service_line_id": identifier, "claim_id": claim_id, "created_at": now}


def change_line(state: State, record: Record, given: Record) -> None:
    """Change what was given of a service line; null clears what can be empty."""
    for name in _GIVEN:
        if name in given and not (given[name] is None and name in _REQUIRED):
            record[name] = given[name]
    record["modifiers"] = record["modifiers"] or []
    if "drug_identification" in given:
        record["drug_identification"] = _drug(given["drug_identification"])
    record["date_of_service_range"] = _range(record)
    if record["paid_amount_cents"] is None:
        record |= unadjudicated(record["charge_amount_cents"])


def _range(made: Record) -> Record:
    return {"start_date": made["date_of_service"], "end_date": made["end_date_of_service"]}


def _drug(given: Record | None) -> Record | None:
    return None if given is None else parts.filled(_DRUG, given)
