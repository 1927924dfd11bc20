"""The hold: the record by which one process keeps the others from minting."""

from __future__ import annotations

from typing import Literal

import msgspec

from candid_provider.oauth.token import CLOCK_SKEW, AccessToken
from candid_provider.oauth.unreadable import UNREADABLE

Reason = Literal["refreshing", "throttled", "refused"]

MINT_HOLD = 20.0
"""Seconds one process has for minting; what a killed one costs the others."""
REFUSED_HOLD = 60.0
CLOCK_BEHIND = 900.0
"""Seconds by which the clock of who is minting may be behind ours."""
THROTTLE_FIRST, THROTTLE_CAP, RETRY_AFTER_CAP = 60.0, 900.0, 3600.0
_LONGEST: dict[Reason, float] = {
    "refreshing": MINT_HOLD,
    "throttled": RETRY_AFTER_CAP,
    "refused": REFUSED_HOLD,
}


class Hold(msgspec.Struct, frozen=True):
    """Say who keeps the others from minting, why and until when. It holds no secret.

    :param owner: host and process id.
    :param nonce: tells this hold from every other one.
    :param reason: a token is being minted, the endpoint asked to slow down, or it refused the credentials.
    :param seconds: how long it was made for.
    :param until: UTC epoch seconds at which it lapses, by its owner's clock; holds are never deleted.
    :param throttles: how many 429 answers came in a row up to this hold.
    """

    owner: str
    nonce: str
    reason: Reason
    seconds: float
    until: float
    throttles: int = 0
    v: Literal[1] = 1

    @property
    def life(self) -> float:
        """For how many seconds it counts at the most, whatever it says."""
        return max(0.0, min(self.seconds, _LONGEST[self.reason]))

    def left(self, now: float) -> float:
        """Say for how many seconds it still counts by its own dates; 0 for implausible ones."""
        left = self.until - now
        return left if 0 < left <= 1.5 * self.life else 0.0

    def may_be_new(self, now: float) -> bool:
        """Say whether it may have been made just now, by a clock that is wrong, or right where ours is wrong.

        A pause is believed to be over rather than not: it may be a long one.
        """
        made = self.until - self.seconds
        behind = CLOCK_BEHIND if self.reason == "refreshing" else 0.0
        return now - behind < made <= now + CLOCK_SKEW

    def fulfilled_by(self, token: AccessToken) -> bool:
        """Say whether its owner has minted under it; the token is the release, no hold is ever deleted."""
        owned = self.reason == "refreshing" and token.minted_by == self.owner
        return owned and token.issued_at >= self.until - self.seconds

    def text(self) -> str:
        """Write the record for a store."""
        return msgspec.json.encode(self).decode()


class HoldWatch:
    """Remember since when the hold register looks as it does, so that others' clocks matter little.

    What changes while we watch is new, whatever the clock of the one who wrote it says: such a hold counts for
    its whole life from then on, and so does, for who can wait, one that may be new by another clock. Only what
    was there already is judged by its own dates.
    """

    def __init__(self) -> None:
        self._hold: Hold | None = None
        self._since: float | None = None
        self._news = self._looked = False

    def look_away(self) -> None:
        """Note that nobody watches for a while: what is there next may have been there for long."""
        self._looked = False

    def see(self, hold: Hold | None, monotonic: float) -> None:
        """Note what the register holds now."""
        if self._since is None or hold != self._hold:
            self._news = self._looked
            self._hold, self._since = hold, monotonic
        self._looked = True

    def left(self, hold: Hold, now: float, monotonic: float, *, trust: float) -> float:
        """Say for how many seconds a hold still counts.

        :param trust: seconds at the most to wait for a hold that is over, lest one be overlooked that is new by
            another clock.
        """
        watched = monotonic - self._since if self._since is not None and hold == self._hold else 0.0
        if self._news:
            return max(0.0, hold.life - watched)
        return max(hold.left(now), min(hold.life, trust) - watched if hold.may_be_new(now) else 0.0)


def read_hold(text: str | None) -> Hold | None:
    """Read a record from a store; None for anything that is not one."""
    try:
        return msgspec.json.decode((text or "").encode("utf-8", "replace"), type=Hold)
    except UNREADABLE:
        return None


def throttle_seconds(retry_after: float | None, throttles: int, chance: float) -> float:
    """Say for how long a 429 keeps everybody away from the token endpoint.

    :param retry_after: seconds the endpoint asked for; Candid documents none.
    :param throttles: number of 429 answers in a row, this one included.
    :param chance: 0 to 1, the jitter.
    """
    if retry_after is not None:
        return min(max(retry_after, 1.0), RETRY_AFTER_CAP)
    longest: float = min(THROTTLE_FIRST * 2.0 ** min(max(throttles - 1, 0), 10), THROTTLE_CAP)
    return longest * (0.5 + 0.5 * chance)
