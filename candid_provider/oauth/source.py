"""The token source: runs the refresh protocol for one process, for threads and coroutines alike."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import os
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from candid_provider.exceptions import CandidError, CandidUnavailableError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.protocol import RefreshProtocol
from candid_provider.oauth.quiet import quiet
from candid_provider.oauth.signature import SignatureCheck
from candid_provider.oauth.steps import Clock, Load, Mint, Note, Save, Sleep, Step, Steps
from candid_provider.oauth.store import StoreUnavailable, TokenStore, guarded
from candid_provider.oauth.token import AccessToken

Flight = Future[AccessToken | CandidError | None]

GRACE = 30.0
"""Seconds after the deadline at which a refresh counts as abandoned."""

log = logging.getLogger("candid_provider.token")

SYSTEM_CLOCK = Clock(time.time, time.monotonic)

WARNINGS = frozenset({"fail_open", "back_off", "fence", "rotate"})
RECOVERED = frozenset({"load", "adopt", "minted"})


class TokenSource:
    """Answer with a usable token, minting as seldom as the store allows.

    Threads and coroutines of one process share one refresh. A coroutine's refresh runs in a thread of its
    own, because stores block, and goes on when the coroutine that asked for it is cancelled.

    :param credentials: whose token.
    :param store: where processes share it.
    :param verify: checks the signature of what was minted.
    :param on_token: called with each bearer before it is first returned; masks it in logs.
    :param on_decision: called with the name of each decision; counts them.
    :param http: makes the client that mints, with proxies and CA settings; it must carry no auth.
    :param deadline: seconds one answer may take.
    :param clock: the time.
    :param sleep: waits for so many seconds of that clock.
    """

    def __init__(
        self,
        credentials: ClientCredentials,
        store: TokenStore,
        *,
        verify: SignatureCheck | None = None,
        on_token: Callable[[str], None] = lambda bearer: None,
        on_decision: Callable[[str], None] = lambda decision: None,
        http: Callable[[], httpx.Client] = httpx.Client,
        deadline: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials, self.store, self._on_token, self._http = credentials, store, on_token, http
        self._verify, self._on_decision = verify, on_decision
        self._deadline, self._clock, self._sleep = deadline, clock, sleep
        self._announced = self._condemned = ""
        self._warned: set[str] = set()
        self._set_up()
        _sources.add(self)

    def _set_up(self, token: AccessToken | None = None) -> None:
        """Make what belongs to one process: its name, its randomness, its locks and its thread."""
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._protocol = RefreshProtocol(
            self._credentials,
            self._clock,
            settle=self.store.settle,
            owner=self._owner,
            chance=random.Random(),
            deadline=self._deadline,
        )
        self._protocol.token = token
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._thread = ThreadPoolExecutor(1, "candid-token")

    def token(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token.

        :param refused: a bearer that Candid has just answered with 401; the answer is another one.
        :raises CandidError: as :meth:`RefreshProtocol.obtain`.
        """
        token = self._ready(refused)
        while token is None or token.value == refused:
            token = self._fly(refused)
        return token

    async def atoken(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token without holding the event loop."""
        token = self._ready(refused)
        while token is None or token.value == refused:
            flight, leads = self._board()
            if leads:
                await self._lead_aside(flight, refused)
            # Shielded: who is cancelled while waiting cancels nobody else's refresh.
            waiting = asyncio.shield(asyncio.wrap_future(flight))
            try:
                token = _outcome(await asyncio.wait_for(waiting, self._deadline + GRACE))
            except TimeoutError:
                self._land(flight)
        return token

    async def _lead_aside(self, flight: Flight, refused: str | None) -> None:
        """Lead a refresh in the thread that is there for it."""
        try:
            # The context goes along: Airflow's triggerer finds the log file of a trigger in it.
            steps = self._protocol.obtain(refused)
            lead = self._thread.submit(contextvars.copy_context().run, self._lead, flight, steps)
        except BaseException:
            self._land(flight)
            flight.set_result(None)
            raise
        await asyncio.shield(asyncio.wrap_future(lead))

    def report(self, decision: str, reason: str) -> None:
        """Log and count a decision that was taken outside."""
        self._log(Note(decision, reason, self._protocol.token))

    def condemn(self, bearer: str) -> None:
        """Keep the fleet from minting for a while: a token that replaced a refused one was refused, too.

        :param bearer: that token; nothing happens if there is another one by now, or if this was said before.
        """
        flight, leads = self._board()
        if not leads:
            return  # a refresh is under way, and whoever waits for it will see
        known = self._protocol.token
        if known is None or known.value != bearer or self._condemned == bearer:
            self._land(flight)
            flight.set_result(None)
            return
        self._condemned = bearer
        self._lead(flight, self._protocol.condemn())

    async def acondemn(self, bearer: str) -> None:
        """Keep the fleet from minting for a while, without holding the event loop."""
        if self._condemned != bearer:
            run = contextvars.copy_context().run
            await asyncio.get_running_loop().run_in_executor(self._thread, run, self.condemn, bearer)

    def _ready(self, refused: str | None) -> AccessToken | None:
        """Answer from memory, without the lock: a token that is fresh and masked needs no decision."""
        token = self._protocol.ready(refused)
        return token if token and token.value == self._announced else None

    def _fly(self, refused: str | None) -> AccessToken | None:
        """Refresh, or share the outcome of the refresh that is under way; None if that one was interrupted."""
        flight, leads = self._board()
        if leads:
            self._lead(flight, self._protocol.obtain(refused))
        try:
            return _outcome(flight.result(self._deadline + GRACE))
        except TimeoutError:
            # Its leader was interrupted between taking off and reporting.
            self._land(flight)
            return None

    def _board(self) -> tuple[Flight, bool]:
        """Join the refresh that is under way, or begin one; and say whether it is this caller's to lead."""
        with self._lock:
            leads = self._flight is None
            self._flight = self._flight or Future()
            return self._flight, leads

    def _land(self, flight: Flight) -> None:
        """Let the next one begin."""
        with self._lock:
            self._flight = None if self._flight is flight else self._flight

    def _lead(self, flight: Flight, steps: Steps) -> None:
        outcome: AccessToken | CandidError | None = None
        try:
            token = self._run(steps)
            if token.value != self._announced:
                self._on_token(token.value)
                self._announced = token.value
            outcome = token
        except CandidError as error:
            outcome = error
        finally:
            # Also when this thread is interrupted and nobody knows the outcome: the others try themselves.
            self._land(flight)
            flight.set_result(outcome)

    def _run(self, steps: Steps) -> AccessToken:
        answer: object = None
        error: Exception | None = None
        while True:
            try:
                step = steps.throw(error) if error else steps.send(answer)
            except StopIteration as done:
                token: AccessToken = done.value
                return token
            answer, error = None, None
            try:
                answer = self._perform(step)
            except (StoreUnavailable, CandidError) as failure:
                error = failure

    def _perform(self, step: Step) -> str | AccessToken | None:
        match step:
            case Load(register):
                return guarded(lambda: self.store.load(register))
            case Save(register, value):
                guarded(lambda: self.store.save(register, value))
            case Sleep(seconds):
                self._sleep(seconds)
            case Mint(timeout):
                return _within(timeout, self._mint)
            case Note():
                self._log(step)
        return None

    def _mint(self, timeout: float) -> AccessToken:
        with quiet(), self._http() as http:
            if self._verify:
                self._verify.fetch_key(http, timeout)
            token = self._credentials.mint(http, timeout=timeout, minted_by=self._owner, now=self._clock.now)
        if self._verify:
            self._verify.check(token.value)
        return token

    def _log(self, note: Note) -> None:
        self._on_decision(note.decision)
        # Once an episode: until a token is found or minted again, the same trouble is no news.
        if note.decision in RECOVERED:
            self._warned.clear()
        news = note.decision in WARNINGS and note.decision not in self._warned
        self._warned |= {note.decision} & WARNINGS
        level = logging.WARNING if news else logging.INFO
        age = left = 0.0
        if note.token:
            now = self._clock.now()
            age, left = now - note.token.issued_at, note.token.expires_at - now
        log.log(
            level,
            "token decision=%s reason=%r age=%.0f left=%.0f hash=%s",
            note.decision,
            note.reason,
            age,
            left,
            note.token.hash if note.token else "-",
        )


def _outcome(outcome: AccessToken | CandidError | None) -> AccessToken | None:
    if isinstance(outcome, CandidError):
        # A copy each: one exception raised in several threads would gather all their tracebacks.
        raise copy.copy(outcome)
    return outcome


def _within(timeout: float, mint: Callable[[float], AccessToken]) -> AccessToken:
    """Run a mint for so many seconds in all: httpx counts its timeouts anew for each piece that arrives."""
    answer: Future[AccessToken] = Future()

    def run() -> None:
        try:
            answer.set_result(mint(timeout))
        except BaseException as error:
            answer.set_exception(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="candid-mint", daemon=True).start()
    try:
        return answer.result(timeout + 1)
    except TimeoutError:
        pass
    raise CandidUnavailableError("the token endpoint is too slow", route="POST /api/auth/v2/token")


_sources: weakref.WeakSet[TokenSource] = weakref.WeakSet()


def _set_up_again() -> None:
    # A forked child has the parent's locks, perhaps taken, and its random state, but none of its threads.
    for source in list(_sources):
        source._set_up(source._protocol.token)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_set_up_again)
