"""Encounters (Candid: /api/encounters/v4)."""

from __future__ import annotations

from datetime import date
from typing import Final

from candid_provider.emulator.endpoints.encounters.encounter_filters import Filters, filters_of
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Collection, Record
from candid_provider.emulator.records.feed import Feed, Key, Sorted

__all__ = ["ENCOUNTERS", "get_encounter", "list_encounters"]

_SORTS: Final = ("created_at:asc", "created_at:desc", "date_of_service:asc", "date_of_service:desc")
# A page of what is rarer than this ends early: a search through millions of encounters is asked for page by page.
MOST_SEEN: Final = 30_000


@answers("encounters.v_4.get_all")
def list_encounters(asked: Asked) -> Record:
    rows, filters = asked.state.of(ENCOUNTERS), filters_of(asked)
    sort = asked.query.choice("sort", _SORTS) or "created_at:desc"
    by_service = sort.startswith("date_of_service")

    def load(key: Key) -> Record | None:
        if key.written == 2:
            return rows.seeded_record(key.number)
        changed = not key.written and rows.is_changed(key.number)
        if changed and by_service:
            return None
        if not key.written and not changed and not filters.fits(key.number):
            return None
        return rows.created_record(key)

    def listed(key: Key) -> bool:
        unchanged = not key.written and not rows.is_changed(key.number)
        return filters.fits(key.number) if unchanged else load(key) is not None

    return page(
        asked,
        _feed(asked, rows, filters, by_service=by_service),
        load,
        keep=filters.keeps if filters.any else None,
        descending=sort.endswith("desc"),
        listed=None if filters.any else listed,
        most_seen=MOST_SEEN,
    )


def _feed(asked: Asked, rows: Collection, filters: Filters, *, by_service: bool) -> Feed:
    if filters.external_id is not None:
        holder = rows.holder(filters.external_id)
        return Sorted(range(0), int, [rows.row_of(holder)] if holder else [])
    return _by_service(asked, rows, filters) if by_service else rows.by_creation(filters.seeded)


def _by_service(asked: Asked, rows: Collection, filters: Filters) -> Feed:
    keys = [
        Key(date.fromisoformat(record["date_of_service"]).toordinal(), *key[1:])
        for key, record, _ in rows.written_rows()
    ]
    return Sorted(filters.seeded, lambda index: asked.state.world.date_of_service(index).toordinal(), keys)


@answers("encounters.v_4.get")
def get_encounter(asked: Asked) -> Record:
    return found(asked, ENCOUNTERS)
