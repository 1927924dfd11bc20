"""Charge captures listed: by every filter, those first that are asked for first, and by their metadata."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from candid_provider.emulator.endpoints.charges.charge_filters import (
    Check,
    charge_checks,
    claim_status_check,
    more_charge_checks,
)
from candid_provider.emulator.endpoints.charges.charge_kinds import (
    BUNDLES,
    CHARGES,
    CHARGES_EACH,
    charge_status,
    encounter_of,
    index_of_charge,
)
from candid_provider.emulator.endpoints.encounters.encounter_kinds import BUNDLED
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import not_emulated
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Collection, Record
from candid_provider.emulator.records.feed import Feed, Key, Sorted

_SORTED_IN_MEMORY: Final = 20_000
_MOST_SEEN: Final = 2_000
_MOST_STATUSES_SEEN: Final = 20_000


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
