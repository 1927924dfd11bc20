"""Records of one kind: the seeded ones computed from their index, the written ones kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from candid_provider.emulator.records.feed import Feed, Key

if TYPE_CHECKING:
    from candid_provider.emulator.records.state import State

Record = dict[str, Any]
_T = TypeVar("_T")


def _read(kept: bytes | None) -> Record | None:
    return None if kept is None else msgspec.json.decode(kept, type=Record)


def _none(_: State) -> int:
    return 0


def _never(_: State, __: int) -> Record:
    raise LookupError("this kind has no seeded records")


def _no_rows(_: State) -> range:
    return range(0)


def _at_the_start(_: State, __: int) -> int:
    return 0


@dataclass(frozen=True, eq=False)
class Kind:
    """What there is to know of a kind of record.

    `name` keys its UUIDs, `id_field` holds them. `count` seeded records are made by `make` from their index, or None
    where an index has no record; `created` and `updated` give instants (microseconds since 1970) that rise with the
    index. `unique` names a field that no two records share; `seeded` finds the index of a seeded record by its value.
    `indexes` give the values by which written records are found. A kind that is `versioned` keeps the earlier states
    of its records and can have deactivated ones, among the seeded ones those of `deactivated`.
    `view` puts into a record what follows from others, each time it is read.
    """

    name: str
    id_field: str
    count: Callable[[State], int] = _none
    make: Callable[[State, int], Record | None] = _never
    created: Callable[[State, int], int] = _at_the_start
    updated: Callable[[State, int], int] = _at_the_start
    unique: str | None = None
    seeded: Callable[[State, str], int | None] | None = None
    indexes: Mapping[str, Callable[[Record], Iterable[str]]] = field(default_factory=dict)
    versioned: bool = False
    deactivated: Callable[[State], range] = _no_rows
    view: Callable[[State, Record], Record] | None = None


class Collection:
    """All records of a kind in one emulator. What it returns may be changed freely: nothing is shared."""

    def __init__(self, state: State, kind: Kind) -> None:
        self.state = state
        self.kind = kind
        self.seeded = range(kind.count(state))
        self._kept: dict[str, bytes | None] = {}  # None: deleted
        self._changed: set[int] = set()
        self._created: list[tuple[int, str]] = []
        self._created_at: list[int] = []
        self._writes: list[str] = []
        self._written_at: list[int] = []
        self._latest: dict[str, int] = {}
        self._by_unique: dict[str, str] = {}
        self._indexed: dict[str, dict[str, dict[str, None]]] = {name: {} for name in kind.indexes}
        self._earlier: dict[str, list[bytes]] = {}
        self._derived: dict[str, tuple[int, Any]] = {}
        self._deleted = 0
        self._deactivated = len(kind.deactivated(state))

    # --- one record

    def id_of(self, index: int) -> str:
        return self.state.world.ids.uuid(self.kind.name, index)

    def index_of(self, identifier: str) -> int | None:
        """The index of a seeded record."""
        return self.state.world.ids.index(self.kind.name, identifier, len(self.seeded))

    def seeded_record(self, index: int) -> Record | None:
        """Record `index` as it is now; None when it was deleted."""
        if index in self._changed:
            return self._shown(_read(self._kept[self.id_of(index)]))
        return self._made(index)

    def _made(self, index: int) -> Record | None:
        return self._shown(self.kind.make(self.state, index))

    def _shown(self, record: Record | None) -> Record | None:
        return self.kind.view(self.state, record) if record is not None and self.kind.view else record

    def get(self, identifier: str) -> Record | None:
        identifier = identifier.lower()
        if identifier in self._kept:
            return self._shown(_read(self._kept[identifier]))
        index = self.index_of(identifier)
        record = None if index is None else self._made(index)
        # Fixed parts of a seeded record may be JSON already: read, it is plain throughout.
        return None if record is None else _read(msgspec.json.encode(record))

    def is_changed(self, index: int) -> bool:
        """Whether a seeded record was written to."""
        return index in self._changed

    def holder(self, value: str) -> str | None:
        """The id of the record whose unique field has this value."""
        if value in self._by_unique:
            return self._by_unique[value]
        index = self.kind.seeded(self.state, value) if self.kind.seeded else None
        if index is None or index >= len(self.seeded):
            return None
        record = self.seeded_record(index)
        taken = record is not None and self.kind.unique is not None and record[self.kind.unique] == value
        return self.id_of(index) if taken else None

    # --- writing

    @property
    def touched(self) -> bool:
        """Whether anything was written."""
        return bool(self._writes)

    @property
    def created_count(self) -> int:
        """How many records were added."""
        return len(self._created)

    def new_id(self) -> str:
        """The id for the next record to be added."""
        return self.state.world.ids.uuid(self.kind.name, len(self.seeded) + len(self._created))

    def add(self, record: Record, at: int | None = None) -> Record:
        """Keep a new record under the id it carries; `at` is the instant of the write, if it was ticked already."""
        identifier, now = record[self.kind.id_field], self._instant(at)
        self._created.append((now, identifier))
        self._created_at.append(now)
        self._keep(identifier, record, now)
        return record

    def put(self, record: Record, at: int | None = None) -> Record:
        """Keep a changed record in the place of the one with its id."""
        identifier = record[self.kind.id_field]
        if self.kind.versioned:
            self._earlier.setdefault(identifier, []).append(self._encoded(identifier))
        self._forget(identifier)
        self._keep(identifier, record, self._instant(at))
        return record

    def _instant(self, at: int | None) -> int:
        # Writes are kept in order, also those that a clock which runs by itself finds out about late.
        now = self.state.clock.tick() if at is None else at
        return max(now, self._written_at[-1]) if self._written_at else now

    def remove(self, identifier: str) -> None:
        self._forget(identifier)
        self._keep(identifier, None, self.state.clock.tick())

    def _encoded(self, identifier: str) -> bytes:
        index = self.index_of(identifier)
        kept = self._kept[identifier] if index is None or index in self._changed else None
        return kept or msgspec.json.encode(self.kind.make(self.state, index or 0))

    def _forget(self, identifier: str) -> None:
        if identifier not in self._kept:
            self._deactivated -= self.kind.versioned and self.index_of(identifier) in self.kind.deactivated(
                self.state
            )
            return
        kept = _read(self._kept[identifier])
        if kept is None:
            self._deleted -= 1
            return
        self._deactivated -= self.kind.versioned and kept["deactivated"]
        if self.kind.unique:
            self._by_unique.pop(str(kept.get(self.kind.unique)), None)
        for name, values_of in self.kind.indexes.items():
            for value in values_of(kept):
                self._indexed[name].get(value, {}).pop(identifier, None)

    def _keep(self, identifier: str, record: Record | None, now: int) -> None:
        index = self.index_of(identifier)
        if index is not None:
            self._changed.add(index)
        self._kept[identifier] = None if record is None else msgspec.json.encode(record)
        self._latest[identifier] = len(self._writes)
        self._writes.append(identifier)
        self._written_at.append(now)
        if record is None:
            self._deleted += 1
            return
        self._deactivated += self.kind.versioned and record["deactivated"]
        if self.kind.unique and record.get(self.kind.unique) is not None:
            self._by_unique[str(record[self.kind.unique])] = identifier
        for name, values_of in self.kind.indexes.items():
            for value in values_of(record):
                self._indexed[name].setdefault(value, {})[identifier] = None

    # --- many records

    def by_creation(self, seeded: Sequence[int] | None = None) -> Feed:
        """All rows, or some seeded and all written ones, changed ones too, in the order of their creation."""
        rows = self.seeded if seeded is None else seeded
        # What selected the seeded rows was known of them before they were written to.
        changed = {index for index in self._changed if index not in rows}
        if not isinstance(rows, range):
            rows, changed = range(0), changed.union(rows)
        return Feed(rows, lambda index: self.kind.created(self.state, index), self._created_at, sorted(changed))

    def created_record(self, key: Key) -> Record | None:
        """The record of a row of `by_creation`; None when it was deleted."""
        if not key.written:
            return self.seeded_record(key.number)
        return self._shown(_read(self._kept[self._created[key.number][1]]))

    def row_of(self, identifier: str) -> Key:
        """A place for a record in a feed of its own: as of `written_rows`, or 2 and the index of a seeded one."""
        index = self.state.world.ids.index(self.kind.name, identifier, len(self.seeded) + len(self._created))
        assert index is not None
        return Key(0, 2, index) if index < len(self.seeded) else Key(0, 1, index - len(self.seeded))

    def written_rows(self) -> Iterator[tuple[Key, Record, int]]:
        """The records that were written: 1 and their number if new, 2 and their index if seeded; when, at last."""
        for number, (_, identifier) in enumerate(self._created):
            if (record := self._shown(_read(self._kept[identifier]))) is not None:
                yield Key(0, 1, number), record, self._written_at[self._latest[identifier]]
        for index in sorted(self._changed):
            identifier = self.id_of(index)
            if (record := self._shown(_read(self._kept[identifier]))) is not None:
                yield Key(0, 2, index), record, self._written_at[self._latest[identifier]]

    def by_update(self, seeded: range | None = None) -> Feed:
        """All rows in the order in which they last changed."""
        rows = self.seeded if seeded is None else seeded
        return Feed(rows, lambda index: self.kind.updated(self.state, index), self._written_at)

    def updated_record(self, key: Key) -> Record | None:
        """The record of a row of `by_update`; None when it has a later row, or was deleted."""
        if not key.written:
            return None if key.number in self._changed else self._made(key.number)
        identifier = self._writes[key.number]
        return self._shown(_read(self._kept[identifier])) if self._latest[identifier] == key.number else None

    def __iter__(self) -> Iterator[Record]:
        """Every record in the order of creation: for small kinds."""
        for key in self.by_creation().walk():
            if (record := self.created_record(key)) is not None:
                yield record

    def __len__(self) -> int:
        """How many records there are, without those that were deleted."""
        return len(self.seeded) + len(self._created) - self._deleted

    @property
    def active(self) -> int:
        """How many records there are, without those that were deleted or are deactivated."""
        return len(self) - self._deactivated

    def earlier(self, identifier: str) -> list[Record]:
        """What a versioned record was before each of the changes written to it, oldest first."""
        return [msgspec.json.decode(kept, type=Record) for kept in self._earlier.get(identifier, ())]

    def written_with(self, index: str, value: str) -> list[Record]:
        """The written records that one of the kind's indexes has under a value, oldest first."""
        found = (self._kept[identifier] for identifier in self._indexed[index].get(value, ()))
        return [record for kept in found if (record := self._shown(_read(kept))) is not None]

    def written(self) -> Iterator[Record]:
        """Every record that was written to."""
        yield from (record for kept in self._kept.values() if (record := self._shown(_read(kept))) is not None)

    def derived(self, name: str, build: Callable[[], _T], *, lasting: bool = False) -> _T:
        """What `build` makes of the records: made once, and if not `lasting` again after a write."""
        version = 0 if lasting else len(self._writes)
        known = self._derived.get(name)
        if known is None or known[0] != version:
            known = self._derived[name] = (version, build())
        return cast("_T", known[1])
