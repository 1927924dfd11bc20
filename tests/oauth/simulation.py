"""A fleet of processes in virtual time: the refresh protocol under delays, losses, crashes and skewed clocks.

Everything is drawn from one seed, so a failing run is replayed by its number.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from candid_provider.exceptions import CandidError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.protocol import RefreshProtocol
from candid_provider.oauth.steps import Clock, Load, Mint, Note, Save, Sleep, Step, Steps
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.oauth.token import AccessToken

CREDENTIALS = ClientCredentials("simulated", "simulated-secret", "https://candid.test/api/auth/v2/token")
EPOCH = 1_800_000_000.0
LIFE = 18_000.0

Delay = Callable[[random.Random], float]


def calm(chance: random.Random) -> float:
    """Answer like an API server in good health: 5 to 50 ms."""
    return chance.uniform(0.005, 0.05)


def harsh(chance: random.Random) -> float:
    """Answer mostly fast, one time in ten with a tail of seconds, as a busy API server does."""
    return calm(chance) if chance.random() < 0.9 else min(chance.paretovariate(0.8), 12.0)


@dataclass
class World:
    """Hold the store, the token endpoint and the time.

    :param seed: everything random is drawn from it.
    :param delay: seconds until the store carries an operation out, and again until it answers.
    :param mint_seconds: how long the endpoint takes.
    :param endpoint: called with the time of a mint request; raises what the endpoint answers, or nothing.
    :param one_token: the endpoint gives out the same token again and again.
    :param store: called with the time of an operation; raises if the store fails it.
    """

    seed: int
    delay: Delay = calm
    mint_seconds: Delay = lambda chance: chance.uniform(0.1, 0.6)
    endpoint: Callable[[float], None] = lambda now: None
    store: Callable[[float], None] = lambda now: None
    settle: float = 1.0
    one_token: bool = False
    now: float = 0.0
    registers: dict[str, str] = field(default_factory=dict)
    posts: list[float] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    loads: Counter[int] = field(default_factory=Counter)
    saves: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), event))

    def run(self, until: float = 3600.0) -> None:
        """Let time pass until nothing happens any more."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()


class Process:
    """Run the protocol for one process of a world; it may start late, have a wrong clock, and be killed.

    :param skew: seconds by which its wall clock is wrong.
    """

    def __init__(self, world: World, number: int, *, skew: float = 0.0) -> None:
        self.world, self.number, self.skew = world, number, skew
        self.protocol = RefreshProtocol(
            CREDENTIALS,
            Clock(lambda: EPOCH + world.now + skew, lambda: world.now),
            settle=world.settle,
            owner=f"host:{number}",
            chance=random.Random(world.chance.getrandbits(64)),
        )
        self.got: AccessToken | None = None
        self.error: CandidError | None = None
        self.waited = 0.0
        self.dead = self._busy = False

    @property
    def ended(self) -> bool:
        return self.dead or self.got is not None or self.error is not None

    def ask(self, at: float, refused: str | None = None) -> None:
        """Ask for a token at a time, unless this process is still waiting for one."""

        def start() -> None:
            if self._busy:
                return
            self._busy = True
            self.got, self.error, self._asked = None, None, self.world.now
            self._steps = self.protocol.obtain(refused)
            self._go_on(lambda steps: next(steps))

        self.world.at(at, start)

    def kill(self) -> None:
        self.dead = True

    def _go_on(self, move: Callable[[Steps], Step]) -> None:
        if self.dead:
            return
        try:
            step = move(self._steps)
            while isinstance(step, Note):
                self.world.notes[step.decision] += 1
                step = next(self._steps)
        except StopIteration as done:
            self.got = done.value
        except CandidError as error:
            self.error = error
        else:
            self._perform(step)
            return
        self.waited, self._busy = self.world.now - self._asked, False

    def _perform(self, step: Step) -> None:
        world = self.world
        match step:
            case Sleep(seconds):
                world.at(world.now + seconds, lambda: self._go_on(lambda steps: steps.send(None)))
            case Load() | Save():
                world.at(world.now + world.delay(world.chance), lambda: self._reach_store(step))
            case Mint():
                world.posts.append(world.now)
                started = EPOCH + world.now + self.skew
                world.at(world.now + world.mint_seconds(world.chance), lambda: self._minted(started))

    def _reach_store(self, step: Load | Save) -> None:
        world = self.world
        try:
            world.store(world.now)
        except StoreUnavailable as failure:
            self._answer_later(failure)
            return
        if isinstance(step, Save):
            world.registers[step.register] = step.value
            world.saves += 1
            self._answer_later(None)
        else:
            world.loads[self.number] += 1
            self._answer_later(world.registers.get(step.register))

    def _answer_later(self, answer: str | StoreUnavailable | None) -> None:
        def deliver() -> None:
            if isinstance(answer, StoreUnavailable):
                self._go_on(lambda steps: steps.throw(answer))
            else:
                self._go_on(lambda steps: steps.send(answer))

        self.world.at(self.world.now + self.world.delay(self.world.chance), deliver)

    def _minted(self, started: float) -> None:
        refusal: CandidError | None = None
        try:
            self.world.endpoint(self.world.now)
        except CandidError as error:
            refusal = error
        if refusal is not None:
            failure = refusal
            self._go_on(lambda steps: steps.throw(failure))
            return
        value = "token" if self.world.one_token else f"token-{len(self.world.posts)}-{self.number}"
        token = AccessToken(value, started, started + LIFE, f"host:{self.number}")
        self._go_on(lambda steps: steps.send(token))


def fleet(world: World, size: int, *, spread: float = 0.2, skew: float = 0.0) -> list[Process]:
    """Start processes at about the same time, none with a token.

    :param spread: seconds over which they start.
    :param skew: seconds by which their clocks may be wrong.
    """
    processes = [Process(world, n, skew=world.chance.uniform(-skew, skew)) for n in range(size)]
    for process in processes:
        process.ask(world.now + world.chance.uniform(0, spread))
    return processes
