"""pre_encounter's records: each has a version that a change must name, a history, and can be deactivated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from candid_provider.emulator.endpoints.events import emit
from candid_provider.emulator.exchange.answers import (
    Refusal,
    invalid,
    not_emulated,
    pre_encounter_not_found,
    unprocessable,
)
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.filters import path_of, value_at
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.exchange.paging import page_of, scan
from candid_provider.emulator.records.collection import Collection, Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import milliseconds

LARGE: Final = 50_000  # rows that one answer may look at, where no arithmetic leads to them
_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, eq=False)
class Resource:
    """A resource of pre_encounter: its records, and what messages call one.

    `told` gives the payload of the events that tell of a record, for the resources that have events.
    """

    kind: Kind
    title: str
    told: Callable[[Record], dict[str, Any]] | None = None

    def rows(self, asked: Asked) -> Collection:
        return asked.state.of(self.kind)

    # --- reading

    def found(self, asked: Asked, identifier: str | None = None) -> Record:
        """The record with the id in the path, or another id."""
        record = self.rows(asked).get(asked.id if identifier is None else identifier)
        if record is None:
            raise pre_encounter_not_found(self.title)
        return record

    def scanned(self, asked: Asked) -> list[Record]:
        """Records last changed at `since` or later, deactivated ones included."""
        rows = self.rows(asked)
        return scan(asked, rows.by_update(), rows.updated_record)

    def history(self, asked: Asked) -> list[Record]:
        """Every version of a record, oldest first."""
        record = self.found(asked)
        kept = [*self.rows(asked).earlier(record["id"]), record]
        return [*_before(kept[0]), *kept]

    # --- writing

    def created(self, asked: Asked, fields: Record) -> Record:
        """Keep a new record with these fields."""
        state, rows = asked.state, self.rows(asked)
        at = state.clock.tick()
        record = {**_stamp(state, at, 1), "deactivated": False, "id": rows.new_id(), **fields}
        rows.add(record, at)
        self._tell(state, "Created", record)
        return record

    def changed(self, state: State, record: Record, fields: Record, at: int | None = None) -> Record:
        """Keep the next version of a record, with some fields changed; `at` is an instant of the clock's `tick`."""
        at = state.clock.tick() if at is None else at
        record = {**record, **fields, **_stamp(state, at, record["version"] + 1)}
        state.of(self.kind).put(record, at)
        self._tell(state, "Updated", record)
        return record

    def updated(self, asked: Asked, record: Record, fields: Record) -> Record:
        return self.changed(asked.state, record, fields)

    def _tell(self, state: State, happening: str, record: Record) -> None:
        if self.told is not None:
            emit(state, f"PreEncounter.{self.title}.{happening}", self.told(record))


def _stamp(state: State, at: int, version: int) -> Record:
    return {
        "organization_id": state.organization.id,
        "version": version,
        "updated_at": milliseconds(at),
        "updating_user_id": state.world.ids.uuid("user", 1),
    }


def _before(record: Record) -> list[Record]:
    # Of seeded records only the last version is known: the earlier ones differ in their stamps, an hour apart.
    latest, updated = record["version"], moment_of(record["updated_at"])

    def earlier(version: int) -> Record:
        at = milliseconds(updated - (latest - version) * _HOUR)
        return record | {"version": version, "deactivated": False, "updated_at": at}

    return [earlier(version) for version in range(1, latest)]


# --- versions


def next_version(asked: Asked, record: Record) -> None:
    """Refuse a change whose path does not name the version that comes next."""
    _expect(asked, record, record["version"] + 1)


def latest_version(asked: Asked, record: Record) -> None:
    """Refuse a change whose path does not name the most recent version."""
    _expect(asked, record, record["version"])


def _expect(asked: Asked, record: Record, version: int) -> None:
    text = asked.path["version"]
    if not (text.isascii() and text.isdigit()):
        raise unprocessable(asked.endpoint, "version", "must be a whole number")
    if text.lstrip("0") != str(version):
        raise conflict(f"The version in the path must be {version}", latest=record["version"])


def conflict(message: str, data: Any = None, latest: int | None = None) -> Refusal:
    """pre_encounter's 409: another version, or a value that is taken."""
    content = {"message": message, "data": data, "latest_version": latest}
    return Refusal(409, {"errorName": "VersionConflictError", "content": content})


# --- listings


def sorting(asked: Asked, *, descending: bool = False) -> tuple[str | None, bool]:
    """The field to sort by, if one was named, and whether downwards."""
    direction = asked.query.choice("sort_direction", ("asc", "desc"))
    return asked.query.text("sort_field"), descending if direction is None else direction == "desc"


def in_order(records: Iterable[Record], field: str, *, descending: bool, shape: Record) -> list[Record]:
    """Records sorted by a field in camelCase; those without a value come last."""
    path = path_of(field, shape)
    if path is None:
        raise invalid("sort_field", "is not a field of these rows")
    pairs = [(value_at(record, path), record) for record in records]
    present = [pair for pair in pairs if isinstance(pair[0], str | int | float)]
    absent = [record for value, record in pairs if not isinstance(value, str | int | float)]
    present.sort(key=lambda pair: (isinstance(pair[0], str), pair[0]), reverse=descending)
    return [record for _, record in present] + absent


def active(rows: Iterable[Record]) -> list[Record]:
    """Deactivated records are in no search's results."""
    return [row for row in rows if not row["deactivated"]]


def small(number: int, what: str) -> None:
    """Refuse what would look at very many rows."""
    if number > LARGE:
        raise not_emulated(f"{what} over more than {LARGE} rows")


def named_page(asked: Asked, records: Iterable[Record], field: str, shape: Record) -> Record:
    """A page of a small kind, sorted by the field that was asked for, or by `field`."""
    wanted, descending = sorting(asked)
    return page_of(asked, in_order(records, wanted or field, descending=descending, shape=shape))
