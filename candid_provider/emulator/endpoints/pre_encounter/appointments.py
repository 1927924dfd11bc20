"""Appointments (Candid: /appointments/v1)."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENT, PATIENTS
from candid_provider.emulator.endpoints.pre_encounter.versioned import (
    Resource,
    conflict,
    latest_version,
    next_version,
)
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.records.collection import Collection, Kind, Record
from candid_provider.emulator.records.feed import Feed, Key
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import pre_encounter
from candid_provider.emulator.world.ranges import between


def _number_of(placer_id: str) -> int | None:
    digits = placer_id.removeprefix("appt-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None


APPOINTMENTS: Final = Kind(
    "appointment",
    "id",
    count=lambda state: state.world.appointments,
    make=lambda state, index: pre_encounter.appointment(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("appointment", index),
    unique="placer_appointment_id",
    seeded=lambda _, text: _number_of(text),
    indexes={"patient": lambda appointment: [appointment["patient_id"]]},
    versioned=True,
    deactivated=lambda state: pre_encounter.deactivated_rows(state.world.appointments),
)
APPOINTMENT: Final = Resource(APPOINTMENTS, "Appointment")


# --- in the order of their starts


def start_of(appointment: Record) -> int:
    """When an appointment starts, in microseconds since 1970."""
    return moment_of(appointment["start_timestamp"])


class Schedule:
    """All appointments by start: the seeded ones by arithmetic, the written ones sorted after each change."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: Collection = state.of(APPOINTMENTS)
        self._written = self._rows.derived("schedule", self._sorted)
        self._last: tuple[int, Record] = (-1, {})

    def _sorted(self) -> tuple[list[int], list[str]]:
        starts = sorted((start_of(row), row["id"]) for row in self._rows.written())
        return [start for start, _ in starts], [identifier for _, identifier in starts]

    def _start(self, visit: int) -> int:
        return start_of(self._seeded(visit))

    def _seeded(self, visit: int) -> Record:
        # A walk asks for the start of a row, and then for the row.
        if self._last[0] != visit:
            state, index = self._state, self._state.world.appointment_of(visit)
            self._last = (visit, pre_encounter.appointment(state.world, state.organization, index))
        return self._last[1]

    def feed(self) -> Feed:
        """Every appointment, in the order of start: visits are numbered in that order, appointments are not."""
        return Feed(range(len(self._rows.seeded)), self._start, self._written[0])

    def record(self, key: Key) -> Record | None:
        """The appointment of a row of `feed`; None for a seeded one that has another row since it changed."""
        if key.written:
            return self._rows.get(self._written[1][key.number])
        changed = self._rows.is_changed(self._state.world.appointment_of(key.number))
        return None if changed else dict(self._seeded(key.number))

    def of_patient(self, patient_id: str, since: int | None = None) -> Iterator[Record]:
        """A patient's appointments that start at an instant or later, by start."""
        number = self._state.of(PATIENTS).index_of(patient_id)
        visits = range(0)
        if number is not None:
            first = self._state.world.encounters_of(number).start
            visits = range(first, len(self._rows.seeded), self._state.world.patients)
        visits = between(visits, self._start, since, None)
        seeded = (row for visit in visits if (row := self.record(Key(0, 0, visit))) is not None)
        kept = sorted(self._rows.written_with("patient", patient_id), key=start_of)
        return merge(seeded, (row for row in kept if since is None or start_of(row) >= since), key=start_of)

    def next_of(self, patient_id: str) -> Record | None:
        """The patient's first appointment from now on."""
        coming = self.of_patient(patient_id, self._state.clock.now())
        return next((row for row in coming if not row["deactivated"]), None)


# --- one at a time


@answers("pre_encounter.appointments.v_1.get")
def get_appointment(asked: Asked) -> Record:
    return APPOINTMENT.found(asked)


@answers("pre_encounter.appointments.v_1.get_history")
def get_appointment_history(asked: Asked) -> list[Record]:
    return APPOINTMENT.history(asked)


@answers("pre_encounter.appointments.v_1.scan")
def scan_appointments(asked: Asked) -> list[Record]:
    return APPOINTMENT.scanned(asked)


@answers("pre_encounter.appointments.v_1.create")
def create_appointment(asked: Asked) -> Record:
    return APPOINTMENT.created(asked, _fields(asked, None))


@answers("pre_encounter.appointments.v_1.update")
def update_appointment(asked: Asked) -> Record:
    """Change an appointment; one that was cancelled takes place again."""
    appointment = APPOINTMENT.found(asked)
    next_version(asked, appointment)
    fields = _fields(asked, appointment["id"])
    return APPOINTMENT.updated(asked, appointment, {**fields, "deactivated": False, "cancellation_reason": None})


@answers("pre_encounter.appointments.v_1.deactivate")
def cancel_appointment(asked: Asked) -> None:
    appointment = APPOINTMENT.found(asked)
    latest_version(asked, appointment)
    reason = asked.query.text("cancellation_reason")
    APPOINTMENT.updated(asked, appointment, {"deactivated": True, "cancellation_reason": reason})


def _fields(asked: Asked, own: str | None) -> Record:
    fields = completed(asked)
    patient = PATIENT.found(asked, fields["patient_id"])
    placer_id = fields["placer_appointment_id"]
    if placer_id is not None and asked.state.of(APPOINTMENTS).holder(placer_id) not in (None, own):
        raise conflict("placer_appointment_id is already in use")
    return {**fields, "patient_id": patient["id"]}
