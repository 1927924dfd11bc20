"""Waiting for something at Candid: what an answer means to who waits, when to ask again, and when to give up.

The wait is a generator that does no I/O, so that operators, sensors and triggers wait alike, and tests without a
clock: it yields None to have the question asked and seconds to have them slept through.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

from candid_provider.exceptions import CandidError, CandidJobFailedError, signs_of

log = logging.getLogger("candid_provider.api")

Sign = str | int
Steps = Generator["float | None", "CandidError | None", "Ending"]


class Outcome(enum.StrEnum):
    """Say how a wait ended, or that it has not."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Say what an answer means; an error by its name at Candid (``ExportNotYetAvailableError``) or HTTP status.

    What is listed nowhere is pending if a retry can help (429, 5xx, no answer), so that an outage of Candid ends no
    wait, and failed if not.

    :param not_yet: errors that mean that it is not there yet.
    :param failed: errors that mean that it will never be there; they go before ``not_yet``.
    """

    not_yet: tuple[Sign, ...] = ()
    failed: tuple[Sign, ...] = ()

    @property
    def signs(self) -> frozenset[Sign]:
        """All errors that say something: a call raises them at once (``Call.final``)."""
        return frozenset((*self.not_yet, *self.failed))

    def outcome(self, error: CandidError | None) -> Outcome:
        """Judge an answer by the error it was, None for a good one."""
        if error is None:
            return Outcome.SUCCEEDED
        signs = signs_of(error)
        if not signs.isdisjoint(self.failed):
            return Outcome.FAILED
        return Outcome.PENDING if error.retryable or not signs.isdisjoint(self.not_yet) else Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Say how long to wait before asking again: longer each time, never twice alike.

    :param interval: seconds after the first question.
    :param growth: factor from one pause to the next.
    :param longest: most seconds of a pause, before jitter.
    :param jitter: share by which a pause is longer or shorter, so that many waits do not ask in step.
    """

    interval: float = 60.0
    growth: float = 1.5
    longest: float = 600.0
    jitter: float = 0.1

    def pause(self, asked: int, chance: float) -> float:
        """Give the seconds after the question of a number, from 1; `chance` is from 0 to 1."""
        steps = min(asked - 1, 100)  # a growth to the power of thousands overflows
        steady = min(self.interval * self.growth**steps, max(self.longest, self.interval))
        return steady * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class Ending:
    """Say how a wait ended: after how many questions, and with which error if it did not end well."""

    outcome: Outcome
    asked: int
    error: CandidError | None = None


def waiting(
    route: str,
    conditions: Conditions,
    pace: Pace,
    *,
    deadline: float | None = None,
    clock: Callable[[], float] = time.time,
    chance: Callable[[], float] = random.random,
) -> Steps:
    """Wait until an answer means that it is there, or never will be, or time is up.

    After the deadline it is asked once more: who waits may have slept for long, as a stopped triggerer does.

    :param route: what is asked for, for the log.
    :param deadline: when to give up, in seconds since 1970; None: never.
    """
    for asked in itertools.count(1):
        begun = clock()
        error = yield None
        outcome = conditions.outcome(error)
        if error is None or outcome is not Outcome.PENDING:
            return Ending(outcome, asked, error)
        left = float("inf") if deadline is None else deadline - begun
        if left <= 0:
            return Ending(Outcome.TIMEOUT, asked, error)
        pause = max(pace.pause(asked, chance()), getattr(error, "retry_after", None) or 0.0)
        pause = min(pause, left)
        log.info("%s: not yet (%s) after asking %d times; next in %.0f s", route, name_of(error), asked, pause)
        yield pause
    raise AssertionError("count does not end")


def wait(steps: Steps, ask: Callable[[], object], sleep: Callable[[float], None] = time.sleep) -> Ending:
    """Go through a wait's steps.

    :param ask: sends the question; raises a ``CandidError`` for what the conditions judge.
    """
    error: CandidError | None = None
    while True:
        try:
            pause = steps.send(error)
        except StopIteration as end:
            return _ending(end)
        error = None
        if pause is not None:
            sleep(pause)
            continue
        try:
            ask()
        except CandidError as problem:
            error = problem


async def await_(
    steps: Steps,
    ask: Callable[[], Awaitable[object]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Ending:
    """Go through a wait's steps without holding the event loop; else as :func:`wait`."""
    error: CandidError | None = None
    while True:
        try:
            pause = steps.send(error)
        except StopIteration as end:
            return _ending(end)
        error = None
        if pause is not None:
            await sleep(pause)
            continue
        try:
            await ask()
        except CandidError as problem:
            error = problem


def event_of(ending: Ending, route: str) -> dict[str, Any]:
    """Write an ending as a trigger's event: names and counts, nothing of an answer."""
    return {
        "status": str(ending.outcome),
        "route": route,
        "asked": ending.asked,
        "error": name_of(ending.error) if ending.error else None,
        "message": str(ending.error) if ending.error else None,
    }


def require_success(event: object) -> None:
    """Go on only after an event that says so.

    :raises CandidJobFailedError: it failed, took too long, or the event is missing or not one of ours.
    """
    status = event.get("status") if isinstance(event, dict) else None
    if status == Outcome.SUCCEEDED:
        return
    if not isinstance(event, dict) or status not in (Outcome.FAILED, Outcome.TIMEOUT):
        raise CandidJobFailedError("the wait ended without an event that says how. See the triggerer's log")
    raise not_there(Outcome(status), str(event.get("route")), event.get("message"))


def not_there(outcome: Outcome, route: str, message: str | None) -> CandidJobFailedError:
    """Say that a wait was in vain."""
    if outcome is Outcome.TIMEOUT:
        return CandidJobFailedError(
            f"{route}: not there in time; raise timeout if it may still come. The last answer: {message}"
        )
    return CandidJobFailedError(message or f"{route}: failed")


def name_of(error: CandidError) -> str:
    """Name an error: as Candid does, else by its class."""
    return getattr(error, "error_name", None) or type(error).__name__


def _ending(end: StopIteration) -> Ending:
    ending = end.value
    assert isinstance(ending, Ending)
    return ending
