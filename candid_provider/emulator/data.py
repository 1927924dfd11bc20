"""The seeded world: a record is a function of seed, `as_of` and its index, so nothing is stored per record.

Selections of records are `range` objects: a filter on dates is a slice, one on a patient a step, descending
order a negative step. So a world of millions of encounters starts at once, and its last page costs what its
first one does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import gcd
from typing import Any, Final

from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.identifiers import Identifiers

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
EVENT_RETENTION_DAYS: Final = 30


def microseconds(moment: int) -> str:
    """An instant (microseconds since 1970) as candid_api writes it: `2026-01-15T12:00:00.123456Z`."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")[:-6] + "Z"


def milliseconds(moment: int) -> str:
    """An instant (microseconds since 1970) as pre_encounter writes it: `2026-01-15T12:00:00.123Z`."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="milliseconds")[:-6] + "Z"


def nulls(names: str) -> dict[str, Any]:
    """The named optional fields, unset: Candid writes explicit nulls, and so do we."""
    return dict.fromkeys(names.split())


def between(rows: range, time_of: Callable[[int], int], first: int | None, last: int | None) -> range:
    """Those of `rows` (ascending in time) from instant `first` to instant `last`, both inclusive."""
    start = 0 if first is None else bisect_left(rows, first, key=time_of)
    stop = len(rows) if last is None else bisect_right(rows, last, key=time_of)
    return rows[start : max(start, stop)]


class World:
    """How many records there are, how they belong together, and when things happened to them.

    Encounters are spread evenly over the days, as if seen at the end of the last one. The last quarter of
    them is *open* (not yet adjudicated); each older one was adjudicated when a quarter of the days had passed.
    Every third adjudicated claim left its patient a balance. There is one appointment per encounter, two coverages
    for every third patient and one for the others, and two events per encounter: its creation, and a status
    update of the claim that was adjudicated at that time.
    """

    def __init__(self, config: EmulatorConfig, now: Callable[[], int] | None = None) -> None:
        self.config = config
        self.ids = Identifiers(config.seed)
        self.encounters = config.encounters
        self.patients = config.patients
        self.coverages = config.patients + -(-config.patients // 3)
        self._first_day = config.as_of - timedelta(days=config.days - 1)
        self._start = (self._first_day - date(1970, 1, 1)).days * _DAY
        self._span = config.days * _DAY
        self._start = config.starts_at - self._span
        self._timeline = Timeline(self.ids, self._start, self._span, max(1, self.encounters), STAGES)
        # Where the stages of encounter 0 are on the timeline; those of the others lie STAGES further each.
        self._offsets = tuple(
            self.encounters * eighths // 32 * STAGES + stage for stage, eighths in enumerate(EIGHTHS)
        )
        self._events_end = self._offsets[-1] + 1 + (self.encounters - 1) * STAGES if self.encounters else 0
        self._event_delay = min(_EVENT_DELAY, self._timeline.step // 8)
        self._stride = self._coprime_stride()

    def counts(self) -> dict[str, int]:
        """Number of records by kind, as the listings show them."""
        return {
            "encounters": self.encounters,
            "patients": self.patients,
            "appointments": self.encounters,
            "coverages": self.coverages,
            "events": len(self.event_rows()),
            "payers": self.config.payers,
            "patient_ar_inventory": len(self.inventory_rows()),
        }

    # --- encounters

    def date_of_service(self, index: int) -> date:
        return self._first_day + timedelta(days=index * self.config.days // self.encounters)

    def served_between(self, first: date | None, last: date | None) -> range:
        """Encounters with a date of service from `first` to `last`, both inclusive."""
        start = 0 if first is None else self._first_of_day((first - self._first_day).days)
        stop = self.encounters if last is None else self._first_of_day((last - self._first_day).days + 1)
        return range(start, max(start, stop))

    def _first_of_day(self, day: int) -> int:
        day = min(max(day, 0), self.config.days)
        return -(-day * self.encounters // self.config.days)

    def created(self, index: int) -> int:
        """When encounter `index` was created, on its date of service or just after; rises with the index."""
        return self._slot(index) + self._jitter(index)

    def adjudicated_rows(self) -> range:
        return range(self.encounters - self._lag)

    def is_open(self, index: int) -> bool:
        return index >= self.encounters - self._lag

    def adjudicated(self, index: int) -> int:
        """When the claim of encounter `index` was adjudicated; only meaningful when it is not open."""
        return self._slot(index + self._lag) + self._step // 2 + self._jitter(index)

    def _slot(self, index: int) -> int:
        return self._start + index * self._span // self.encounters

    def _jitter(self, index: int) -> int:
        # Under a quarter of the step, so that neither creations nor adjudications change their order.
        return self.ids.draw("jitter", index) % max(1, self._step // 4)

    # --- patients and their encounters

    def _coprime_stride(self) -> int:
        stride = self.patients * 5 // 8 + 1
        while gcd(stride, self.patients) != 1:
            stride += 1
        return stride

    def patient_of(self, encounter: int) -> int:
        return encounter * self._stride % self.patients

    def encounters_of(self, patient: int) -> range:
        """Encounters of a patient: every `patients`-th, as the stride meets each patient once per round."""
        first = patient * pow(self._stride, -1, self.patients) % self.patients
        return range(first, self.encounters, self.patients)

    # --- coverages: four for each three patients

    def coverages_of(self, patient: int) -> tuple[int, ...]:
        """A patient's coverages, primary first."""
        block, place = divmod(patient, 3)
        return ((4 * block, 4 * block + 1), (4 * block + 2,), (4 * block + 3,))[place]

    def patient_covered(self, coverage: int) -> int:
        block, place = divmod(coverage, 4)
        return 3 * block + (0, 0, 1, 2)[place]

    def payer_of(self, coverage: int) -> int:
        return self.ids.draw("payer-of-coverage", coverage) % self.config.payers

    # --- pre_encounter rows

    def updated(self, kind: str, index: int) -> int:
        """When a pre_encounter row last changed, in whole ms; five rows in sixteen share one instant."""
        count = {"patient": self.patients, "appointment": self.encounters, "coverage": self.coverages}[kind]
        place = index & 15
        leader = index if place < 11 else index - place + 11
        return (self._start + leader * self._span // count) // 1000 * 1000

    # --- events and patient balances

    def event_rows(self) -> range:
        """Events still kept (30 days), oldest first: even ones are creations, odd ones status updates."""
        oldest_day = self.config.days - EVENT_RETENTION_DAYS
        return range(2 * self._first_of_day(oldest_day), 2 * self.encounters)

    def event(self, index: int) -> tuple[int, int]:
        """The encounter an event is about, and when it happened."""
        slot, is_update = divmod(index, 2)
        if not is_update:
            return slot, self.created(slot)
        if slot >= self._lag:
            return slot - self._lag, self.adjudicated(slot - self._lag)
        return slot, self._slot(slot) + self._step // 2 + self._jitter(slot)

    def event_recorded(self, index: int) -> int:
        """When an event could first be listed; rises with the index."""
        return self._timeline.instant(index) + self._event_delay

    def change_rows(self) -> range:
        """Indices of events among which are the latest of each claim, in the order of `claim_updated`."""
        firsts = (self._count_reached(stage + 1) * STAGES + offset for stage, offset in enumerate(self._offsets))
        stop = min(self._instants_passed(), self._events_end)
        return range(min(stop, *firsts), stop)

    def last_changed(self, index: int) -> int | None:
        """The encounter whose claim has not changed since event `index`, if there is one."""
        known = self.event(index)
        return known[0] if known is not None and self.stage(known[0]) == known[1] else None

    def _events_kept(self) -> tuple[int, int]:
        last = self.now() - self._event_delay
        first = self._timeline.passed(last - _EVENT_RETENTION - 1)
        return min(first, self._events_end), min(self._timeline.passed(last), self._events_end)

    def _count_events(self) -> int:
        first, stop = self._events_kept()
        return sum(self._count_reached(n, stop) - self._count_reached(n, first) for n in range(STAGES))

    # --- patient balances

    def owing(self, encounter: int) -> bool:
        """Whether an encounter leaves its patient a balance, sooner or later."""
        return encounter % _OWING_STEP == 0

    def owes(self, encounter: int) -> bool:
        """Whether an encounter has left its patient a balance by now."""
        return self.owing(encounter) and self.stage(encounter) >= ADJUDICATION

    def adjudicated(self, encounter: int) -> int:
        """When the balance of an owing encounter arises."""
        return self.reached(encounter, ADJUDICATION)

    def inventory_rows(self) -> range:
        """Encounters whose claim has, or had, a patient balance, in the order in which it arose."""
        return self.adjudicated_rows()[::3]

    def owes(self, encounter: int) -> bool:
        return encounter % 3 == 0 and not self.is_open(encounter)
