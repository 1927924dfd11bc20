"""The seeded world: a record is a function of seed, index and the time, so nothing is stored per record.

Selections of records are `range` objects: a filter on dates is a slice, one on a patient a step, descending
order a negative step. So a world of millions of encounters starts at once, and its last page costs what its
first one does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from math import gcd
from typing import Any, Final

from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.world.clock import EPOCH, WorldClock
from candid_provider.emulator.world.identifiers import Identifiers
from candid_provider.emulator.world.lives import ADJUDICATION, EIGHTHS, STAGES
from candid_provider.emulator.world.timeline import Timeline

_DAY: Final = 86_400_000_000
EVENT_RETENTION: Final = 30 * _DAY
_EVENT_DELAY: Final = 250_000
# Every third encounter leaves its patient a balance.
_OWING_STEP: Final = 3


def microseconds(moment: int) -> str:
    """An instant (microseconds since 1970) as candid_api writes it: `2026-01-15T12:00:00.123456Z`."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")[:-6] + "Z"


def milliseconds(moment: int) -> str:
    """An instant (microseconds since 1970) as pre_encounter writes it: `2026-01-15T12:00:00.123Z`."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="milliseconds")[:-6] + "Z"


def nulls(names: str) -> dict[str, Any]:
    """The named optional fields, unset: Candid writes explicit nulls, and so do we."""
    return dict.fromkeys(names.split())


def _midnight(day: date) -> int:
    return (datetime.combine(day, time(), UTC) - EPOCH) // timedelta(microseconds=1)


class World:
    """How many records there are, how they belong together, and when things happened to them; `now` is its time.

    Encounters are spread evenly over the days that end where the world's time starts. The claim of each goes through
    `STAGES` stages, the last when a quarter of the days has passed: at the start the last quarter of the claims is
    on its way and the older ones have ended. There are two coverages for every third patient and one for the others,
    an appointment for each encounter and one to come for every eighth, and an event for each stage of each claim.

    Everything that can still change is what it is `now`; make one answer from one `at` an instant.
    """

    def __init__(self, config: EmulatorConfig, now: Callable[[], int] | None = None) -> None:
        self.config = config
        self.now = now or WorldClock(config.starts_at).now
        self.ids = Identifiers(config.seed)
        self.encounters = config.encounters
        self.patients = config.patients
        self.coverages = config.patients + -(-config.patients // 3)
        self.appointments = config.encounters + config.encounters // 8
        self.ages = tuple(config.days * _DAY * eighths // 32 for eighths in EIGHTHS)
        self._span = config.days * _DAY
        self._start = config.starts_at - self._span
        self._timeline = Timeline(self.ids, self._start, self._span, max(1, self.encounters), STAGES)
        # Where the stages of encounter 0 are on the timeline; those of the others lie STAGES further each.
        self._offsets = tuple(
            self.encounters * eighths // 32 * STAGES + stage for stage, eighths in enumerate(EIGHTHS)
        )
        self.events_end = self._offsets[-1] + 1 + (self.encounters - 1) * STAGES if self.encounters else 0
        self._event_delay = min(_EVENT_DELAY, self._timeline.step // 8)
        self._stride = self._coprime_stride()
        self._passed = (self._start, 0)

    def at(self, moment: int) -> World:
        """This world with its time standing still at an instant."""
        still = copy(self)
        still.now = lambda: moment
        return still

    def counts(self) -> dict[str, int]:
        """Number of records by kind, as the listings show them."""
        return {
            "encounters": self.encounters,
            "patients": self.patients,
            "appointments": self.appointments,
            "coverages": self.coverages,
            "events": self._count_events(),
            "payers": self.config.payers,
            "patient_ar_inventory": len(self.inventory_rows()),
        }

    # --- encounters

    def date_of_service(self, index: int) -> date:
        return (EPOCH + timedelta(microseconds=self._timeline.slot(index))).date()

    def served_between(self, first: date | None, last: date | None) -> range:
        """Encounters with a date of service from `first` to `last`, both inclusive."""
        start = 0 if first is None else self._timeline.slots_before(_midnight(first))
        stop = self.encounters if last is None else self._timeline.slots_before(_midnight(last) + _DAY)
        start = min(start, self.encounters)
        return range(start, max(start, min(stop, self.encounters)))

    def created(self, index: int) -> int:
        """When encounter `index` was created, on its date of service or just after; rises with the index."""
        return self.reached(index, 0)

    # --- the stages of their claims

    def reached(self, index: int, stage: int) -> int:
        """When the claim of encounter `index` reaches a stage; for each stage this rises with the index."""
        return self._timeline.instant(index * STAGES + self._offsets[stage])

    def stage(self, index: int) -> int:
        """The stage at which the claim of encounter `index` is now."""
        return max(0, bisect_left(self._offsets, self._instants_passed() - index * STAGES) - 1)

    def claim_updated(self, index: int) -> int:
        """When the claim of encounter `index` last changed."""
        return self.reached(index, self.stage(index))

    def at_stages(self, stages: range) -> range:
        """Encounters whose claim is now at one of consecutive stages."""
        return range(self._count_reached(stages.stop), self._count_reached(stages.start))

    def _count_reached(self, stage: int, passed: int | None = None) -> int:
        # The first so many encounters: an earlier one reaches every stage earlier.
        if stage >= STAGES:
            return 0
        passed = self._instants_passed() if passed is None else passed
        return min(max(0, -(-(passed - self._offsets[stage]) // STAGES)), self.encounters)

    def _instants_passed(self) -> int:
        moment, known = self.now(), self._passed
        if known[0] != moment:
            known = self._passed = (moment, self._timeline.passed(moment))
        return known[1]

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
        count = {"patient": self.patients, "appointment": self.appointments, "coverage": self.coverages}[kind]
        place = index & 15
        shared = index if place < 11 else min(index - place + 15, count - 1)
        return (self._start + shared * self._span // count) // 1000 * 1000

    def visit_of(self, appointment: int) -> int:
        """The visit an appointment is for: an encounter, or from `encounters` on one that is still to come."""
        block, place = divmod(appointment, 9)
        if place == 8:
            return self.encounters + block
        return 8 * block + place

    def appointment_of(self, visit: int) -> int:
        """The appointment for a visit; those for visits to come were made along with the others."""
        return visit + visit // 8 if visit < self.encounters else 9 * (visit - self.encounters) + 8

    # --- events

    def event_rows(self, *, created: bool = True, updated: bool = True) -> range:
        """Indices of the events of the last 30 days, oldest first, among them some that `event` does not know.

        An encounter's creation is an event at a multiple of STAGES; the others are status updates.
        """
        first, stop = self._events_kept()
        if created and not updated:
            return range(-(-first // STAGES) * STAGES, min(stop, self.encounters * STAGES), STAGES)
        first = max(first, 0 if created else self._offsets[1])
        return range(first, stop) if created or updated else range(0)

    def event(self, index: int) -> tuple[int, int] | None:
        """The encounter whose claim reaches a stage at this place of the timeline, and the stage, if there is one."""
        stage = index % STAGES
        encounter = (index - self._offsets[stage]) // STAGES
        return (encounter, stage) if 0 <= encounter < self.encounters else None

    def event_index(self, encounter: int, stage: int) -> int:
        """The index of an event; it may lie in the future."""
        return encounter * STAGES + self._offsets[stage]

    def event_happened(self, index: int) -> int:
        return self._timeline.instant(index)

    def event_recorded(self, index: int) -> int:
        """When an event could first be listed; rises with the index."""
        return self._timeline.instant(index) + self._event_delay

    def change_rows(self) -> range:
        """Indices of events among which are the latest of each claim, in the order of `claim_updated`."""
        firsts = (self._count_reached(stage + 1) * STAGES + offset for stage, offset in enumerate(self._offsets))
        stop = min(self._instants_passed(), self.events_end)
        return range(min(stop, *firsts), stop)

    def last_changed(self, index: int) -> int | None:
        """The encounter whose claim has not changed since event `index`, if there is one."""
        known = self.event(index)
        return known[0] if known is not None and self.stage(known[0]) == known[1] else None

    def _events_kept(self) -> tuple[int, int]:
        last = self.now() - self._event_delay
        first = self._timeline.passed(last - EVENT_RETENTION - 1)
        return min(first, self.events_end), min(self._timeline.passed(last), self.events_end)

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
        """Encounters that have left their patients a balance by now, in the order in which it arose."""
        return range(0, self._count_reached(ADJUDICATION), _OWING_STEP)
