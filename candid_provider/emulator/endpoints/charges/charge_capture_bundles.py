"""Claim creations: what becomes of charges (Candid: /api/charge_capture_claim_creation/v1)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.charges import charge_bundling
from candid_provider.emulator.endpoints.charges.charge_filters import Check, claim_status_check, data_checks
from candid_provider.emulator.endpoints.charges.charge_kinds import (
    BUNDLES,
    CHARGES,
    CHARGES_EACH,
    ERRORS,
    GATHERED,
    STATUSES,
    bundles,
    index_of_charge,
)
from candid_provider.emulator.endpoints.encounters.encounter_kinds import BUNDLED, UNSUCCESSFUL_EVERY, bundle_status
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Collection, Record
from candid_provider.emulator.records.feed import Key
from candid_provider.emulator.records.state import State

_STATUSES: Final = ("not-started", "in-error", "successful", "successful-dry-run", "aborted", "held")
_NEVER_SEEDED: Final = ("not-started", "successful-dry-run")
_MOST_SEEN: Final = 2_000
_MOST_STATUSES_SEEN: Final = 20_000


@answers("charge_capture_bundles.v_1.get")
def get(asked: Asked) -> Record:
    return found(asked, BUNDLES)


@answers("charge_capture_bundles.v_1.resolve_charge_creation_error")
def resolve(asked: Asked) -> None:
    state, identifier = asked.state, asked.id.lower()
    known = state.of(ERRORS).get(identifier)
    index = state.world.ids.index("charge_error", identifier, bundles(state))
    bundle_id = known["claim_creation_id"] if known else None if index is None else state.of(BUNDLES).id_of(index)
    bundle = state.of(BUNDLES).get(bundle_id or "")
    mine = [row for row in bundle["errors"] if row["id"] == identifier] if bundle else []
    if bundle is None or not mine:
        raise not_found(asked.id)
    given = asked.body or {}
    names = ("resolved_by", "resolution_reason")
    mine[0] |= {"resolved": True, **{name: given.get(name) for name in names}}
    at = state.clock.tick()
    state.of(BUNDLES).put(bundle, at)
    if bundle["status"] == "in-error" and all(row["resolved"] for row in bundle["errors"]):
        charge_bundling.plan_again(state, bundle, at)


@answers("charge_capture_bundles.v_1.get_summary")
def summary(asked: Asked) -> Record:
    state = asked.state
    counts = _seeded_counts(state)
    rows = state.of(BUNDLES)
    for key, record, _ in rows.written_rows():
        if key.written == 2:
            counts[bundle_status(key.number)] -= 1
        counts[record["status"]] = counts.get(record["status"], 0) + 1
    linked, unresolved = 0, 0
    charges = state.of(CHARGES)
    for key, record, _ in charges.written_rows():
        was_linked = key.written == 2 and key.number % CHARGES_EACH < CHARGES_EACH - 1
        linked += (record["claim_creation_id"] is not None) - was_linked
        unresolved += sum(not item["resolved"] for item in record["updates"])
    unlinked = len(charges) - (CHARGES_EACH - 1) * bundles(state) - linked
    return {
        "charge_capture_charges_not_linked_to_claims_count": unlinked,
        "charge_capture_claim_creations_not_started_count": counts.get("not-started", 0),
        "charge_capture_held_claim_creations_count": counts.get("held", 0),
        "charge_capture_claim_creations_in_error_count": counts.get("in-error", 0),
        "charge_capture_unresolved_change_count": unresolved,
    }


def _seeded_counts(state: State) -> dict[str, int]:
    rounds, rest = divmod(bundles(state), UNSUCCESSFUL_EVERY)
    counts: dict[str, int] = {}
    for number in range(UNSUCCESSFUL_EVERY):
        status = bundle_status(number)
        counts[status] = counts.get(status, 0) + rounds + (number < rest)
    return counts


@answers("charge_capture_bundles.v_1.get_all")
def list_bundles(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(BUNDLES)
    query.choice("sort", ("created_at",))
    descending = (query.choice("sort_direction", ("asc", "desc")) or "desc") == "desc"
    status = query.choice("claim_creation_status", _STATUSES)
    checks = _checks(asked, status)
    seeded = range(0) if status in _NEVER_SEEDED else _seeded(asked, rows)

    def load(key: Key) -> Record | None:
        if status and not key.written and not rows.is_changed(key.number) and bundle_status(key.number) != status:
            return None
        return rows.created_record(key)

    def keep(row: Record) -> bool:
        return all(check(row) for check in checks)

    most_seen = _MOST_STATUSES_SEEN if status and len(checks) == 1 else _MOST_SEEN
    return page(asked, rows.by_creation(seeded), load, keep=keep, descending=descending, most_seen=most_seen)


def _seeded(asked: Asked, rows: Collection) -> Any:
    query, world = asked.query, asked.state.world
    if creations := query.texts("claim_creation_ids"):
        return sorted({index for text in creations if (index := rows.index_of(text)) is not None})
    if (text := query.text("charge_external_id")) is not None:
        charge = index_of_charge(text)
        found = charge is not None and charge // CHARGES_EACH < len(rows.seeded)
        return [charge // CHARGES_EACH] if charge is not None and found else range(0)
    if (patient := query.text("patient_external_id")) is not None:
        number = world.ids.index("patient", patient, world.patients)
        mine = range(0) if number is None else world.encounters_of(number)
        return [index // BUNDLED for index in mine if index % BUNDLED == 0]
    served = world.served_between(query.day("date_of_service_min"), query.day("date_of_service_max"))
    return range(-(-served.start // BUNDLED), -(-served.stop // BUNDLED))


def _checks(asked: Asked, status: str | None) -> list[Check]:
    query, state = asked.query, asked.state
    checks: list[Check] = [_of_input(check) for check in data_checks(query)]
    if status is not None:
        checks.append(lambda row: row["status"] == status)
    if (patient := query.text("patient_external_id")) is not None:
        checks.append(lambda row: row["characteristics"]["patient_external_id"] == patient)
    first, last = query.day("date_of_service_min"), query.day("date_of_service_max")
    if first or last:
        low, high = first.isoformat() if first else "", last.isoformat() if last else "9999"
        checks.append(lambda row: low <= (row["characteristics"]["date_of_service"] or "") <= high)
    if claims := set(query.texts("claim_ids")):
        checks.append(lambda row: row["created_encounter_id"] in claims)
    if creations := set(query.texts("claim_creation_ids")):
        checks.append(lambda row: row["id"] in creations)
    if categories := set(query.texts("claim_creation_category")):
        checks.append(lambda row: row["characteristics"]["claim_creation_category"] in categories)
    checks += claim_status_check(asked, lambda row: row["created_encounter_id"], "claim_status")
    return checks + _of_charges(asked, state)


def _of_input(check: Check) -> Check:
    return lambda row: check(row["encounter_creation_input"] or {})


def _of_charges(asked: Asked, state: State) -> list[Check]:
    """Checks of the charges that are part of a claim creation."""
    query = asked.query
    status, external = query.choice("charge_status", STATUSES), query.text("charge_external_id")
    updates = query.boolean("has_charge_capture_updates")
    checks: list[Check] = []
    if status is not None:
        checks.append(lambda row: any(charge["status"] == status for charge in _charges(state, row)))
    if external is not None:
        checks.append(lambda row: any(charge["charge_external_id"] == external for charge in _charges(state, row)))
    if updates is not None:
        checks.append(lambda row: any(charge["updates"] for charge in _charges(state, row)) == updates)
    return checks


def _charges(state: State, bundle: Record) -> list[Record]:
    charges = state.of(CHARGES)
    index = state.of(BUNDLES).index_of(bundle["id"])
    if index is not None:
        ids = [charges.id_of(CHARGES_EACH * index + place) for place in range(CHARGES_EACH - 1)]
    else:
        gathered = state.of(GATHERED).get(charge_bundling.joined(bundle["characteristics"].values()))
        ids = gathered["charges"] if gathered else []
    found = (charges.get(identifier) for identifier in ids)
    return [row for row in found if row is not None and row["claim_creation_id"] == bundle["id"]]
