"""Patients, appointments and coverages (Candid: /patients/v1, /appointments/v1, /coverages/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator import pre_encounter
from candid_provider.emulator.answers import pre_encounter_not_found
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Kind, Record
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.paging import scan

PATIENTS: Final = Kind(
    "patient",
    "id",
    count=lambda state: state.world.patients,
    make=lambda state, index: pre_encounter.patient(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("patient", index),
)
APPOINTMENTS: Final = Kind(
    "appointment",
    "id",
    count=lambda state: state.world.appointments,
    make=lambda state, index: pre_encounter.appointment(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("appointment", index),
)
COVERAGES: Final = Kind(
    "coverage",
    "id",
    count=lambda state: state.world.coverages,
    make=lambda state, index: pre_encounter.coverage(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("coverage", index),
)


def _register(area: str, kind: Kind) -> None:
    @answers(f"pre_encounter.{area}.v_1.scan")
    def scan_rows(asked: Asked) -> list[Record]:
        rows = asked.state.of(kind)
        return scan(asked, rows.by_update(), rows.updated_record)

    @answers(f"pre_encounter.{area}.v_1.get")
    def get_row(asked: Asked) -> Record:
        record = asked.state.of(kind).get(asked.id)
        if record is None:
            raise pre_encounter_not_found(kind.name.capitalize())
        return record


_register("patients", PATIENTS)
_register("appointments", APPOINTMENTS)
_register("coverages", COVERAGES)
