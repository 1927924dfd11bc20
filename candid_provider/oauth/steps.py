"""What the refresh protocol can ask of whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from candid_provider.oauth.token import AccessToken


@dataclass(frozen=True, slots=True)
class Load:
    """Ask for a register's text or None; ``StoreUnavailable`` may be thrown in."""

    register: str


@dataclass(frozen=True, slots=True)
class Save:
    """Ask for a register to be written; ``StoreUnavailable`` may be thrown in."""

    register: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Ask for a pause, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Mint:
    """Ask for a new token within so many seconds; a ``CandidError`` may be thrown in."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Note:
    """Report a decision: what, why, about which token."""

    decision: str
    reason: str
    token: AccessToken | None = None


Step = Load | Save | Sleep | Mint | Note
Steps = Generator[Step, Any, AccessToken]
Work = Generator[Step, Any, None]


@dataclass(frozen=True, slots=True)
class Clock:
    """Tell the time: UTC epoch seconds for what is shared, monotonic seconds for durations here."""

    now: Callable[[], float]
    monotonic: Callable[[], float]
