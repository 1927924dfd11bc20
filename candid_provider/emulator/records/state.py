"""All that one emulator knows: its clock, its world, and the records of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.exchange.paging import PageTokens
from candid_provider.emulator.files.files import Files
from candid_provider.emulator.records.collection import Collection, Kind
from candid_provider.emulator.world.agenda import Agenda
from candid_provider.emulator.world.clock import WorldClock
from candid_provider.emulator.world.ledger import Ledger
from candid_provider.emulator.world.organization import Organization
from candid_provider.emulator.world.world import World, microseconds, milliseconds

Part = TypeVar("Part")


class State:
    """One emulator's state; two emulators share none of it.

    `real` gives seconds since 1970, for what a simulated clock must not touch: tokens and signed URLs.
    """

    def __init__(self, config: EmulatorConfig, real: Callable[[], float] = time.time) -> None:
        self.config = config
        self.real = real
        self.clock = WorldClock(config.starts_at, config.speed)
        self._living_world = World(config, self.clock.now)
        self.world = self._living_world
        self.organization = Organization(self.world.ids)
        sizes = (config.seed, config.starts_at, config.days, config.encounters, config.patients, config.payers)
        self.files = Files(real, repr(sizes))
        self.clients: dict[str, str] = {}  # secrets of the machine users that were created, by client id
        self.page_tokens = PageTokens(repr(sizes))
        self.agenda = Agenda(self.clock.now)
        self.ledger = Ledger(self)
        self._collections: dict[str, Collection] = {}
        self._parts: dict[type, Any] = {}

    def of(self, kind: Kind) -> Collection:
        """The records of a kind."""
        found = self._collections.get(kind.name)
        if found is None:
            found = self._collections[kind.name] = Collection(self, kind)
        return found

    def catch_up(self) -> None:
        """Do what was to happen by now, and look at the world as it is at this instant, until the next time."""
        self.agenda.settle()
        self.world = self._living_world.at(self.clock.now())

    def part(self, kind: type[Part]) -> Part:
        """What an area keeps beside its records: the one object of a class, made when first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        part: Part = self._parts[kind]
        return part

    def now(self) -> str:
        """This instant as candid_api writes it."""
        return microseconds(self.clock.now())

    def now_ms(self) -> str:
        """This instant as pre_encounter writes it."""
        return milliseconds(self.clock.now())

    def counts(self) -> dict[str, int]:
        """Number of seeded records by kind."""
        return self._living_world.counts()

    def written(self) -> dict[str, int]:
        """Number of records of each kind that was written to."""
        return {name: len(rows) for name, rows in sorted(self._collections.items()) if rows.touched}
