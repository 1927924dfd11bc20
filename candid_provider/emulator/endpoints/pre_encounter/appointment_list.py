"""Appointments with the patient and the coverages they are for (Candid: /lists/v1/appointment)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.appointments import APPOINTMENTS, Schedule
from candid_provider.emulator.endpoints.pre_encounter.listed import (
    demanded,
    fits,
    shape_of_appointments,
    starting,
    with_patient,
)
from candid_provider.emulator.endpoints.pre_encounter.patient_merges import alternatives_of
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS, with_mrn
from candid_provider.emulator.endpoints.pre_encounter.versioned import in_order, small, sorting
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.filters import Condition, conditions
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State

_START: Final = "appointment.startTimestamp"


@answers("pre_encounter.lists.v_1.get_appointment_list")
def list_appointments(asked: Asked) -> Record:
    wanted = conditions(asked.query.text("filters"), shape_of_appointments())
    merged, (field, descending) = asked.query.boolean("include_merged_patient_data"), sorting(asked)
    patient = demanded(wanted, "appointment", "patient_id")
    if patient is None:
        if field in (None, _START):
            return _page_by_start(asked, wanted, descending=descending)
        return _sorted(asked, wanted, field or _START, _everyone(asked), descending=descending)
    # What is wanted of the patient's id has been met, also by those who were merged into the patient.
    wanted = [condition for condition in wanted if condition.path != ("appointment", "patient_id")]
    people = _with_alternatives(asked.state, patient) if merged else [patient.lower()]
    rows = (row for person in people for row in Schedule(asked.state).of_patient(person))
    return _sorted(asked, wanted, field or _START, rows, descending=descending)


def _keep(asked: Asked, wanted: list[Condition]) -> Callable[[Record], bool]:
    cancelled, test = asked.query.boolean("include_deactivated"), fits(asked.state, wanted)
    return lambda appointment: (cancelled or not appointment["deactivated"]) and test(appointment)


def _page_by_start(asked: Asked, wanted: list[Condition], *, descending: bool) -> Record:
    schedule, appointments = Schedule(asked.state), asked.state.of(APPOINTMENTS)
    rows, left = starting(schedule.feed(), wanted)
    keep = _keep(asked, left)
    number = len(appointments) if asked.query.boolean("include_deactivated") else appointments.active
    if wanted:
        small(len(rows), "filters")
    total = None if wanted else lambda: number
    answer = page(asked, rows, schedule.record, keep=keep, descending=descending, total=total)
    return answer | {"items": [with_patient(asked.state, row) for row in answer["items"]]}


def _sorted(asked: Asked, wanted: list[Condition], field: str, rows: Iterable[Record], *, descending: bool) -> Record:
    items = (with_patient(asked.state, row) for row in filter(_keep(asked, wanted), rows))
    return page_of(asked, in_order(items, field, descending=descending, shape=shape_of_appointments()))


def _everyone(asked: Asked) -> Iterable[Record]:
    schedule = Schedule(asked.state)
    small(len(schedule.feed()), "sort_field other than the start")
    return (row for key in schedule.feed().walk() if (row := schedule.record(key)) is not None)


def _with_alternatives(state: State, patient_id: str) -> list[str]:
    """The ids of a patient and of those who were merged into the patient."""
    patient = state.of(PATIENTS).get(patient_id)
    numbers = alternatives_of(state, patient["mrn"]) if patient else []
    others = (with_mrn(state, number) for number in numbers)
    return [patient_id.lower(), *(other["id"] for other in others if other is not None)]
