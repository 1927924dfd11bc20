"""What bore on a patient's eligibility, newest first (Candid: /patients/v1/{id}/eligibility-timeline)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from candid_provider.emulator.answers import invalid, missing
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Record
from candid_provider.emulator.data import milliseconds
from candid_provider.emulator.endpoints.appointments import APPOINTMENTS
from candid_provider.emulator.endpoints.coverage_eligibility import COVERAGE_CHECKS, check_of, status_of
from candid_provider.emulator.endpoints.coverages import COVERAGES
from candid_provider.emulator.endpoints.patients import PATIENTS
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.paging import page_of, sorted_by
from candid_provider.emulator.state import State

_TYPES: Final = (
    *("APPOINTMENT_STATUS_CHANGED", "APPOINTMENT_WORK_QUEUE_CHANGED", "APPOINTMENT_COPAY_UPDATED"),
    *("COVERAGE_CREATED", "COVERAGE_UPDATED", "ELIG_CHECK_COMPLETED", "PATIENT_TAGS_UPDATED"),
)


@answers("pre_encounter.patients.v_1.get_eligibility_timeline")
def get_timeline(asked: Asked) -> Record:
    state, query = asked.state, asked.query
    wanted = set(query.texts("event_types"))
    if not wanted <= set(_TYPES):
        raise invalid("event_types", "is not one of the known values")
    links = {name: query.text(name) for name in ("coverage_id", "appointment_id")}
    patient = state.of(PATIENTS).get(asked.id)
    if patient is None:
        raise missing(asked.endpoint, asked.id, "Patient")
    rows = [
        row
        for row in _events(state, patient)
        if (not wanted or row["event_type"] in wanted)
        and all(value is None or row[name] == value.lower() for name, value in links.items())
    ]
    return page_of(asked, sorted_by(rows, "timestamp", descending=True))


def _events(state: State, patient: Record) -> Iterator[Record]:
    world, number = state.world, state.of(PATIENTS).index_of(patient["id"])
    if number is not None:
        for coverage in world.coverages_of(number):
            yield _coverage_event(state, patient, coverage)
        for encounter in world.encounters_of(number):
            yield _appointment_event(state, patient, encounter)
    for check in state.of(COVERAGE_CHECKS):
        if check["patient_id"] == patient["id"] and check["ends"] <= state.clock.now():
            yield _check_event(state, patient, check)


def _event(state: State, patient: Record, kind: str, identity: tuple[str, int], at: str, **more: Any) -> Record:
    return {
        "id": state.world.ids.uuid(f"timeline-{identity[0]}", identity[1]),
        "event_type": kind,
        "patient_id": patient["id"],
        "coverage_id": None,
        "appointment_id": None,
        "appointment_date": None,
        "timestamp": at,
        "user_id": state.organization.user_id,
        "user_name": "Emulated Clinic, front desk",
        "payload": {},
        **more,
    }


def _coverage_event(state: State, patient: Record, coverage: int) -> Record:
    at = milliseconds(state.world.updated("coverage", coverage))
    identifier = state.of(COVERAGES).id_of(coverage)
    return _event(state, patient, "COVERAGE_CREATED", ("coverage", coverage), at, coverage_id=identifier)


def _appointment_event(state: State, patient: Record, encounter: int) -> Record:
    appointment = state.of(APPOINTMENTS).seeded_record(encounter) or {}
    return _event(
        state,
        patient,
        "APPOINTMENT_STATUS_CHANGED",
        ("appointment", encounter),
        milliseconds(state.world.updated("appointment", encounter)),
        appointment_id=state.of(APPOINTMENTS).id_of(encounter),
        appointment_date=appointment.get("start_timestamp"),
        payload={"status": appointment.get("status")},
    )


def _check_event(state: State, patient: Record, check: Record) -> Record:
    return _event(
        state,
        patient,
        "ELIG_CHECK_COMPLETED",
        ("check", check["number"]),
        milliseconds(check["ends"]),
        coverage_id=check["coverage_id"],
        payload={"check_id": check["check_id"], "status": status_of(state, check, check_of(state, check))},
    )
