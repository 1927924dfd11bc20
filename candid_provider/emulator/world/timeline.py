"""One row of instants on which all claims live: it turns indices into times, and times back into indices."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.world.identifiers import Identifiers


class Timeline:
    """`slots` slots, evenly spread over `span` microseconds from `start`, each of `places` instants; it never ends.

    Instant `index` is place `index % places` of slot `index // places`, moved by less than half the way to the next:
    instants rise with their indices.
    """

    def __init__(self, ids: Identifiers, start: int, span: int, slots: int, places: int) -> None:
        self.start: Final = start
        self.step: Final = span // slots
        self._ids, self._span, self._slots, self._places = ids, span, slots, places
        self._gap = self.step // places
        self._scatter = max(1, self._gap // 2)

    def slot(self, number: int) -> int:
        """When a slot begins."""
        return self.start + number * self._span // self._slots

    def slots_before(self, moment: int) -> int:
        """How many slots begin before an instant."""
        return max(0, -(-(moment - self.start) * self._slots // self._span))

    def instant(self, index: int) -> int:
        """When instant `index` is."""
        number, place = divmod(index, self._places)
        scatter = self._ids.draw("jitter", index) % self._scatter
        return self.start + number * self._span // self._slots + place * self._gap + scatter

    def passed(self, moment: int) -> int:
        """How many instants there are up to and including `moment`."""
        if moment < self.start:
            return 0
        number = self.slots_before(moment + 1) - 1
        place = min(self._places - 1, (moment - self.slot(number)) // self._gap)
        index = number * self._places + place
        return index + (self.instant(index) <= moment)
