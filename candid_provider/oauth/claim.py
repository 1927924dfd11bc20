"""The claim: how one process, of many that share a register, becomes the only one to mint.

Fischer's way (L. Lamport, A Fast Mutual Exclusion Algorithm, 1987): find the register free, write your hold,
wait longer than a rival's write can take, and enter if the hold is still yours. A process whose own write took
longer than that wait does not enter: a rival may be inside whose hold it has just overwritten. So nobody writes
late who can help it, and who has entered mints and saves at once.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

from candid_provider.oauth.hold import MINT_HOLD, Hold, HoldWatch, Reason, read_hold
from candid_provider.oauth.steps import Clock, Load, Note, Save, Sleep, Step, Work
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.oauth.token import AccessToken

ABORT_PAUSE = 6.0
"""Seconds after which a hold that came too late to be safe may be relied on if it still stands."""
LEAST_REST = 10.0
"""Seconds that must be left of a hold to begin to mint under it."""
LOST_HOLDS = 3
"""How many holds in a row may vanish before the store counts as unable to share."""
SLOW_TRIES = 3
"""How many tries in a row a slow store may spoil; then the risk of a second mint is the smaller evil."""
FORGETFUL = "the store does not give back what was written"
THROTTLE_MEMORY = 1800.0
"""Seconds after a pause within which the next 429 counts as one in a row."""


class Claim:
    """Claim, confirm and give up the right to mint, through the hold register.

    :param register: name of the hold register.
    :param clock: the time.
    :param settle: seconds within which the store acknowledges a save as a rule; 0 if nobody shares it.
    :param owner: host and process id.
    :param chance: draws nonces.
    """

    def __init__(self, register: str, clock: Clock, settle: float, owner: str, chance: random.Random) -> None:
        self._register, self._clock, self._settle = register, clock, settle
        self._owner, self._chance = owner, chance
        self._watch = HoldWatch()
        self._seen: Hold | None = None
        self._before: Hold | None = None
        self._begun = self._pause_ends = float("-inf")
        self._mine = ""
        self._lost = self._slow = 0

    @property
    def lost(self) -> bool:
        """Whether the store takes holds but does not give them back."""
        return self._lost >= LOST_HOLDS

    def begin(self) -> None:
        """Note that time has passed since the last look."""
        self._watch.look_away()
        self._slow = 0

    def look(self) -> Generator[Step, Any, Hold | None]:
        """Read the register; what was there and is not any more is hidden by an outage, for nobody deletes it."""
        text = yield Load(self._register)
        self._seen = read_hold(text) if text is not None else self._seen
        self._watch.see(self._seen, self._clock.monotonic())
        return self._seen

    def left(self, hold: Hold, stored: AccessToken | None, *, trust: float) -> float:
        """Say for how many seconds a hold still keeps this process from minting.

        :param stored: the token last seen in the store, which may be what its owner minted under it.
        :param trust: see :meth:`HoldWatch.left`.
        """
        if hold.nonce == self._mine and hold.reason == "refreshing":
            return max(0.0, self._pause_ends - self._clock.monotonic())
        if stored and hold.fulfilled_by(stored):
            return 0.0
        return self._watch.left(hold, self._clock.now(), self._clock.monotonic(), trust=trust)

    def make(self, before: Hold | None, started: float) -> Generator[Step, Any, Hold | None]:
        """Put a hold of one's own into the register, having found it free; None if it may not be relied on yet.

        :param before: what the register held.
        :param started: when the read that found so began, monotonic seconds.
        """
        if before and before.nonce == self._mine and self._leaves_time():
            return before  # it stands, and whoever it has overwritten had time to end
        if self.late(started):
            self._slow += 1
            return None
        self._before, self._begun = before, self._clock.monotonic()
        recent = before and self._clock.now() - before.until < THROTTLE_MEMORY
        mine = self.draw(before.throttles if before and recent else 0)
        self._mine = mine.nonce
        yield Save(self._register, mine.text())
        if self.late(started):
            self._slow += 1
            # A rival may be minting whose hold this one has just overwritten: it gets time to end.
            self._pause_ends = self._clock.monotonic() + ABORT_PAUSE
            yield Note("wait", "the store was too slow to take the hold safely")
            return None
        yield Sleep(self._settle)
        return mine

    def stands(self, mine: Hold) -> Generator[Step, Any, bool]:
        """Say whether a hold is still in the register and leaves time to mint.

        :raises StoreUnavailable: the store takes holds but does not give them back.
        """
        seen = yield from self.look()
        if seen == mine:
            self._lost = 0
            if self._leaves_time():
                return True
            self._slow += 1
        elif seen is None or seen == self._before:
            self._lost += 1
            yield Note("wait", FORGETFUL)
            if self.lost:
                raise StoreUnavailable(FORGETFUL)
        return False

    def late(self, started: float) -> bool:
        """Say whether what began at a time, monotonic seconds, took too long to be relied on."""
        slow = bool(self._settle) and self._clock.monotonic() - started > self._settle
        return slow and self._slow < SLOW_TRIES

    def rest(self) -> float:
        """Say for how many more seconds the hold of one's own allows to mint."""
        return self._begun + MINT_HOLD - self._clock.monotonic()

    def draw(self, throttles: int = 0) -> Hold:
        """Make up a hold that no other one equals."""
        nonce = f"{self._chance.getrandbits(64):016x}"
        return Hold(self._owner, nonce, "refreshing", MINT_HOLD, self._clock.now() + MINT_HOLD, throttles)

    def turn(self, mine: Hold, reason: Reason, seconds: float, throttles: int = 0) -> Work:
        """Let the hold keep everybody away for another reason."""
        hold = Hold(self._owner, mine.nonce, reason, seconds, self._clock.now() + seconds, throttles)
        yield Save(self._register, hold.text())

    def _leaves_time(self) -> bool:
        return self.rest() > (LEAST_REST if self._slow < SLOW_TRIES else 0.0)
