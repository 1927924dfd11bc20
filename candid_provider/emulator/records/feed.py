"""Rows in the order in which things happened: seeded ones computed by index, written ones kept in a list.

A place in it is the key of a row, so that a listing goes on where it was when rows are written meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from candid_provider.emulator.world.ranges import between


class Key(NamedTuple):
    """A row: its instant (or another number that orders), 0 for a seeded and 1 for a written one, its number."""

    order: int
    written: int
    number: int


class Feed:
    """Seeded rows `base`, ascending by `order_of`, merged with written rows whose orders are `written`, ascending.

    `more` are further seeded rows, ascending, none of which is in `base`.
    """

    def __init__(
        self,
        base: range,
        order_of: Callable[[int], int],
        written: Sequence[int] = (),
        more: Sequence[int] = (),
    ) -> None:
        self._base = base
        self._more = more
        self._order_of = order_of
        self._orders = written
        self._written = range(len(written))

    def between(self, first: int | None, last: int | None) -> Feed:
        """Rows from order `first` to order `last`, both inclusive."""
        more = [number for number in self._more if _lies(self._order_of(number), first, last)]
        part = Feed(between(self._base, self._order_of, first, last), self._order_of, self._orders, more)
        part._written = between(self._written, self._orders.__getitem__, first, last)
        return part

    @property
    def has_written(self) -> bool:
        return bool(self._written) or bool(self._more)

    def __len__(self) -> int:
        return len(self._base) + len(self._more) + len(self._written)

    def walk(self, start: Key | None = None, *, descending: bool = False) -> Iterator[Key]:
        """Keys from row `start` on, or from the first (the last if descending)."""
        base, written, more = self._base, self._written, self._more
        if start is not None:
            base, written = self._from(start, descending)
            more = _further(more, self._order_of, start, descending)
        if descending:
            base, written, more = base[::-1], written[::-1], more[::-1]
        seeded = (Key(self._order_of(number), 0, number) for number in base)
        others = (Key(self._order_of(number), 0, number) for number in more)
        kept = (Key(self._orders[number], 1, number) for number in written)
        return merge(seeded, others, kept, reverse=descending)

    def _from(self, start: Key, descending: bool) -> tuple[range, range]:
        base, written = self._base, self._written
        if start.written:
            edge = bisect_right(base, start.order, key=self._order_of)
            cut = bisect_left(written, start.number + descending)
        else:
            edge = bisect_left(base, start.number + descending)
            cut = bisect_left(written, start.order, key=self._orders.__getitem__)
        return (base[:edge], written[:cut]) if descending else (base[edge:], written[cut:])


def _lies(order: int, first: int | None, last: int | None) -> bool:
    return (first is None or first <= order) and (last is None or order <= last)


def _further(more: Sequence[int], order_of: Callable[[int], int], start: Key, descending: bool) -> Sequence[int]:
    keys = [Key(order_of(number), 0, number) for number in more]
    return more[: bisect_right(keys, start)] if descending else more[bisect_left(keys, start) :]


class Sorted(Feed):
    """Seeded rows, ascending by `order_of`, merged with the keys of written rows, whatever their order is made of."""

    def __init__(self, base: range, order_of: Callable[[int], int], keys: list[Key]) -> None:
        super().__init__(base, order_of)
        self._keys = sorted(keys)

    @property
    def has_written(self) -> bool:
        return bool(self._keys)

    def __len__(self) -> int:
        return len(self._base) + len(self._keys)

    def between(self, first: int | None, last: int | None) -> Sorted:
        keys = [key for key in self._keys if _lies(key.order, first, last)]
        return Sorted(between(self._base, self._order_of, first, last), self._order_of, keys)

    def walk(self, start: Key | None = None, *, descending: bool = False) -> Iterator[Key]:
        base, keys = self._base, self._keys
        if start is not None:
            edge = (bisect_right if descending else bisect_left)(base, start, key=self._key)
            cut = (bisect_right if descending else bisect_left)(keys, start)
            base, keys = (base[:edge], keys[:cut]) if descending else (base[edge:], keys[cut:])
        if descending:
            base, keys = base[::-1], keys[::-1]
        return merge(map(self._key, base), keys, reverse=descending)

    def _key(self, number: int) -> Key:
        return Key(self._order_of(number), 0, number)
