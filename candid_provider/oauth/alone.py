"""Minting without the store: what one process may do while nothing can hold it back."""

from __future__ import annotations

from collections import deque

ALONE_MINTS, ALONE_SPAN = 3, 300.0
"""How often in how many seconds a process may mint without the store: fail open, bound the waste."""


class Alone:
    """Bound what one process mints while the store cannot hold it back; times are monotonic seconds."""

    def __init__(self) -> None:
        self._mints: deque[float] = deque(maxlen=ALONE_MINTS)
        self._paused_until, self.throttles = float("-inf"), 0

    def count(self, now: float) -> None:
        """Note a mint."""
        self._mints.append(now)

    def pause(self, until: float, throttles: int) -> None:
        """Note a pause that the endpoint asked for, and how many came in a row."""
        self._paused_until, self.throttles = until, throttles

    def wait(self, now: float) -> float:
        """Say for how many more seconds this process may not mint; 0 if it may."""
        full = len(self._mints) == ALONE_MINTS and self._mints[0] + ALONE_SPAN - now
        return max(self.paused(now), full or 0.0)

    def paused(self, now: float) -> float:
        """Say for how many more seconds the endpoint wants to be left alone."""
        return max(0.0, self._paused_until - now)
