"""Diagnoses of encounters (Candid: /api/diagnoses/v2)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.claim_lives import keep
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS, encounter_of_diagnosis
from candid_provider.emulator.endpoints.encounters.encounter_lines import POINTERS, PRIMARY, diagnosis
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import Refusal, declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.world import microseconds

_REQUIRED: Final = ("code_type", "code")


@answers("diagnoses.create")
def create(asked: Asked) -> Record:
    given = asked.body
    record = found(asked, ENCOUNTERS, given["encounter_id"])
    # Of diagnoses.update Candid declares that there is one primary diagnosis at most; it must hold here too.
    if given["code_type"] in PRIMARY and (other := _primary(record, None)):
        raise Refusal(422, {"detail": f"the encounter has a primary diagnosis already: {other}"})
    at = asked.state.clock.tick()
    made = diagnosis(asked.state, given, record["encounter_id"], at, microseconds(at))
    record["diagnoses"].append(made)
    keep(asked.state, record, at)
    return made


def _primary(record: Record, itself: str | None) -> str | None:
    others = (row for row in record["diagnoses"] if row["diagnosis_id"] != itself and row["code_type"] in PRIMARY)
    return next((row["diagnosis_id"] for row in others), None)


def _found(asked: Asked) -> tuple[Record, Record]:
    """The encounter and its diagnosis that a request is about."""
    identifier = asked.id.lower()
    record = encounter_of_diagnosis(asked.state, identifier)
    for row in record["diagnoses"] if record else ():
        if row["diagnosis_id"] == identifier:
            assert record is not None
            return record, row
    content = {"diagnosis_id": asked.id, "message": "There is no such diagnosis"}
    raise declared(asked.endpoint, "DiagnosisNotFoundHTTPError", content)


@answers("diagnoses.update")
def update(asked: Asked) -> Record:
    record, row = _found(asked)
    given = asked.body
    if given.get("code_type") in PRIMARY and (other := _primary(record, row["diagnosis_id"])):
        content = {
            "existing_primary_diagnosis_id": other,
            "new_primary_diagnosis_id": row["diagnosis_id"],
            "message": "An encounter has one primary diagnosis at most",
        }
        raise declared(asked.endpoint, "DisallowMultiplePrimaryDiagnosisHTTPError", content)
    at = asked.state.clock.tick()
    for name in ("name", "code_type", "code", "present_on_admission_indicator"):
        if name in given and not (given[name] is None and name in _REQUIRED):
            row[name] = given[name]
    row["updated_at"] = microseconds(at)
    keep(asked.state, record, at)
    return row


@answers("diagnoses.delete")
def delete(asked: Asked) -> None:
    record, row = _found(asked)
    identifier = row["diagnosis_id"]
    for claim in record["claims"]:
        for line in claim["service_lines"]:
            _release(asked, line, identifier)
    record["diagnoses"].remove(row)
    keep(asked.state, record, asked.state.clock.tick())


def _release(asked: Asked, line: Record, identifier: str) -> None:
    left = [line[pointer] for pointer in POINTERS if line[pointer] not in (None, identifier)]
    if not left and any(line[pointer] == identifier for pointer in POINTERS):
        content = {
            "diagnosis_id": identifier,
            "service_line_id": line["service_line_id"],
            "message": "A service line must have one diagnosis at least",
        }
        raise declared(asked.endpoint, "ServiceLinesMustHaveAtLeastOneDiagnosisHTTPError", content)
    line |= dict(zip(POINTERS, [*left, None, None, None, None], strict=False))
