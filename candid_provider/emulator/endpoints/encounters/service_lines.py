"""Service lines of claims (Candid: /api/service-lines/v2)."""

from __future__ import annotations

from candid_provider.emulator.endpoints.encounters.claim_lives import keep
from candid_provider.emulator.endpoints.encounters.encounter_kinds import (
    encounter_of_claim,
    encounter_of_service_line,
)
from candid_provider.emulator.endpoints.encounters.encounter_lines import POINTERS, change_line, check_line, line
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_found, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.world import microseconds


@answers("service_lines.v_2.create", "service_lines.v_2.create_universal")
def create(asked: Asked) -> Record:
    record = _encounter(asked)
    external = asked.body.get("external_id")
    if external is not None and _by_external_id(record, external) is not None:
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "ServiceLine"})
    return _added(asked, record, asked.body)


def _encounter(asked: Asked) -> Record:
    claim_id = asked.body["claim_id"]
    record = encounter_of_claim(asked.state, claim_id)
    if record is None:
        known = "EntityNotFoundError" in asked.endpoint.statuses
        raise not_found(claim_id) if known else unprocessable(asked.endpoint, "claim_id", "is no claim")
    _check(asked, record)
    return record


def _check(asked: Asked, record: Record) -> None:
    given, known = asked.body, {row["diagnosis_id"] for row in record["diagnoses"]}
    check_line(asked, given)
    for pointer in POINTERS:
        if given.get(pointer) is not None and str(given[pointer]) not in known:
            raise unprocessable(asked.endpoint, pointer, "is no diagnosis of the encounter")


def _by_external_id(record: Record, external_id: str) -> Record | None:
    rows = (row for claim in record["claims"] for row in claim["service_lines"])
    return next((row for row in rows if row["external_id"] == external_id), None)


def _added(asked: Asked, record: Record, given: Record) -> Record:
    at = asked.state.clock.tick()
    claim = record["claims"][0]
    if all(given.get(pointer) is None for pointer in POINTERS) and record["diagnoses"]:
        given = given | {POINTERS[0]: record["diagnoses"][0]["diagnosis_id"]}
    made = line(asked.state, given, claim["claim_id"], record, at, microseconds(at))
    claim["service_lines"].append(made)
    keep(asked.state, record, at)
    return made


@answers("service_lines.v_2.upsert_by_external_id")
def upsert(asked: Asked) -> Record:
    record = _encounter(asked)
    row = _by_external_id(record, asked.id)
    given = asked.body | {"external_id": asked.id}
    return _added(asked, record, given) if row is None else _changed(asked, record, row, given)


def _changed(asked: Asked, record: Record, row: Record, given: Record) -> Record:
    change_line(asked.state, row, given)
    keep(asked.state, record, asked.state.clock.tick())
    return row


def _found(asked: Asked) -> tuple[Record, Record]:
    """The encounter and its service line that a request is about."""
    identifier = asked.id.lower()
    record = encounter_of_service_line(asked.state, identifier)
    for claim in record["claims"] if record else ():
        for row in claim["service_lines"]:
            if row["service_line_id"] == identifier:
                assert record is not None
                return record, row
    raise not_found(asked.id)


@answers("service_lines.v_2.update", "service_lines.v_2.update_universal")
def update(asked: Asked) -> Record:
    record, row = _found(asked)
    _check(asked, record)
    left = row | asked.body
    if all(left[pointer] is None for pointer in POINTERS):
        raise unprocessable(asked.endpoint, POINTERS[0], "must not be empty: a service line has a diagnosis")
    return _changed(asked, record, row, asked.body)


@answers("service_lines.v_2.delete")
def delete(asked: Asked) -> None:
    record, row = _found(asked)
    claim = next(claim for claim in record["claims"] if row in claim["service_lines"])
    if len(claim["service_lines"]) == 1 and claim["clearinghouse"] is not None:
        # What was submitted must have been for something.
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "Claim"})
    claim["service_lines"].remove(row)
    keep(asked.state, record, asked.state.clock.tick())
