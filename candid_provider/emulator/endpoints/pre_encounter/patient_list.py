"""Patients with their coverages, next appointment and merges (Candid: /lists/v1/patient)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.appointments import Schedule
from candid_provider.emulator.endpoints.pre_encounter.listed import demanded, mutable, shape_of_patients
from candid_provider.emulator.endpoints.pre_encounter.patient_merges import alternatives_of, merged_into
from candid_provider.emulator.endpoints.pre_encounter.patient_search import coverages_in, primary_of
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS, with_mrn
from candid_provider.emulator.endpoints.pre_encounter.versioned import in_order, small, sorting
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.filters import Condition, conditions, matching
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed
from candid_provider.emulator.records.state import State

_UPDATED: Final = ("patient", "updated_at")


@answers("pre_encounter.lists.v_1.get_patient_list")
def list_patients(asked: Asked) -> Record:
    state, shape, (field, descending) = asked.state, shape_of_patients(), sorting(asked)
    wanted = conditions(asked.query.text("filters"), shape)
    keep, primary = _keep(asked, wanted), asked.query.boolean("redirect_to_primary")
    only = _only(state, wanted, redirect=bool(primary))
    if only is not None:
        # What is wanted of the MRN was met before the way led on to the primary patient.
        return page_of(asked, [_item(state, patient) for patient in only if primary or keep(patient)])
    if field in (None, "patient.updatedAt"):
        return _page_by_update(asked, wanted, keep, descending=descending)
    small(len(state.of(PATIENTS)), "sort_field other than patient.updatedAt")
    items = (_item(state, patient) for patient in state.of(PATIENTS) if keep(patient))
    return page_of(asked, in_order(items, field or "", descending=descending, shape=shape))


def _keep(asked: Asked, wanted: list[Condition]) -> Callable[[Record], bool]:
    state, query = asked.state, asked.query
    deactivated, primary = query.boolean("include_deactivated"), query.boolean("hide_alternatives")
    own = [condition for condition in wanted if condition.path[0] == "patient"]
    others = [condition for condition in wanted if condition.path[0] != "patient"]

    def keep(patient: Record) -> bool:
        if patient["deactivated"] and not deactivated:
            return False
        if primary and merged_into(state, patient["mrn"]):
            return False
        return matching(own, {"patient": patient}) and (not others or matching(others, _item(state, patient)))

    return keep


def _page_by_update(
    asked: Asked, wanted: list[Condition], keep: Callable[[Record], bool], *, descending: bool
) -> Record:
    patients = asked.state.of(PATIENTS)
    rows = _updated(patients.by_update(), wanted)
    number = len(patients) if asked.query.boolean("include_deactivated") else patients.active
    total = None if wanted or asked.query.boolean("hide_alternatives") else lambda: number
    if total is None:
        small(len(rows), "filters")
    answer = page(asked, rows, patients.updated_record, keep=keep, descending=descending, total=total)
    return answer | {"items": [_item(asked.state, patient) for patient in answer["items"]]}


def _only(state: State, wanted: list[Condition], *, redirect: bool) -> list[Record] | None:
    """The patient that a filter on id or MRN lets through; None if there is no such filter."""
    identifier, number = demanded(wanted, "patient", "id"), demanded(wanted, "patient", "mrn")
    if identifier is None and number is None:
        return None
    patient = state.of(PATIENTS).get(identifier) if identifier else with_mrn(state, number or "")
    if patient is None:
        return []
    return [primary_of(state, patient) if redirect and number else patient]


def _updated(rows: Feed, wanted: list[Condition]) -> Feed:
    for condition in wanted:
        if condition.path == _UPDATED and condition.op != "ne":
            rows = rows.between(*condition.instants())
    return rows


def _item(state: State, patient: Record) -> Record:
    first, second, third, *_ = (*coverages_in(state, patient["filing_order"]), None, None, None)
    return {
        "patient": patient,
        "primary_coverage": mutable(first, "MutableCoverage"),
        "secondary_coverage": mutable(second, "MutableCoverage"),
        "tertiary_coverage": mutable(third, "MutableCoverage"),
        "next_appointment": mutable(Schedule(state).next_of(patient["id"]), "MutableAppointment"),
        "primary_mrn": merged_into(state, patient["mrn"]),
        "alternative_mrns": alternatives_of(state, patient["mrn"]),
    }
