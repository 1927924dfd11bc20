"""Selections of seeded rows are `range` objects: nothing is stored, whatever the size of the world."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable


def between(rows: range, order_of: Callable[[int], int], first: int | None, last: int | None) -> range:
    """Those of `rows` (ascending by `order_of`) from `first` to `last`, both inclusive."""
    start = 0 if first is None else bisect_left(rows, first, key=order_of)
    stop = len(rows) if last is None else bisect_right(rows, last, key=order_of)
    return rows[start : max(start, stop)]


def within(rows: range, limits: range) -> range:
    """Those of `rows` that lie between the ends of `limits`."""
    return between(rows, int, limits.start, limits.stop - 1)
