"""Patients: one at a time (Candid: /patients/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.metadata_schemas import check_metadata
from candid_provider.emulator.endpoints.pre_encounter.versioned import LARGE, Resource, conflict, next_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, pre_encounter_not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Collection, Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import pre_encounter
from candid_provider.emulator.world.people import mrn

_LONGEST_MRN: Final = 20


def number_of_mrn(text: str) -> int | None:
    """The number of the patient to whom a generated MRN belongs."""
    digits = text.removeprefix(mrn(0)[:-8])
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
    return number if number is not None and mrn(number) == text else None


def _external_ids(patient: Record) -> list[str]:
    origin = patient["external_provenance"]
    return [f"{origin['system_name']}\n{origin['external_id']}"] if origin else []


def _likeness(patient: Record) -> str:
    """What two records of one person most likely share."""
    name = patient["name"]
    return "\n".join(
        (name["family"].casefold(), *(given.casefold() for given in name["given"][:1]), patient["birth_date"])
    )


PATIENTS: Final = Kind(
    "patient",
    "id",
    count=lambda state: state.world.patients,
    make=lambda state, index: pre_encounter.patient(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("patient", index),
    unique="mrn",
    seeded=lambda _, text: number_of_mrn(text),
    indexes={"external_id": _external_ids, "likeness": lambda patient: [_likeness(patient)]},
    versioned=True,
    deactivated=lambda state: pre_encounter.deactivated_rows(state.world.patients),
)
PATIENT: Final = Resource(PATIENTS, "Patient", lambda patient: {"patient_id": patient["id"]})


def with_mrn(state: State, number: str) -> Record | None:
    """The patient with an MRN."""
    patients = state.of(PATIENTS)
    holder = patients.holder(number)
    return None if holder is None else patients.get(holder)


# --- reading


@answers("pre_encounter.patients.v_1.get")
def get_patient(asked: Asked) -> Record:
    return PATIENT.found(asked)


@answers("pre_encounter.patients.v_1.get_by_mrn")
def get_patient_by_mrn(asked: Asked) -> Record:
    patient = with_mrn(asked.state, asked.path["mrn"])
    if patient is None:
        raise pre_encounter_not_found("Patient")
    return patient


@answers("pre_encounter.patients.v_1.get_history")
def get_patient_history(asked: Asked) -> list[Record]:
    return PATIENT.history(asked)


@answers("pre_encounter.patients.v_1.scan")
def scan_patients(asked: Asked) -> list[Record]:
    return PATIENT.scanned(asked)


# --- writing


@answers("pre_encounter.patients.v_1.create")
def create_patient(asked: Asked) -> Record:
    patients = asked.state.of(PATIENTS)
    return _created(asked, completed(asked) | {"mrn": _free_mrn(patients)})


@answers("pre_encounter.patients.v_1.create_with_mrn")
def create_patient_with_mrn(asked: Asked) -> Record:
    fields = completed(asked)
    if not 0 < len(fields["mrn"]) <= _LONGEST_MRN:
        raise declared(
            asked.endpoint, "BadRequestError", {"message": f"mrn must have 1 to {_LONGEST_MRN} characters"}
        )
    if asked.state.of(PATIENTS).holder(fields["mrn"]) is not None:
        raise conflict("mrn is already in use")
    return _created(asked, fields)


@answers("pre_encounter.patients.v_1.update")
def update_patient(asked: Asked) -> Record:
    patient = PATIENT.found(asked)
    next_version(asked, patient)
    fields = completed(asked)
    _check(asked, fields, patient["id"])
    return PATIENT.updated(asked, patient, fields)


@answers("pre_encounter.patients.v_1.deactivate")
def deactivate_patient(asked: Asked) -> None:
    patient = PATIENT.found(asked)
    next_version(asked, patient)
    PATIENT.updated(asked, patient, {"deactivated": True})


@answers("pre_encounter.patients.v_1.reactivate")
def reactivate_patient(asked: Asked) -> None:
    patient = PATIENT.found(asked)
    next_version(asked, patient)
    PATIENT.updated(asked, patient, {"deactivated": False})


def _created(asked: Asked, fields: Record) -> Record:
    _check(asked, fields, None)
    if not asked.query.boolean("skip_duplicate_check"):
        _refuse_duplicate(asked.state.of(PATIENTS), fields)
    return PATIENT.created(asked, fields)


def _check(asked: Asked, fields: Record, own: str | None) -> None:
    check_metadata(asked, fields["custom_metadata"])
    for external_id in _external_ids(fields):
        holders = asked.state.of(PATIENTS).written_with("external_id", external_id)
        if any(holder["id"] != own for holder in holders):
            raise conflict("The patient's external ID is already in use")


def _free_mrn(patients: Collection) -> str:
    number = len(patients)
    while patients.holder(mrn(number)) is not None:
        number += 1
    return mrn(number)


def _refuse_duplicate(patients: Collection, fields: Record) -> None:
    alike = [row for row in _alike(patients, _likeness(fields)) if not row["deactivated"]]
    if alike:
        data = [{"existing_patient_id": row["id"], "existing_patient_mrn": row["mrn"]} for row in alike]
        raise conflict("The patient is likely a duplicate of another", data)


def _alike(patients: Collection, likeness: str) -> list[Record]:
    numbers = patients.derived("likeness", lambda: _seeded_likenesses(patients), lasting=True).get(likeness, ())
    seeded = (patients.seeded_record(number) for number in numbers if not patients.is_changed(number))
    return [row for row in seeded if row is not None] + patients.written_with("likeness", likeness)


def _seeded_likenesses(patients: Collection) -> dict[str, list[int]]:
    # In a larger world only the written patients are compared: it is not to be walked through, nor kept in memory.
    likenesses: dict[str, list[int]] = {}
    for number in patients.seeded if len(patients.seeded) <= LARGE else ():
        record = pre_encounter.patient(patients.state.world, patients.state.organization, number)
        likenesses.setdefault(_likeness(record), []).append(number)
    return likenesses
