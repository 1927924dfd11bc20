"""Waiting for something at Candid: what an answer means to who waits, when to ask again, and when to give up.

The wait is a generator that does no I/O, so that operators, sensors and triggers wait alike, and tests without a
clock: it yields None to have the question asked and seconds to have them slept through.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from candid_provider.api.outcome import Conditions, Outcome, Verdict
from candid_provider.exceptions import CandidError, CandidJobFailedError

log = logging.getLogger("candid_provider.api")

PATIENCE = 30.0
"""Seconds within which the question of a wait is sent again at once, at most; it is asked again anyway."""

QUIET = 600.0
"""Seconds for which an answer that says the same again is logged at DEBUG only."""

Steps = Generator["float | None", object, "Ending"]


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


class News:
    """Say whether a line is worth the log: what is new, and from time to time what is not.

    :param clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._state, self._said = clock, "", -float("inf")

    def level(self, state: str) -> int:
        """Give the level at which to log a state; thousands of waits that all tell each answer would fill a disk."""
        now = self._clock()
        if state == self._state and now - self._said < QUIET:
            return logging.DEBUG
        self._state, self._said = state, now
        return logging.INFO


@dataclass(frozen=True, slots=True)
class Ending:
    """Say how a wait ended: after how many questions, with which statuses, and with which error, if with one."""

    outcome: Outcome
    asked: int
    error: CandidError | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)

    def summary(self, route: str) -> dict[str, Any]:
        """Give what a task may return: names and counts."""
        return {"outcome": str(self.outcome), "statuses": dict(self.statuses), "route": route}


def waiting(
    route: str,
    conditions: Conditions,
    pace: Pace,
    *,
    deadline: float | None = None,
    clock: Callable[[], float] = time.time,
    chance: Callable[[], float] = random.random,
) -> Steps:
    """Wait until an answer means that it is there, or never will be, or that somebody has to look, or time is up.

    After the deadline it is asked once more: who waits may have slept for long, as a stopped triggerer does.

    :param route: what is asked for, for the log.
    :param deadline: when to give up, in seconds since 1970; None: never.
    """
    told, news = set[str](), News(clock)
    for asked in itertools.count(1):
        begun = clock()
        verdict = conditions.verdict((yield None))
        tell(route, conditions, verdict.unknown - told)
        told |= verdict.unknown
        if verdict.outcome is not Outcome.PENDING:
            return Ending(verdict.outcome, asked, verdict.error, verdict.statuses)
        left = float("inf") if deadline is None else deadline - begun
        if left <= 0:
            return Ending(Outcome.TIMEOUT, asked, verdict.error, verdict.statuses)
        pause = max(pace.pause(asked, chance()), getattr(verdict.error, "retry_after", None) or 0.0)
        pause = min(pause, left)
        state = state_of(verdict)
        log.log(
            news.level(state), "%s: not yet (%s) after asking %d times; next in %.0f s", route, state, asked, pause
        )
        yield pause
    raise AssertionError("count does not end")


def wait(steps: Steps, ask: Callable[[], object], sleep: Callable[[float], None] = time.sleep) -> Ending:
    """Go through a wait's steps.

    :param ask: sends the question and gives its parsed answer; raises a ``CandidError`` in its place.
    """
    reply: object = None
    while True:
        try:
            pause = steps.send(reply)
        except StopIteration as end:
            return _ending(end)
        reply = None
        if pause is not None:
            sleep(pause)
            continue
        try:
            reply = ask()
        except CandidError as problem:
            reply = problem.with_traceback(None)  # whose frames would hold the answer until the next


async def await_(
    steps: Steps,
    ask: Callable[[], Awaitable[object]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Ending:
    """Go through a wait's steps without holding the event loop; else as :func:`wait`."""
    reply: object = None
    while True:
        try:
            pause = steps.send(reply)
        except StopIteration as end:
            return _ending(end)
        reply = None
        if pause is not None:
            await sleep(pause)
            continue
        try:
            reply = await ask()
        except CandidError as problem:
            reply = problem.with_traceback(None)  # whose frames would hold the answer until the next


def event_of(ending: Ending, route: str) -> dict[str, Any]:
    """Write an ending as a trigger's event: names and counts, nothing else of an answer."""
    return {
        "status": str(ending.outcome),
        "route": route,
        "asked": ending.asked,
        "statuses": dict(ending.statuses),
        "error": name_of(ending.error) if ending.error else None,
        "message": str(ending.error) if ending.error else None,
    }


def ending_of(event: object) -> Ending:
    """Read a trigger's event again; the error comes as the message that it had.

    :raises CandidJobFailedError: the event is missing or not one of ours.
    """
    known = (Outcome.SUCCEEDED, Outcome.NEEDS_PERSON, Outcome.FAILED, Outcome.TIMEOUT)
    if not isinstance(event, dict) or event.get("status") not in known:
        raise CandidJobFailedError("the wait ended without an event that says how. See the triggerer's log")
    error = CandidJobFailedError(event["message"]) if event.get("message") else None
    return Ending(Outcome(event["status"]), event.get("asked") or 0, error, event.get("statuses") or {})


def require_success(event: object) -> Ending:
    """Go on only after an event that says so.

    :raises CandidJobFailedError: it failed, took too long, or the event is missing or not one of ours.
    """
    return successful(ending_of(event), str(event.get("route")) if isinstance(event, dict) else "")


def successful(ending: Ending, route: str) -> Ending:
    """Give an ending that is a success, or for a person to decide.

    :raises CandidJobFailedError: it is neither.
    """
    if ending.outcome in (Outcome.SUCCEEDED, Outcome.NEEDS_PERSON):
        return ending
    raise not_there(ending, route)


def not_there(ending: Ending, route: str) -> CandidJobFailedError:
    """Say that a wait was in vain."""
    last = str(ending.error) if ending.error else f"{_counts(ending.statuses)}"
    if ending.outcome is Outcome.TIMEOUT:
        return CandidJobFailedError(
            f"{route}: not there in time; raise timeout if it may still come. The last answer: {last}"
        )
    return CandidJobFailedError(str(ending.error) if ending.error else f"{route}: ended badly: {last}")


def name_of(error: CandidError) -> str:
    """Name an error: as Candid does, else by its class."""
    return getattr(error, "error_name", None) or type(error).__name__


def state_of(verdict: Verdict) -> str:
    """Say in a word what an answer was."""
    return name_of(verdict.error) if verdict.error else _counts(verdict.statuses)


def _counts(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in statuses.items()) or "nothing"


def tell(route: str, conditions: Conditions, unknown: frozenset[str] | set[str]) -> None:
    """Log statuses that no condition names; what is not called a status might be a patient's."""
    named = conditions.status_path.rpartition(".")[2].endswith("status")
    for status in sorted(unknown):
        shown = status if named and re.fullmatch(r"[A-Za-z][A-Za-z_-]{0,49}", status) else "not shown"
        log.info("%s: a status that no condition names (%s): waiting on", route, shown)


def _ending(end: StopIteration) -> Ending:
    ending = end.value
    assert isinstance(ending, Ending)
    return ending
