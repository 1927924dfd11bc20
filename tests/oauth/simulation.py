"""A fleet of processes in virtual time: the refresh protocol under delays, losses, crashes and wrong clocks.

Everything is drawn from one seed, so a failing run is replayed by its number.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from candid_provider.exceptions import CandidError, CandidUnavailableError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.protocol import RefreshProtocol
from candid_provider.oauth.steps import Clock, Load, Mint, Note, Save, Sleep, Step, Steps
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.oauth.token import AccessToken

CREDENTIALS = ClientCredentials("simulated", "simulated-secret", "https://candid.test/api/auth/v2/token")
ENVELOPE = Envelope(CREDENTIALS)
# Hundreds of processes open the same few envelopes; mypy would have no method replaced.
ENVELOPE._fernet.decrypt = functools.lru_cache(1000)(ENVELOPE._fernet.decrypt)  # type: ignore[method-assign]
EPOCH = 1_800_000_000.0
LIFE = 18_000.0

TRIES, TRY_TIMEOUT, LONGEST_BACKOFF = 5, 5.0, 2.0
"""How a task's client asks the API server: each try waits so long, then it sends the request again (Airflow 3.3)."""
LATE = 5.0
"""Seconds after which a Variable that is missing may be there after all: ``VariableTokenStore`` asks again."""

Delay = Callable[[random.Random], float]
Span = tuple[float, float]


def calm(chance: random.Random) -> float:
    """Answer like an API server in good health: 5 to 50 ms."""
    return 0.005 + 0.045 * chance.random()


def busy(chance: random.Random) -> float:
    """Answer within 10 to 500 ms, there and back."""
    return 0.005 + 0.245 * chance.random()


def harsh(chance: random.Random) -> float:
    """Answer mostly fast, one time in ten with a tail of seconds, as a busy API server does."""
    return calm(chance) if chance.random() < 0.9 else min(chance.paretovariate(0.8), 12.0)


def rough(chance: random.Random) -> float:
    """Answer as :func:`harsh` one time in two, else as :func:`busy`."""
    return harsh(chance) if chance.random() < 0.5 else busy(chance)


@dataclass
class Minted:
    """What became of one token."""

    value: str
    asked: float
    expires: float
    process: Process
    alone: bool
    landed: float | None = None
    unsaved: float | None = None
    """When the process learnt that its token could not be saved."""


@dataclass
class World:
    """Hold the store, the token endpoint and the time.

    :param seed: everything random is drawn from it.
    :param delay: seconds until the store carries an operation out, and again until it answers.
    :param mint_seconds: how long the endpoint takes.
    :param endpoint: called with the time of a mint request; raises what the endpoint answers, or nothing.
    :param one_token: the endpoint gives out the same token again and again.
    :param store: called with the time of an operation; raises if the store fails it.
    :param stalls: spans in which the store does nothing for anybody and then everything.
    :param missing: spans in which reads find nothing and saves fail, as in an outage of Airflow 3.1 to 3.3.
    :param lost: share of replies that are lost; the client asks again, so a save is carried out twice.
    :param paused: share of steps before which the process stands still for up to 10 s.
    :param late: share of saves that are carried out once more, up to 30 s later.
    """

    seed: int
    delay: Delay = calm
    mint_seconds: Delay = lambda chance: chance.uniform(0.1, 0.6)
    endpoint: Callable[[float], None] = lambda now: None
    store: Callable[[float], None] = lambda now: None
    settle: float = 1.0
    one_token: bool = False
    stalls: tuple[Span, ...] = ()
    missing: tuple[Span, ...] = ()
    lost: float = 0.0
    late: float = 0.0
    paused: float = 0.0
    now: float = 0.0
    registers: dict[str, str] = field(default_factory=dict)
    posts: list[float] = field(default_factory=list)
    minted: list[Minted] = field(default_factory=list)
    defaced: list[float] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    loads: Counter[int] = field(default_factory=Counter)
    saves: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.trace: Callable[[str], None] | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), event))

    def run(self, until: float = 3600.0) -> None:
        """Let time pass until nothing happens any more."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def deface(self, register: str) -> None:
        """Save what a person's browser shows of a masked Variable: asterisks."""
        self.registers[register] = "***"
        self.defaced.append(self.now)

    def after_stalls(self, time: float) -> float:
        """Say when something due at a time happens, given that the store may be stalled then."""
        for start, end in self.stalls:
            if start <= time < end:
                return end + 0.5 * self.chance.random()
        return time

    def tell(self, who: object, what: str, *about: object) -> None:
        """Print what happens, if this run is a replay."""
        if self.trace:
            self.trace(f"{self.now:9.3f} {who:>4} " + what.format(*about))


class Process:
    """Run the protocol for one process of a world; it may start late, have a wrong clock, and be killed.

    :param skew: seconds by which its wall clock is wrong.
    :param step: when its wall clock jumps, and by how many seconds.
    :param dies_at: number of the step at which it is killed; half of them are still carried out.
    """

    def __init__(
        self,
        world: World,
        number: int,
        *,
        skew: float = 0.0,
        step: tuple[float, float] = (0.0, 0.0),
        dies_at: int | None = None,
    ) -> None:
        self.world, self.number, self.skew = world, number, skew
        self._step, self._dies_at = step, dies_at
        self.protocol = RefreshProtocol(
            CREDENTIALS,
            Clock(self.clock, lambda: world.now),
            settle=world.settle,
            owner=f"host:{number}",
            chance=random.Random(world.chance.getrandbits(64)),
            envelope=ENVELOPE,
        )
        self.got: AccessToken | None = None
        self.error: CandidError | None = None
        self.waited = 0.0
        self.died = float("inf")
        self._busy = self._alone = False

    def clock(self) -> float:
        when, jump = self._step
        return EPOCH + self.world.now + self.skew + (jump if self.world.now >= when else 0.0)

    @property
    def dead(self) -> bool:
        return self.died <= self.world.now

    @property
    def ended(self) -> bool:
        return self.dead or self.got is not None or self.error is not None

    @property
    def got_useless(self) -> bool:
        """Whether the token it has was over, by the endpoint's clock, when it was handed out, or was refused."""
        return self.got is not None and (
            self.got.value == self._refused
            or any(
                mint.value == self.got.value and mint.expires <= self._asked + self.waited
                for mint in self.world.minted
            )
        )

    def ask(self, at: float, refused: str | None = None) -> None:
        """Ask for a token at a time, unless this process is still waiting for one."""

        def start() -> None:
            if self._busy:
                return
            self._busy, self._alone = True, False
            self.got, self.error, self._asked, self._refused = None, None, self.world.now, refused
            self._steps = self.protocol.obtain(refused)
            self._go_on(lambda steps: next(steps))

        self.world.at(at, start)

    def kill(self) -> None:
        self.died = self.world.now

    def _go_on(self, move: Callable[[Steps], Step]) -> None:
        if self.dead:
            return
        try:
            step = move(self._steps)
            while isinstance(step, Note):
                self.world.notes[step.decision] += 1
                self._alone |= step.decision == "fail_open"
                self.world.tell(self.number, "{}", step)
                step = next(self._steps)
        except StopIteration as done:
            self.got = done.value
        except CandidError as error:
            self.error = error
        else:
            self._perform(step)
            return
        self.world.tell(self.number, "has {}", self.got or self.error)
        self.waited, self._busy = self.world.now - self._asked, False

    def _perform(self, step: Step) -> None:
        world = self.world
        if world.paused and world.chance.random() < world.paused:
            world.at(world.now + 10 * world.chance.random(), lambda: self._carry_out(step))
        else:
            self._carry_out(step)

    def _carry_out(self, step: Step) -> None:
        world = self.world
        if self._dies_at is not None:
            self._dies_at -= 1
            if self._dies_at < 0:
                self.kill()
                world.tell(self.number, "dies at {}", step)
                if world.chance.random() < 0.5:
                    return
        match step:
            case Sleep(seconds):
                world.at(world.now + seconds, lambda: self._go_on(lambda steps: steps.send(None)))
            case Load() | Save():
                self._send(step)
            case Mint(timeout):
                world.tell(self.number, "mints, its clock wrong by {:.0f} s", self.clock() - EPOCH - world.now)
                world.posts.append(world.now)
                asked, started, takes = world.now, self.clock(), world.mint_seconds(world.chance)
                in_time = takes <= timeout
                world.at(world.now + min(takes, timeout), lambda: self._minted(asked, started, in_time))

    def _send(self, step: Load | Save, tries: int = TRIES, again: bool = True) -> None:
        """Send a request to the store, again after a try that took too long, until the client gives up.

        :param again: whether something that is missing late is asked for again.
        """
        world, sent = self.world, self.world.now
        if not tries and isinstance(step, Load) and again:
            self._send(step, again=False)  # Airflow says "missing" then
            return
        if not tries:
            self._deliver(step, StoreUnavailable("no answer in time"))
            return
        reached = world.after_stalls(sent + world.delay(world.chance))
        answered = world.after_stalls(reached + world.delay(world.chance))
        lost = bool(world.lost) and world.chance.random() < world.lost
        # A client that has turned away does not keep the server from carrying out what reached it.
        in_time = answered - sent <= TRY_TIMEOUT and not lost
        began = sent - (TRIES - tries) * TRY_TIMEOUT
        world.at(reached, lambda: self._reach_store(step, answered if in_time else None, again, began))
        if not in_time:
            later = sent + TRY_TIMEOUT + LONGEST_BACKOFF * world.chance.random()
            world.at(later, lambda: self._send(step, tries - 1, again))
        if world.late and isinstance(step, Save) and world.chance.random() < world.late:
            world.at(reached + 30 * world.chance.random(), lambda: self._reach_store(step, None))

    def _reach_store(
        self, step: Load | Save, answered: float | None, again: bool = False, began: float = 0.0
    ) -> None:
        """Let the store carry a request out, and answer at a time, or never."""
        world = self.world
        answer: str | StoreUnavailable | None = None
        absent = bool(world.missing) and any(start <= world.now < end for start, end in world.missing)
        try:
            world.store(world.now)
            if isinstance(step, Load):
                world.loads[self.number] += 1
                answer = None if absent else world.registers.get(step.register)
            elif absent:
                answered = None if answered is None else answered + 1 + 9 * world.chance.random()
                raise StoreUnavailable("the API server failed")
            else:
                world.registers[step.register] = step.value
                world.saves += 1
                self._land(step)
        except StoreUnavailable as failure:
            answer = failure
        world.tell(self.number, "{} is carried out: {!r:.70}", step, answer)
        if answered is None:
            return
        if isinstance(step, Load) and answer is None and answered - began >= LATE:
            if again:
                world.at(answered, lambda: self._send(step, again=False))
                return
            answer = StoreUnavailable("no answer in time")
        world.at(answered, lambda: self._deliver(step, answer))

    def _land(self, step: Save) -> None:
        token = ENVELOPE.open(step.value, self.clock())
        for mint in self.world.minted:
            if token and mint.value == token.value and mint.landed is None:
                mint.landed = self.world.now

    def _deliver(self, step: Load | Save, answer: str | StoreUnavailable | None) -> None:
        if isinstance(answer, StoreUnavailable):
            if isinstance(step, Save) and step.register == CREDENTIALS.token_register and not self.dead:
                for mint in self.world.minted:
                    if mint.process is self and mint.landed is None and mint.unsaved is None:
                        mint.unsaved = self.world.now
            failure = answer
            self._go_on(lambda steps: steps.throw(failure))
        else:
            self._go_on(lambda steps: steps.send(answer))

    def _minted(self, asked: float, started: float, in_time: bool) -> None:
        world = self.world
        refusal: CandidError | None = None
        try:
            world.endpoint(world.now)
            if not in_time:
                raise CandidUnavailableError("the token endpoint is too slow")
        except CandidError as error:
            refusal = error
        if refusal is not None:
            failure = refusal
            self._go_on(lambda steps: steps.throw(failure))
            return
        value = "token" if world.one_token else f"token-{len(world.minted)}-{self.number}"
        world.minted.append(Minted(value, asked, asked + LIFE, self, self._alone))
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
