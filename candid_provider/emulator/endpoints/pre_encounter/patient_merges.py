"""Merges of patients: an alternative record of a person leads to the primary one (Candid: /patient-merge/v1)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS, number_of_mrn, with_mrn
from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, next_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, pre_encounter_not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.people import mrn
from candid_provider.emulator.world.world import milliseconds

# In the seeded world the last patient of each block was merged into the one before.
_BLOCK: Final = 64


def _alternative(index: int) -> int:
    return _BLOCK * index + _BLOCK - 1


def _updated(state: State, index: int) -> int:
    return state.world.updated("patient", _alternative(index))


def _make(state: State, index: int) -> Record:
    return {
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 1,
        "updated_at": milliseconds(_updated(state, index)),
        "updating_user_id": state.organization.user_id,
        "id": state.world.ids.uuid("patient-merge", index),
        "alternative_patient_mrn": mrn(_alternative(index)),
        "primary_patient_mrn": mrn(_alternative(index) - 1),
    }


MERGES: Final = Kind(
    "patient-merge",
    "id",
    count=lambda state: state.world.patients // _BLOCK,
    make=_make,
    updated=_updated,
    indexes={
        "mrn": lambda merge: [merge["alternative_patient_mrn"], merge["primary_patient_mrn"]],
    },
    versioned=True,
)
_MERGE: Final = Resource(MERGES, "Patient merge")


def _merges_of(state: State, number: str) -> list[Record]:
    """Every merge with an MRN on either side, deactivated ones included."""
    merges, patient = state.of(MERGES), number_of_mrn(number)
    index, place = divmod(-1 if patient is None else patient, _BLOCK)
    known = (
        patient is not None and place >= _BLOCK - 2 and index < len(merges.seeded) and not merges.is_changed(index)
    )
    seeded = [_make(state, index)] if known else []
    return seeded + merges.written_with("mrn", number)


def merged_into(state: State, number: str) -> str | None:
    """The MRN of the primary patient that an alternative one was merged into."""
    found = None
    for merge in _merges_of(state, number):
        if merge["alternative_patient_mrn"] == number and not merge["deactivated"]:
            found = str(merge["primary_patient_mrn"])
    return None if found is None else merged_into(state, found) or found


def alternatives_of(state: State, number: str) -> list[str]:
    """The MRNs of the patients that were merged into a primary one, directly or through each other."""
    found: list[str] = []
    for merge in _merges_of(state, number):
        if merge["primary_patient_mrn"] == number and not merge["deactivated"]:
            alternative = merge["alternative_patient_mrn"]
            found += [alternative, *alternatives_of(state, alternative)]
    return found


@answers("pre_encounter.patient_merges.v_1.create")
def create_merge(asked: Asked) -> Record:
    fields, state = completed(asked), asked.state
    alternative, primary = fields["alternative_patient_mrn"], fields["primary_patient_mrn"]
    problem = None
    if alternative == primary:
        problem = "a patient cannot be merged into itself"
    elif with_mrn(state, alternative) is None or with_mrn(state, primary) is None:
        problem = "both MRNs must be those of patients"
    elif merged_into(state, alternative) or merged_into(state, primary):
        problem = "one of the patients has been merged already"
    if problem:
        raise declared(asked.endpoint, "BadRequestError", {"message": problem})
    return _MERGE.created(asked, fields)


@answers("pre_encounter.patient_merges.v_1.get_all_by_mrn")
def list_merges_of(asked: Asked) -> list[Record]:
    if with_mrn(asked.state, asked.path["mrn"]) is None:
        raise pre_encounter_not_found("Patient")
    return _merges_of(asked.state, asked.path["mrn"])


@answers("pre_encounter.patient_merges.v_1.search")
def search_merges(asked: Asked) -> Record:
    wanted = completed(asked)["mrns"]
    found = {merge["id"]: merge for number in wanted for merge in _merges_of(asked.state, number)}
    return page_of(asked, [merge for merge in found.values() if not merge["deactivated"]])


@answers("pre_encounter.patient_merges.v_1.get_status")
def get_merge_status(asked: Asked) -> Record:
    state, text = asked.state, asked.path["mrn_or_id"]
    patient = state.of(PATIENTS).get(text) if _is_uuid(text) else with_mrn(state, text)
    if patient is None:
        raise pre_encounter_not_found("Patient")
    if primary := merged_into(state, patient["mrn"]):
        return {"merge_status": "alternative", "primary_mrn": primary}
    if alternatives := alternatives_of(state, patient["mrn"]):
        return {"merge_status": "primary", "alternative_mrns": alternatives}
    return {"merge_status": "none"}


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


@answers("pre_encounter.patient_merges.v_1.scan")
def scan_merges(asked: Asked) -> list[Record]:
    return _MERGE.scanned(asked)


@answers("pre_encounter.patient_merges.v_1.deactivate")
def deactivate_merge(asked: Asked) -> None:
    merge = _MERGE.found(asked)
    next_version(asked, merge)
    _MERGE.updated(asked, merge, {"deactivated": True})
