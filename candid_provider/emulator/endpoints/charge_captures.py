"""Charge captures (Candid: /api/charge_captures/v1)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from candid_provider.emulator.answers import declared, not_emulated, not_found, unprocessable
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Collection, Record
from candid_provider.emulator.endpoints import charge_bundling
from candid_provider.emulator.endpoints.body_shapes import check_data
from candid_provider.emulator.endpoints.charge_filters import (
    Check,
    charge_checks,
    claim_status_check,
    more_charge_checks,
)
from candid_provider.emulator.endpoints.charge_kinds import (
    BUNDLES,
    CHANGES,
    CHARGES,
    CHARGES_EACH,
    DATA_FIELDS,
    STATUSES,
    charge_status,
    encounter_of,
    index_of_charge,
)
from candid_provider.emulator.endpoints.encounter_checks import check_choices, check_values
from candid_provider.emulator.endpoints.encounter_kinds import BUNDLED
from candid_provider.emulator.endpoints.pre_encounter_sources import sourced
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.feed import Feed, Key, Sorted
from candid_provider.emulator.paging import page, page_of

_PLAIN: Final = ("ehr_source_url", "originating_system", "claim_creation_category", "metadata")
_SORTED_IN_MEMORY: Final = 20_000
_MOST_SEEN: Final = 2_000
_MOST_STATUSES_SEEN: Final = 20_000


@answers("charge_capture.v_1.get")
def get(asked: Asked) -> Record:
    record = asked.state.of(CHARGES).get(asked.id)
    if record is None:
        raise not_found(asked.id)
    return record


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
        "charge_capture_data": DATA_FIELDS | data,
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
    given = asked.body
    if given.get("status") is not None and given["status"] not in STATUSES:
        raise unprocessable(asked.endpoint, "status", "is not one of the known values")
    if not isinstance(data, dict):
        raise unprocessable(asked.endpoint, "data", "must be an object")
    for name in ("charge_external_id", "patient_external_id", *_PLAIN[:-1]):
        if not isinstance(given.get(name), str | None):
            raise unprocessable(asked.endpoint, name, "must be a string")
    check_data(asked, data)
    check_choices(asked, data)
    check_values(asked, {"schema_instances": given.get("metadata")})


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
        record["charge_capture_data"] = record["charge_capture_data"] | given["data"]
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


@answers("charge_capture.v_1.find_by_metadata")
def find_by_metadata(asked: Asked) -> Record:
    wanted = asked.body["metadata"]

    def keeps(row: Record) -> bool:
        return any(instance in wanted for instance in row["metadata"] or [])

    # No seeded charge has metadata.
    rows = asked.state.of(CHARGES)
    return _counted(page(asked, rows.by_creation(range(0)), rows.created_record, keep=keeps, descending=True))


def _counted(answer: Record) -> Record:
    return answer | {"item_count": len(answer["items"])}


@answers("charge_capture.v_1.get_all")
def list_charges(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(CHARGES)
    sort = query.choice("sort", ("created_at", "date_of_service")) or "created_at"
    descending = (query.choice("sort_direction", ("asc", "desc")) or "desc") == "desc"

    def encounter_id_of(row: Record) -> str | None:
        bundle = asked.state.of(BUNDLES).get(row["claim_creation_id"] or "")
        return None if bundle is None else bundle["created_encounter_id"]

    checks = charge_checks(asked, encounter_id_of) + more_charge_checks(asked, encounter_id_of)
    checks += claim_status_check(asked, encounter_id_of, "claim_status")
    first = charge_checks(asked, encounter_id_of, "_ranked_sort")
    seeded, status = _seeded(asked, rows), query.text("status")

    def load(key: Key) -> Record | None:
        if key.written == 2:
            return rows.seeded_record(key.number)
        changed = not key.written and rows.is_changed(key.number)
        if changed and sort == "date_of_service":
            return None
        if not key.written and not changed and status and charge_status(key.number) != status:
            return None
        return rows.created_record(key)

    feed = _by_service(asked, rows, seeded) if sort == "date_of_service" else rows.by_creation(seeded)

    def keep(row: Record) -> bool:
        return all(check(row) for check in checks)

    if first:
        return _counted(_ranked(asked, feed, load, keep, first, descending))
    most_seen = _MOST_STATUSES_SEEN if status and len(checks) == 1 else _MOST_SEEN
    return _counted(page(asked, feed, load, keep=keep, descending=descending, most_seen=most_seen))


def _ranked(asked: Asked, feed: Feed, load: Any, keep: Check, first: list[Check], descending: bool) -> Record:
    """What is asked for first, and then the others."""
    if len(feed) > _SORTED_IN_MEMORY:
        raise not_emulated(f"a ranked sort of more than {_SORTED_IN_MEMORY} charges")
    loaded = (load(key) for key in feed.walk(descending=descending))
    found = [row for row in loaded if row is not None and keep(row)]
    return page_of(asked, sorted(found, key=lambda row: not all(check(row) for check in first)))


def _by_service(asked: Asked, rows: Collection, seeded: Any) -> Feed:
    world = asked.state.world
    keys = [
        Key(date.fromisoformat(record["date_of_service"] or "0001-01-01").toordinal(), *key[1:])
        for key, record, _ in rows.written_rows()
    ]
    if not isinstance(seeded, range):
        seeded = rows.seeded
    return Sorted(seeded, lambda index: world.date_of_service(encounter_of(index // CHARGES_EACH)).toordinal(), keys)


def _seeded(asked: Asked, rows: Collection) -> Any:
    """The seeded charges among which are all that are asked for."""
    query, state = asked.query, asked.state
    if (text := query.text("charge_external_id")) is not None:
        index = index_of_charge(text)
        return range(0) if index is None or index >= len(rows.seeded) else range(index, index + 1)
    if creations := query.texts("claim_creation_ids"):
        found = sorted(number for text in creations if (number := state.of(BUNDLES).index_of(text)) is not None)
        return [CHARGES_EACH * number + place for number in found for place in range(CHARGES_EACH - 1)]
    if (patient := query.text("patient_external_id")) is not None:
        number = state.world.ids.index("patient", patient, state.world.patients)
        mine = range(0) if number is None else state.world.encounters_of(number)
        charged = (index // BUNDLED for index in mine if index % BUNDLED == 0)
        return [CHARGES_EACH * bundle + place for bundle in charged for place in range(CHARGES_EACH)]
    served = state.world.served_between(query.day("date_of_service_min"), query.day("date_of_service_max"))
    return range(CHARGES_EACH * -(-served.start // BUNDLED), CHARGES_EACH * -(-served.stop // BUNDLED))
