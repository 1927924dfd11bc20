"""The refresh protocol: when to load, wait, mint and save, decided without doing any of it.

A generator yields what it wants done and is sent the outcome, so the same lines run under the driver in
``source.py`` and under a simulator that kills, delays and reorders. One instance serves one process, and
its driver runs one generator at a time.

Who may mint is settled by :class:`~candid_provider.oauth.claim.Claim`.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator
from typing import Any

from candid_provider.exceptions import (
    CandidAuthError,
    CandidError,
    CandidRateLimitError,
    CandidUnavailableError,
)
from candid_provider.oauth.alone import Alone
from candid_provider.oauth.claim import FORGETFUL, Claim
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.hold import MINT_HOLD, REFUSED_HOLD, Hold, Reason, throttle_seconds
from candid_provider.oauth.steps import Clock, Load, Mint, Note, Save, Sleep, Step, Steps, Work
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.oauth.token import AccessToken, Window

QUICK_FAILURE = 3.0
"""Seconds within which a failure of the store is its answer, and not an outage that may be over a moment later."""
PATIENCE = 8.0
"""Seconds that a renewal may take while the old token would still do."""
FIRST_PAUSE, LONGEST_PAUSE = 0.4, 1.2
"""Seconds between two looks at the store while another process mints, the first time and in the end."""
LEAST_PAUSE = 30.0
"""Seconds that everybody keeps away at the least after a 429 that does not say how long, while a token lives."""
SCATTER = 0.3
"""Seconds over which processes without a token spread their tries to mint, so that few try at a time."""


class RefreshProtocol:
    """Decide, for one process and one set of credentials, how it comes by a token.

    :param credentials: name the registers and seal what is stored.
    :param clock: the time.
    :param settle: seconds within which the store acknowledges a save as a rule; 0 if nobody shares it.
    :param owner: host and process id, for the hold and the log.
    :param chance: draws jitter; give a seeded one to replay a run.
    :param deadline: seconds that waits, mints and retries of one call share.
    :param envelope: the credentials' envelope, if there is one already; its key takes a moment to derive.
    """

    def __init__(
        self,
        credentials: ClientCredentials,
        clock: Clock,
        *,
        settle: float,
        owner: str,
        chance: random.Random,
        deadline: float = 60.0,
        envelope: Envelope | None = None,
    ) -> None:
        self._token: AccessToken | None = None
        self._stored: AccessToken | None = None
        self._register = credentials.token_register
        self._envelope = envelope or Envelope(credentials)
        self._clock, self._chance, self._deadline = clock, chance, deadline
        self._token_ends = float("-inf")
        self._scatter = SCATTER if settle else 0.0
        self._earliness = chance.random()
        self._no_renewal_before = float("-inf")
        self._claim = Claim(credentials.hold_register, clock, settle, owner, chance)
        self._alone = Alone()

    @property
    def token(self) -> AccessToken | None:
        """The best token this process knows of, whatever window it is in."""
        return self._token

    @token.setter
    def token(self, token: AccessToken | None) -> None:
        self._token = token
        if token:
            # From here on by the clock that nobody sets back.
            self._token_ends = self._clock.monotonic() + token.expires_at - self._clock.now()

    def ready(self, refused: str | None = None) -> AccessToken | None:
        """Answer from memory alone, when no decision is due.

        :param refused: a bearer that Candid answered with 401.
        """
        window = self._window(refused)
        postponed = self._clock.monotonic() < self._no_renewal_before
        return self.token if window is Window.FRESH or (postponed and window is not Window.EXPIRED) else None

    def obtain(self, refused: str | None = None) -> Steps:
        """Come by a token: from memory, from the store, or from the endpoint on everybody's behalf.

        :param refused: a bearer that Candid answered with 401; any other token will do.
        :raises CandidAuthError: the credentials are refused, here or by another process a moment ago.
        :raises CandidRateLimitError: the endpoint's pause outlasts the deadline.
        :raises CandidUnavailableError: the deadline ran out; the message names the phase.
        """
        if self.ready(refused) is None:
            ends = self._clock.monotonic() + self._deadline
            self._claim.begin()
            if refused and self.token and self.token.value == refused:
                yield Note("fence", "refused by Candid", self.token)
            try:
                yield from self._obtain(refused, ends)
            except CandidError as error:
                if self._window(refused) is Window.EXPIRED:
                    raise
                yield Note("back_off", f"{type(error).__name__}; the old token goes on", self.token)
                self._postpone_renewal()
        assert self.token is not None
        return self.token

    def condemn(self) -> Steps:
        """Keep the fleet from minting for a while: Candid refuses the token although it was minted just now."""
        yield from self._leave_hold(self._claim.draw(), "refused", REFUSED_HOLD)
        assert self.token is not None
        return self.token

    def _obtain(self, refused: str | None, ends: float) -> Work:
        if self._window(refused) is Window.ADVISORY:
            self._postpone_renewal()  # before the store is asked: should it hang, only this call waits
        while True:
            started = self._clock.monotonic()
            try:
                yield from self._share(refused, ends)
                return
            except StoreUnavailable as error:
                reason, now = str(error), self._clock.monotonic()
            # An outage ends for all at once: who finds the store again need not mint alone, if time allows.
            if now - started < QUICK_FAILURE or now > ends - 2 * PATIENCE or self._claim.lost:
                break
            yield Sleep(QUICK_FAILURE * self._chance.random())
        yield Note("fail_open", reason, self.token)
        yield from self._mint_alone(refused, ends)

    def _share(self, refused: str | None, ends: float) -> Work:
        """Come by a token through the store."""
        window = yield from self._look(refused, "load")
        if window is Window.ADVISORY:
            yield from self._renew_early(ends)
        elif window is not Window.FRESH:
            alive = window is not Window.EXPIRED
            yield from self._renew_or_wait(refused, min(ends, self._clock.monotonic() + PATIENCE) if alive else ends)

    def _renew_early(self, ends: float) -> Work:
        """Renew in the advisory window unless somebody else is at it: one try, no waiting for anybody."""
        self._postpone_renewal()
        started = self._clock.monotonic()
        hold = yield from self._claim.look()
        if hold and self._claim.left(hold, self._stored, trust=0.0):
            return
        if mine := (yield from self._claim.make(hold, started)):
            yield from self._renew(mine, None, min(ends, started + PATIENCE), tries=1)

    def _renew_or_wait(self, refused: str | None, ends: float) -> Work:
        """Get a new token, by one's own mint or by somebody else's, or run out of time."""
        noted, scatter, pause = "", self._scatter, FIRST_PAUSE
        while (started := self._clock.monotonic()) < ends:
            hold = yield from self._claim.look()
            if hold and (left := self._left(hold, refused)):
                if hold.nonce != noted:
                    yield Note("wait", f"{hold.reason} by {hold.owner}", self.token)
                    noted, pause = hold.nonce, FIRST_PAUSE
                yield from self._wait_for(hold, left, refused, ends, pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)
            elif wait := self._alone.paused(self._clock.monotonic()):
                raise _throttled("Candid's token endpoint asked to slow down", wait)
            elif scatter:
                yield Sleep(scatter * self._chance.random())
                scatter = 0.0
                continue
            elif mine := (yield from self._claim.make(hold, started)):
                yield from self._renew(mine, refused, ends)
            if (yield from self._look(refused, "adopt")) in (Window.FRESH, Window.ADVISORY):
                return
        raise _out_of_time("waiting for another process to mint")

    def _left(self, hold: Hold, refused: str | None) -> float:
        """Say for how many seconds a hold counts; who still has an old token waits less for one that may be dead."""
        alive = self._window(refused) is not Window.EXPIRED
        return self._claim.left(hold, self._stored, trust=PATIENCE / 2 if alive else MINT_HOLD)

    def _wait_for(self, hold: Hold, left: float, refused: str | None, ends: float, pause: float) -> Work:
        if hold.reason == "refused":
            ago = max(0.0, hold.seconds - left)
            raise CandidAuthError(
                f"Candid refused these credentials, or a token minted with them, {ago:.0f} s ago: check"
                " the connection's login (Client ID), password (Client Secret) and environment"
            )
        pause *= 0.75 + 0.5 * self._chance.random()
        if hold.reason == "refreshing":
            yield Sleep(min(pause, left))
        elif self._clock.monotonic() + left > ends or self._window(refused) is not Window.EXPIRED:
            raise _throttled("Candid's token endpoint asked to slow down", left)
        else:
            yield Sleep(left + 2 * pause)

    def _renew(self, hold: Hold, refused: str | None, ends: float, tries: int | None = None) -> Work:
        """Mint under a hold of one's own and save, unless somebody has just done so."""
        if not (yield from self._enter(hold, refused)):
            return
        try:
            yield from self._mint(refused, min(ends, self._clock.monotonic() + self._claim.rest()), tries)
        except CandidRateLimitError as error:
            throttles = hold.throttles + 1
            pause = throttle_seconds(error.retry_after, throttles, self._chance.random())
            if error.retry_after is None and self._window(refused) is not Window.EXPIRED:
                # A guess must not outlive the old token.
                pause = min(pause, max(LEAST_PAUSE, (self._token_ends - self._clock.monotonic()) / 2))
            yield from self._leave_hold(hold, "throttled", pause, throttles)
        except CandidAuthError:
            yield from self._leave_hold(hold, "refused", REFUSED_HOLD)
            raise
        else:
            yield from self._save()

    def _enter(self, hold: Hold, refused: str | None) -> Generator[Step, Any, bool]:
        """Make sure, at this moment, that the hold stands and that nobody has just saved a token."""
        # Looked for between two sights of the hold, a token is not missing because of an outage.
        if not (yield from self._claim.stands(hold)):
            return False
        while True:
            started = self._clock.monotonic()
            if (yield from self._look(refused, "adopt")) is Window.FRESH:
                return False
            if not (yield from self._claim.stands(hold)):
                return False
            if not self._claim.late(started):
                return True

    def _mint(self, refused: str | None, ends: float, tries: int | None = None) -> Work:
        """Mint, and mint again after network faults and 5xx while there is time."""
        attempt = 0
        while (left := ends - self._clock.monotonic()) > 0:
            expired = self._window(refused) is Window.EXPIRED
            yield Note("mint", "no usable token" if expired else "renewal", self.token)
            try:
                minted = yield Mint(left)
            except CandidUnavailableError as error:
                attempt += 1
                pause = min(2.0**attempt, 16.0) * (0.25 + 0.25 * self._chance.random())
                if attempt == tries or self._clock.monotonic() + pause >= ends:
                    raise
                yield Note("back_off", str(error), self.token)
            else:
                yield Note("minted", "by this process", minted)
                if minted.value == refused or minted.expires_at <= self._clock.now():
                    raise CandidAuthError(
                        "the token endpoint gave out a token that is over, or that Candid has just refused:"
                        " check that the credentials belong to the connection's environment"
                    )
                self.token = minted
                return
            yield Sleep(pause)
        raise _out_of_time("minting")

    def _save(self) -> Work:
        """Save at once, because the hold keeps others away for a while only; if that fails the token is good."""
        assert self.token is not None
        try:
            yield Save(self._register, self._envelope.seal(self.token))
            # Such as a secrets backend that has a Variable of this name, too.
            if self._envelope.open((yield Load(self._register)), self._clock.now()):
                return
            reason = FORGETFUL
        except StoreUnavailable as error:
            reason = str(error)
        yield Note("fail_open", f"not shared: {reason}", self.token)

    def _leave_hold(self, mine: Hold, reason: Reason, seconds: float, throttles: int = 0) -> Work:
        """Keep the fleet away for some seconds; this process alone if the fleet cannot be told."""
        yield Note("back_off", f"{reason} for {seconds:.0f} s", self.token)
        if reason == "throttled":
            self._alone.pause(self._clock.monotonic() + seconds, throttles)
        with contextlib.suppress(StoreUnavailable):
            yield from self._claim.turn(mine, reason, seconds, throttles)

    def _mint_alone(self, refused: str | None, ends: float) -> Work:
        """Work without the store, on a token of this process's own, under a cap."""
        if self._window(refused) in (Window.FRESH, Window.ADVISORY):
            return
        if wait := self._alone.wait(self._clock.monotonic()):
            raise _throttled("the store cannot share a token and this process may not mint more alone", wait)
        self._alone.count(self._clock.monotonic())
        try:
            # A store that hung for a minute has used the time up; the task is to work all the same.
            yield from self._mint(refused, max(ends, self._clock.monotonic() + PATIENCE), tries=1)
        except CandidRateLimitError as error:
            throttles = self._alone.throttles + 1
            pause = throttle_seconds(error.retry_after, throttles, self._chance.random())
            self._alone.pause(self._clock.monotonic() + pause, throttles)
            raise

    def _look(self, refused: str | None, decision: str) -> Generator[Step, Any, Window]:
        """Load the shared token, keep the better of it and the one in memory, and say how good that is."""
        stored = self._envelope.open((yield Load(self._register)), self._clock.now())
        self._stored = stored or self._stored
        if stored and stored.value != refused and (self.token is None or stored.value != self.token.value):
            known = self._window(refused) is not Window.EXPIRED and self.token
            if not known or stored.expires_at > known.expires_at:
                self.token = stored
                yield Note(decision, "from the store", stored)
        return self._window(refused)

    def _window(self, refused: str | None) -> Window:
        if self._token is None or self._token.value == refused:
            return Window.EXPIRED
        left = self._token_ends - self._clock.monotonic()
        now = max(self._clock.now(), self._token.expires_at - left)
        return self._token.window(now, self._earliness)

    def _postpone_renewal(self) -> None:
        assert self.token is not None
        pause = (self.token.expires_at - self.token.issued_at) / 600 * (0.5 + self._chance.random())
        self._no_renewal_before = self._clock.monotonic() + pause


def _out_of_time(phase: str) -> CandidUnavailableError:
    return CandidUnavailableError(
        f"no token within the deadline; time ran out while {phase}", route="POST /api/auth/v2/token"
    )


def _throttled(why: str, wait: float) -> CandidRateLimitError:
    return CandidRateLimitError(
        f"{why}; the next token can be asked for in {wait:.0f} s",
        retry_after=wait,
        route="POST /api/auth/v2/token",
    )
