"""Dynamic views of claims (Candid: /api/claim-dynamic-views/v1); GET /_emulator/views lists them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.claim_summaries import summary
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.view_filters import SORTABLE, ViewFilter, sort_value
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_emulated, not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed, Key, Sorted
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.claims import STATUSES, rows_with, status_of
from candid_provider.emulator.world.world import microseconds

# Views and the statuses of the claims in them; none: all claims.
_VIEWS: Final[dict[str, frozenset[str]]] = {
    "All claims": frozenset(),
    "Denied or rejected": frozenset({"denied", "finalized_denied", "rejected"}),
    "Waiting for the customer": frozenset({"missing_information", "waiting_for_provider", "held_by_customer"}),
    "Paid": frozenset({"paid", "finalized_paid", "paid_incorrectly"}),
}
_BY_ARITHMETIC: Final = ("created_at", "date_of_service", "claim_updated_at")
_SORTED_IN_MEMORY: Final = 10_000
_MOST_SEEN: Final = 10_000


def views_of(state: State) -> list[Record]:
    """The ids and names of the views there are."""
    return [{"id": state.world.ids.uuid("claim_view", n), "name": name} for n, name in enumerate(_VIEWS)]


@answers("views.dynamic.v_1.resolve")
def resolve(asked: Asked) -> Record:
    number = asked.state.world.ids.index("claim_view", asked.id, len(_VIEWS))
    if number is None:
        raise not_found(asked.id)
    return _View(asked, list(_VIEWS.values())[number]).page()


class _View:
    """One look at a view: which claims are in it, and in which order."""

    def __init__(self, asked: Asked, statuses: frozenset[str]) -> None:
        self._asked, self._state, self._world = asked, asked.state, asked.state.world
        self._rows = asked.state.of(ENCOUNTERS)
        body = asked.body or {}
        self._statuses = statuses
        self._filter = ViewFilter(asked, body.get("filters") or {})
        sort = body.get("sort") or []
        given = sort if isinstance(sort, list) else [sort]
        self._criteria = [self._criterion(item) for item in given] or [("created_at", True)]
        self._written = {key: at for key, _, at in self._rows.written_rows()}

    def _criterion(self, item: Any) -> tuple[str, bool]:
        row = item if isinstance(item, dict) else {}
        field, direction = str(row.get("field")), row.get("direction") or "desc"
        if field not in SORTABLE or direction not in ("asc", "desc"):
            message = "sort must name a field that can be sorted by, and asc or desc"
            raise declared(self._asked.endpoint, "UnprocessableEntityError", {"message": message})
        return field, direction == "desc"

    def page(self) -> Record:
        field, descending = self._criteria[0]
        feeds: dict[str, Callable[[], Feed]] = {
            "created_at": self._by_creation,
            "date_of_service": self._by_service,
            "claim_updated_at": self._by_change,
        }
        if len(self._criteria) == 1 and field in feeds:
            return page(
                self._asked,
                feeds[field](),
                self._load_changed if field == "claim_updated_at" else self._load,
                keep=self._filter.keeps,
                descending=descending,
                most_seen=_MOST_SEEN,
            )
        return page_of(self._asked, self._in_memory())

    def _in_memory(self) -> list[Record]:
        feed = self._by_creation()
        if len(feed) > _SORTED_IN_MEMORY:
            raise not_emulated(f"a sort of more than {_SORTED_IN_MEMORY} claims other than by {_BY_ARITHMETIC}")
        made = (self._load(key) for key in feed.walk(descending=True))
        rows = [row for row in made if row is not None and self._filter.keeps(row)]
        for field, descending in reversed(self._criteria):
            rows.sort(key=sort_value(field), reverse=descending)
        return rows

    def _by_creation(self) -> Feed:
        world = self._world
        keys = [key for key in self._rows.by_creation(range(0)).walk() if key.written == 1]
        changed = [Key(world.created(key.number), 2, key.number) for key in self._written if key.written == 2]
        return Sorted(self._seeded(), world.created, keys + changed)

    def _by_service(self) -> Feed:
        world = self._world
        keys = [
            Key(date.fromisoformat(record["date_of_service"]).toordinal(), *key[1:])
            for key, record, _ in self._rows.written_rows()
        ]
        return Sorted(self._seeded(), lambda index: world.date_of_service(index).toordinal(), keys)

    def _seeded(self) -> range:
        """Where the seeded encounters lie whose claims can be in the view."""
        statuses = [status for status in STATUSES if self._is_in(status)]
        found = [rows for status in statuses if (rows := rows_with(self._world, status))]
        return range(min(rows.start for rows in found), max(rows.stop for rows in found)) if found else range(0)

    def _by_change(self) -> Feed:
        world = self._world
        keys = [Key(at, *key[1:]) for key, at in self._written.items()]
        feed = Sorted(world.change_rows(), world.event_happened, keys)
        return feed.between(*self._filter.updated_between)

    def _load_changed(self, key: Key) -> Record | None:
        if key.written:
            return self._load(key)
        index = self._world.last_changed(key.number)
        return None if index is None else self._load(Key(0, 0, index))

    def _load(self, key: Key) -> Record | None:
        if key.written:
            index = key.number if key.written == 2 else len(self._rows.seeded) + key.number
            record, updated = self._rows.get(self._rows.id_of(index)), self._written.get(Key(0, *key[1:]), 0)
        elif self._rows.is_changed(key.number) or not self._is_in(status_of(self._world, key.number)):
            return None
        else:
            record, updated = self._rows.seeded_record(key.number), self._world.claim_updated(key.number)
        if record is None or not self._is_in(record["claims"][0]["status"]):
            return None
        return summary(record, microseconds(updated))

    def _is_in(self, status: str) -> bool:
        return (not self._statuses or status in self._statuses) and self._filter.may_be(status)
