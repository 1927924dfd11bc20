"""Charge captures (Candid: /api/charge_captures/v1)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.charges import charge_bundling
from candid_provider.emulator.endpoints.charges.charge_kinds import (
    BUNDLES,
    CHANGES,
    CHARGES,
)
from candid_provider.emulator.endpoints.encounters.encounter_checks import check_references
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.encounters.pre_encounter_sources import sourced
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_found, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed_model
from candid_provider.emulator.records.collection import Record

_PLAIN: Final = ("ehr_source_url", "originating_system", "claim_creation_category", "metadata")


@answers("charge_capture.v_1.get")
def get(asked: Asked) -> Record:
    return found(asked, CHARGES)


@answers("charge_capture.v_1.create")
def create(asked: Asked) -> Record:
    return _create(asked, asked.body["patient_external_id"], asked.body["data"])


@answers("charge_capture.v_1.create_from_pre_encounter_patient")
def create_from_pre_encounter(asked: Asked) -> Record:
    given = asked.body
    found = sourced(asked, given["pre_encounter_patient_id"], given["pre_encounter_appointment_ids"])
    return _create(asked, found["patient"]["external_id"], given["data"] | found)


def _create(asked: Asked, patient_external_id: str, data: Record) -> Record:
    state, given = asked.state, asked.body
    rows = state.of(CHARGES)
    _check(asked, data)
    external_id = given["charge_external_id"]
    if rows.holder(external_id) is not None:
        content = {"message": f"A charge with charge_external_id {external_id} exists"}
        raise declared(asked.endpoint, "ChargeExternalIdConflictError", content)
    at = state.clock.tick()
    record: Record = {
        "id": rows.new_id(),
        "status": given["status"],
        "charge_capture_data": completed_model("ChargeCaptureData", data),
        "date_of_service": _served(data),
        "patient_external_id": patient_external_id,
        "charge_external_id": external_id,
        **{name: given.get(name) for name in _PLAIN},
        "error": None,
        "updates": [],
        "claim_creation_id": None,
    }
    rows.add(record, at)
    charge_bundling.place(state, record, at)
    return record


def _check(asked: Asked, data: Record) -> None:
    check_references(asked, data)
    check_references(asked, {"schema_instances": asked.body.get("metadata")})


def _served(data: Record) -> Any:
    lines = [row.get("date_of_service") for row in data.get("service_lines") or []]
    return data.get("date_of_service") or min((day for day in lines if day), default=None)


@answers("charge_capture.v_1.update")
def update(asked: Asked) -> Record:
    state, given = asked.state, asked.body
    rows = state.of(CHARGES)
    record = rows.get(asked.id)
    if record is None:
        raise not_found(asked.id)
    _check(asked, {} if given.get("data") is None else given["data"])
    external_id = given.get("charge_external_id")
    if external_id is not None and rows.holder(external_id) not in (None, record["id"]):
        raise unprocessable(asked.endpoint, "charge_external_id", "belongs to another charge")
    changed = _change(record, given)
    at = state.clock.tick()
    bundle = state.of(BUNDLES).get(record["claim_creation_id"] or "")
    if changed and bundle is not None and bundle["status"] == "successful":
        _note_change(asked, record, changed, at)
    rows.put(record, at)
    if changed and (bundle is None or bundle["status"] != "successful"):
        charge_bundling.place(state, record, at)
    return record


def _change(record: Record, given: Record) -> list[str]:
    """Change what was given; the names of what became different."""
    old = {name: record[name] for name in record}
    for name in _PLAIN:
        if name in given:
            record[name] = given[name]
    for name in ("charge_external_id", "patient_external_id", "status"):
        if given.get(name) is not None:
            record[name] = given[name]
    if given.get("data") is not None:
        record["charge_capture_data"] = completed_model(
            "ChargeCaptureData", record["charge_capture_data"] | given["data"]
        )
        record["date_of_service"] = _served(record["charge_capture_data"])
    return [name for name in record if record[name] != old[name]]


def _note_change(asked: Asked, record: Record, changed: list[str], at: int) -> None:
    # There is one unresolved change at most: it holds all of the difference.
    message = "Changed after a claim was made: " + ", ".join(sorted(changed))
    for item in record["updates"]:
        if not item["resolved"]:
            item["message"] = message
            return
    rows = asked.state.of(CHANGES)
    identifier = rows.new_id()
    rows.add({"id": identifier, "charge_capture_id": record["id"]}, at)
    record["updates"].append({"id": identifier, "message": message, "resolved": False})


@answers("charge_capture.v_1.update_post_billed_changes")
def resolve_changes(asked: Asked) -> list[Record]:
    state, identifiers = asked.state, asked.body["charge_capture_change_ids"]
    known = [state.of(CHANGES).get(str(identifier)) for identifier in identifiers]
    for identifier, change in zip(identifiers, known, strict=True):
        if change is None:
            raise not_found(str(identifier))
    found = []
    for change in known:
        assert change is not None
        charge = state.of(CHARGES).get(change["charge_capture_id"])
        assert charge is not None
        item = next(row for row in charge["updates"] if row["id"] == change["id"])
        item["resolved"] = asked.body["resolved"]
        state.of(CHARGES).put(charge)
        found.append(item)
    return found
