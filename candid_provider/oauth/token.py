"""An access token as a value: hidden from every printout, with the windows of its life."""

from __future__ import annotations

import enum
import hashlib
import time
from dataclasses import dataclass, field
from typing import NoReturn

ADVISORY_SHARE, ADVISORY_CAP = 0.2, 3600.0
MANDATORY_SHARE, MANDATORY_CAP = 0.05, 300.0
CLOCK_SKEW = 10_800.0
"""Seconds by which another host's clock may be ahead of ours before its dates are taken for garbage."""


class Window(enum.Enum):
    """Which part of its life a token is in, and so what may be done with it."""

    FRESH = "fresh"
    ADVISORY = "advisory"
    """Good to use; one process should renew it while the others go on with it."""
    MANDATORY = "mandatory"
    """Everybody needs the next one."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Carry a bearer token without showing it.

    :param value: the bearer.
    :param issued_at: start of the request that minted it, UTC epoch seconds.
    :param expires_at: end of its life, UTC epoch seconds.
    :param minted_by: host and process id of the minting process.
    """

    value: str = field(repr=False)
    issued_at: float
    expires_at: float
    minted_by: str = ""

    @property
    def hash(self) -> str:
        """Eight hex digits that name the token in logs."""
        return hashlib.sha256(self.value.encode()).hexdigest()[:8]

    @property
    def expired(self) -> bool:
        """Whether its life is over by this host's clock."""
        return time.time() >= self.expires_at

    def window(self, now: float, earliness: float) -> Window:
        """Say which window the token is in.

        Five hours of life (Candid: POST /api/auth/v2/token) give an advisory window that opens 30 to 60
        minutes before the end and a mandatory one of 5 minutes; shorter lives scale both down.

        :param now: UTC epoch seconds.
        :param earliness: 0 to 1, drawn once per process, so that processes do not renew in step.
        """
        life, left = self.expires_at - self.issued_at, self.expires_at - now
        if left <= 0:
            return Window.EXPIRED
        if left <= min(MANDATORY_CAP, MANDATORY_SHARE * life):
            return Window.MANDATORY
        if left <= (0.5 + 0.5 * earliness) * min(ADVISORY_CAP, ADVISORY_SHARE * life):
            return Window.ADVISORY
        return Window.FRESH

    def __reduce__(self) -> NoReturn:
        raise TypeError("an access token is not pickled: pass the connection id and ask for the token there")
