"""What bore on a patient's eligibility, newest first (Candid: /patients/v1/{id}/eligibility-timeline)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from candid_provider.emulator.endpoints.eligibility.coverage_eligibility import COVERAGE_CHECKS, check_of, status_of
from candid_provider.emulator.endpoints.pre_encounter.appointments import Schedule
from candid_provider.emulator.endpoints.pre_encounter.coverages import coverages_of
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENTS
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import invalid, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of, sorted_by
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.eligibility import bits_of
from candid_provider.emulator.world.world import milliseconds

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
    for coverage in coverages_of(state, patient["id"]):
        kind = "COVERAGE_CREATED" if coverage["version"] == 1 else "COVERAGE_UPDATED"
        yield _event(state, patient, kind, coverage, coverage_id=coverage["id"])
    for appointment in Schedule(state).of_patient(patient["id"]):
        yield _event(
            state,
            patient,
            "APPOINTMENT_STATUS_CHANGED",
            appointment,
            appointment_id=appointment["id"],
            appointment_date=appointment["start_timestamp"],
            payload={"status": appointment["status"]},
        )
    for check in state.of(COVERAGE_CHECKS).written_with("patient", patient["id"]):
        if check["ends"] <= state.clock.now():
            yield _check_event(state, patient, check)


def _check_event(state: State, patient: Record, check: Record) -> Record:
    ended = {"id": check["check_id"], "version": 1, "updated_at": milliseconds(check["ends"])}
    status = status_of(state, check, check_of(state, check))
    payload = {"check_id": check["check_id"], "status": status}
    return _event(state, patient, "ELIG_CHECK_COMPLETED", ended, coverage_id=check["coverage_id"], payload=payload)


def _event(state: State, patient: Record, kind: str, about: Record, **more: Any) -> Record:
    ids = state.world.ids
    return {
        "id": ids.uuid("timeline", bits_of(ids, "timeline", about["id"], str(about["version"]))),
        "event_type": kind,
        "patient_id": patient["id"],
        "coverage_id": None,
        "appointment_id": None,
        "appointment_date": None,
        "timestamp": about["updated_at"],
        "user_id": state.organization.user_id,
        "user_name": "Emulated Clinic, front desk",
        "payload": {},
        **more,
    }
