"""Appointments with the patient and the coverages they are for, and the filters on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from candid_provider.emulator.endpoints.pre_encounter.patient_search import coverages_in
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import blank, blank_record, fields_of
from candid_provider.emulator.exchange.filters import Condition, bad_request, instants_of, matching
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed
from candid_provider.emulator.records.state import State

START = ("appointment", "start_timestamp")


@cache
def shape_of_appointments() -> Record:
    """The fields that a row of the appointment list can have."""
    own = {"appointment": blank_record("MutableAppointment"), "patient": blank_record("MutablePatientWithMrn")}
    return {**own, **_coverages("primary", "secondary"), "primary_service_type": None}


@cache
def shape_of_patients() -> Record:
    """The fields that a row of the patient list can have."""
    own = {"patient": blank_record("MutablePatientWithMrn"), "next_appointment": blank("MutableAppointment")}
    return {**own, **_coverages("primary", "secondary", "tertiary"), "primary_mrn": None, "alternative_mrns": [None]}


def _coverages(*places: str) -> Record:
    return {f"{place}_coverage": blank("MutableCoverage") for place in places}


def mutable(record: Record | None, model: str) -> Record | None:
    """The fields of a record that a caller may write: that is how one record shows another."""
    return None if record is None else {name: record[name] for name in fields_of(model)}


def with_patient(state: State, appointment: Record) -> Record:
    """An appointment as the listings show it."""
    patient = state.of(PATIENTS).get(appointment["patient_id"]) or {}
    primary, secondary, *_ = (*coverages_in(state, patient["filing_order"]), None, None)
    kinds = (service["universal_service_identifier"] for service in appointment["services"])
    return {
        "appointment": appointment,
        "patient": mutable(patient, "MutablePatientWithMrn"),
        "primary_coverage": mutable(primary, "MutableCoverage"),
        "secondary_coverage": mutable(secondary, "MutableCoverage"),
        "primary_service_type": next(kinds, None),
    }


def fits(state: State, wanted: list[Condition]) -> Callable[[Record], bool]:
    """A test of appointments by filters, that looks at the patient only if a filter asks for it."""
    own = [condition for condition in wanted if condition.path[0] == "appointment"]
    others = [condition for condition in wanted if condition.path[0] != "appointment"]

    def test(appointment: Record) -> bool:
        if not matching(own, {"appointment": appointment}):
            return False
        return not others or matching(others, with_patient(state, appointment))

    return test


def starting(rows: Feed, wanted: Iterable[Condition]) -> tuple[Feed, list[Condition]]:
    """The rows whose start the filters allow, and the filters that are left to be looked at."""
    left = []
    for condition in wanted:
        if condition.path == START and condition.op != "ne":
            rows = rows.between(*condition.instants())
        else:
            left.append(condition)
    return rows, left


def dated(asked: Asked, wanted: Iterable[Condition]) -> None:
    """Refuse filters without one on the start, as Candid does: without a date they would take a minute."""
    dates = [condition for condition in wanted if condition.path == START and condition.op != "ne"]
    if not dates:
        raise bad_request("filters must include a date filter on appointment.startTimestamp (gt, lt or eq)")
    if any(instants_of(condition.value) is None for condition in dates):
        raise bad_request("appointment.startTimestamp must be a date or a date-time with a UTC offset")


def day_of(appointment: Record) -> tuple[str, str]:
    """What the appointments of one visit share: the patient and the day."""
    return appointment["patient_id"], appointment["start_timestamp"][:10]


def demanded(wanted: Iterable[Condition], *path: str) -> str | None:
    """The value that a filter demands of a field."""
    return next((condition.value for condition in wanted if condition.op == "eq" and condition.path == path), None)
