"""What will happen in the world by itself: each thing is done when its instant has come."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Deed = Callable[[int], None]


class Agenda:
    """Deeds to come. They are done in the order of their instants, when somebody next looks at the world.

    A deed is told its instant, which is the one to write under: those who look cannot tell that it was done late.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._deeds: list[tuple[int, int, Deed]] = []
        self._planned = 0

    def plan(self, at: int, deed: Deed) -> None:
        """Do something at an instant; things planned for one instant are done in the order of the plans."""
        self._planned += 1
        heappush(self._deeds, (at, self._planned, deed))

    def settle(self) -> None:
        """Do all that is due, and all that comes of it."""
        while self._deeds and self._deeds[0][0] <= self._now():
            at, _, deed = heappop(self._deeds)
            deed(at)
