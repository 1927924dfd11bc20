"""Rows in the order in which things happened: seeded ones computed by index, written ones kept in a list.

A place in it is the key of a row, so that a listing goes on where it was when rows are written meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from candid_provider.emulator.ranges import between


class Key(NamedTuple):
    """A row: its instant (or another number that orders), 0 for a seeded and 1 for a written one, its number."""

    order: int
    written: int
    number: int


class Feed:
    """Seeded rows `base`, ascending by `order_of`, merged with written rows whose orders are `written`, ascending."""

    def __init__(self, base: range, order_of: Callable[[int], int], written: Sequence[int] = ()) -> None:
        self._base = base
        self._order_of = order_of
        self._orders = written
        self._written = range(len(written))

    def between(self, first: int | None, last: int | None) -> Feed:
        """Rows from order `first` to order `last`, both inclusive."""
        part = Feed(between(self._base, self._order_of, first, last), self._order_of, self._orders)
        part._written = between(self._written, self._orders.__getitem__, first, last)
        return part

    @property
    def has_written(self) -> bool:
        return bool(self._written)

    def __len__(self) -> int:
        return len(self._base) + len(self._written)

    def walk(self, start: Key | None = None, *, descending: bool = False) -> Iterator[Key]:
        """Keys from row `start` on, or from the first (the last if descending)."""
        base, written = self._base, self._written
        if start is not None:
            base, written = self._from(start, descending)
        if descending:
            base, written = base[::-1], written[::-1]
        seeded = (Key(self._order_of(number), 0, number) for number in base)
        kept = (Key(self._orders[number], 1, number) for number in written)
        return merge(seeded, kept, reverse=descending)

    def _from(self, start: Key, descending: bool) -> tuple[range, range]:
        base, written = self._base, self._written
        if start.written:
            edge = bisect_right(base, start.order, key=self._order_of)
            cut = bisect_left(written, start.number + descending)
        else:
            edge = bisect_left(base, start.number + descending)
            cut = bisect_left(written, start.order, key=self._orders.__getitem__)
        return (base[:edge], written[:cut]) if descending else (base[edge:], written[cut:])
