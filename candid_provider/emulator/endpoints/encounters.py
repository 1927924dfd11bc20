"""Encounters (Candid: /api/encounters/v4)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator import encounters
from candid_provider.emulator.answers import not_found
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.claims import STATUSES, rows_with, status_of
from candid_provider.emulator.collection import Collection, Kind, Record
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.feed import Feed, Key
from candid_provider.emulator.paging import page
from candid_provider.emulator.ranges import within

ENCOUNTERS: Final = Kind(
    "encounter",
    "encounter_id",
    count=lambda state: state.world.encounters,
    make=lambda state, index: encounters.encounter(state.world, state.organization, index),
    created=lambda state, index: state.world.created(index),
    unique="external_id",
    seeded=lambda state, text: encounters.index_of_external_id(text),
    view=lambda state, record: state.ledger.balanced(record),
)
_SORTS: Final = ("created_at:asc", "created_at:desc", "date_of_service:asc", "date_of_service:desc")


@answers("encounters.v_4.get_all")
def list_encounters(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(ENCOUNTERS)
    status = query.choice("claim_status", STATUSES)
    descending = not (query.choice("sort", _SORTS) or "desc").endswith("asc")

    def load(key: Key) -> Record | None:
        unchanged = not key.written and not rows.is_changed(key.number)
        if status and unchanged and status_of(asked.state.world, key.number) != status:
            return None
        return rows.created_record(key)

    return page(asked, _rows(asked, rows, status), load, keep=_filter(asked, status), descending=descending)


def _rows(asked: Asked, rows: Collection, status: str | None) -> Feed:
    world, query = asked.state.world, asked.query
    seeded = world.served_between(query.day("date_of_service_min"), query.day("date_of_service_max"))
    if status is not None:
        seeded = within(rows_with(world, status), seeded)
    if (patient := query.text("patient_external_id")) is not None:
        number = world.ids.index("patient", patient, world.patients)
        seeded = range(0) if number is None else within(world.encounters_of(number), seeded)
    if (external := query.text("external_id")) is not None:
        index = encounters.index_of_external_id(external)
        seeded = range(index, index + 1) if index is not None and index in seeded else range(0)
    return rows.by_creation(seeded)


def _filter(asked: Asked, status: str | None) -> Any:
    return None


@answers("encounters.v_4.get")
def get_encounter(asked: Asked) -> Record:
    record = asked.state.of(ENCOUNTERS).get(asked.id)
    if record is None:
        raise not_found(asked.id)
    return record
