"""One extraction's view of a change feed: which of the records that come are delivered, and how far that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from candid_provider.api.edge import Edge, Latest, digest_of
from candid_provider.api.instants import microseconds, written
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.oauth.unreadable import UNREADABLE

Span = tuple[int, int]
"""From, inclusive, and to, exclusive: microseconds since 1970."""
ALWAYS: Span = (-(2**63), 2**63)
REMEMBERED = 100_000
"""Encounters of which one run remembers that it has delivered them; about 15 MB."""


class Mark(msgspec.Struct, frozen=True):
    """Say where the next run begins: a watermark, as it is kept as JSON.

    :param at: the time from which on it reads, as Candid writes times.
    :param seen: digests of the records at or after it that were delivered, which are not delivered again.
    """

    at: str
    seen: tuple[str, ...] = ()

    @property
    def moment(self) -> int:
        """The time in microseconds since 1970.

        :raises msgspec.ValidationError: it is not a time.
        """
        return microseconds(self.at)


class Reader(Protocol):
    """Follow a feed for one extraction; it changes with every page."""

    detail: str | None
    """Route that brings the record of a row taken, such as ``/api/encounters/v4/{encounter_id}``; None where
    the rows are the records."""

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Leave out what was delivered or lies outside the span, and take note of the rest.

        :raises CandidUnavailableError: a record has not the fields that the feed goes by.
        """

    def state(self) -> dict[str, Any]:
        """Give what was noted, as JSON, for a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what was noted at a checkpoint."""

    def mark(self) -> Mark | None:
        """Say where the next run begins, once everything is written; None to leave the mark as it is."""


class Named:
    """Read the name of a record, and of its version, and the record's time.

    :param key: field that names a record.
    :param stamp: field that holds its time.
    :param version: field that tells its versions apart; None where there is one, ``stamp`` where it is the time.
    """

    def __init__(self, key: str, stamp: str, version: str | None = None) -> None:
        self._decoder, self._versioned = _named(key, stamp, version), version is not None

    def __call__(self, row: msgspec.Raw) -> tuple[str, int]:
        """Give both.

        :raises msgspec.DecodeError: a field is missing.
        """
        found = self._decoder.decode(row)
        return f"{found.key}:{found.version}" if self._versioned else str(found.key), microseconds(found.stamp)


@lru_cache
def _named(key: str, stamp: str, version: str | None) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("key", str, msgspec.field(name=key)),
        ("stamp", str, msgspec.field(name=stamp)),
    ]
    if version is None:
        return msgspec.json.Decoder(msgspec.defstruct("Named", fields))
    if version == stamp:
        struct = msgspec.defstruct("Named", fields, namespace={"version": property(lambda self: self.stamp)})
        return msgspec.json.Decoder(struct)
    return msgspec.json.Decoder(
        msgspec.defstruct("Named", [*fields, ("version", int | str, msgspec.field(name=version))])
    )


class Changes:
    """Deliver each version of a record once.

    :param route: the listing's, for errors.
    :param read: gives a record's name and time.
    :param edge: what was delivered last.
    :param span: outside of it nothing is delivered.
    :param marks: whether the next run goes on where this one ends.
    """

    detail: str | None = None

    def __init__(
        self,
        route: str,
        read: Callable[[msgspec.Raw], tuple[str, int]],
        edge: Edge,
        *,
        span: Span = ALWAYS,
        marks: bool = True,
    ) -> None:
        self._route, self._read, self._edge, self._marks = route, read, edge, marks
        self._from, self._to = span

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Leave out what was delivered or lies outside the span."""
        try:
            return [row for row in rows if self._is_new(row)]
        except UNREADABLE:
            pass
        raise CandidUnavailableError(
            f"{self._route}: a record lacks the fields that its change feed goes by",
            route=self._route,
            retryable=False,
        )

    def state(self) -> dict[str, Any]:
        """Give what was delivered last."""
        return self._edge.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what was delivered last."""
        self._edge.restore(state)

    def mark(self) -> Mark | None:
        """Begin the next run where this one ends, less the overlap."""
        if not self._marks or (end := self._edge.end()) is None:
            return None
        at, seen = end
        return Mark(written(at), seen)

    def _is_new(self, row: msgspec.Raw) -> bool:
        name, moment = self._read(row)
        return self._from <= moment < self._to and self._edge.is_new(name, moment)


class Encounters(Changes):
    """Deliver the ids of the encounters that events tell of, each once in a run.

    :param key: field of an event's payload that holds the id.
    :param detail: route that brings an encounter.
    """

    def __init__(self, *args: Any, key: str, detail: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.detail, self._key = detail, key
        self._delivered = Latest(most=REMEMBERED)

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Turn events into ``{"encounter_id": ...}``.

        :raises CandidConfigError: an event's payload has no such field.
        """
        found = [self._id_in(row) for row in super().take(rows)]
        new = [name for name in dict.fromkeys(found) if digest_of(name) not in self._delivered]
        for name in new:
            self._delivered.add(digest_of(name))
        return [msgspec.Raw(msgspec.json.encode({"encounter_id": name})) for name in new]

    def state(self) -> dict[str, Any]:
        """Give what was delivered last: so many encounters as a checkpoint has room for."""
        return {**super().state(), "encounters": list(self._delivered.digests)[-1000:]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what was delivered last."""
        super().restore(state)
        self._delivered = Latest(state["encounters"], REMEMBERED)

    def _id_in(self, row: msgspec.Raw) -> str:
        payload = _PAYLOAD.decode(row).payload
        value = payload.get(self._key) if isinstance(payload, dict) else None
        if isinstance(value, str) and value:
            return value
        raise CandidConfigError(
            f"incremental: an event about an encounter has no {self._key} in its payload, which Candid does not"
            " document. Look at one (resource events) and say which field it is:"
            " incremental=EncounterEvents(key=...)",
            field="incremental",
        )


class _Event(msgspec.Struct):
    payload: Any


_PAYLOAD = msgspec.json.Decoder(_Event)


class Listed:
    """Deliver a listing that has no change feed of its own, and begin the next run at a given time.

    :param route: the listing's, for errors.
    :param key: field that names a record.
    :param mark: where the next run begins.
    """

    detail: str | None = None

    def __init__(self, route: str, key: str, mark: Mark | None) -> None:
        self._route, self._mark, self._latest = route, mark, Latest()
        self._decoder: msgspec.json.Decoder[Any] = _keyed(key)

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Leave out what came a moment ago: new records push a page's last ones on to the next page."""
        try:
            return [row for row in rows if self._is_new(digest_of(self._decoder.decode(row).key))]
        except UNREADABLE:
            pass
        raise CandidUnavailableError(
            f"{self._route}: a record lacks the field that names it", route=self._route, retryable=False
        )

    def state(self) -> dict[str, Any]:
        """Give what came last, and where the next run begins."""
        return {"latest": list(self._latest.digests), "mark": self._mark and msgspec.to_builtins(self._mark)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what came last."""
        self._latest = Latest(state["latest"])
        self._mark = msgspec.convert(state["mark"], Mark | None)

    def mark(self) -> Mark | None:
        """Begin the next run at the given time."""
        return self._mark

    def _is_new(self, digest: str) -> bool:
        new = digest not in self._latest
        self._latest.add(digest)
        return new


@lru_cache
def _keyed(key: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct("Keyed", [("key", str, msgspec.field(name=key))]))
