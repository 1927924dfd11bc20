"""Waits: what an answer means, when to ask again, when to give up; on a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.outcome import Conditions, Outcome
from candid_provider.api.waiting import (
    Ending,
    Pace,
    await_,
    event_of,
    require_success,
    wait,
    waiting,
)
from candid_provider.exceptions import (
    CandidError,
    CandidJobFailedError,
    CandidRateLimitError,
    CandidRequestError,
    CandidUnavailableError,
)

LATER = CandidRequestError("later", status_code=422, error_name="NotYet")
NEVER = CandidUnavailableError("never", status_code=503, error_name="Gone")
CONDITIONS = Conditions(not_yet=("NotYet", 404), failed=("Gone",))
ROUTE = "GET /api/exports/v3"


class Clock:
    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


def answering(*answers: CandidError | None) -> Callable[[], None]:
    """Give the answers one after the other, the last one for ever."""
    left = list(answers)

    def ask() -> None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer:
            raise answer

    return ask


def waited(
    *answers: CandidError | None, pace: Pace | None = None, deadline: float | None = None
) -> tuple[Ending, list[float]]:
    """Wait in both ways, which have to be alike."""
    clock, other = Clock(), Clock()
    pace = pace or Pace(interval=10, growth=2, longest=60, jitter=0)
    ask = answering(*answers)

    async def aask() -> None:
        ask()

    aend = asyncio.run(await_(waiting(ROUTE, CONDITIONS, pace, deadline=deadline, clock=other), aask, other.asleep))
    ask = answering(*answers)
    end = wait(waiting(ROUTE, CONDITIONS, pace, deadline=deadline, clock=clock), ask, clock.sleep)
    assert (end, clock.slept) == (aend, other.slept)
    return end, clock.slept


def test_what_is_there_is_not_waited_for() -> None:
    assert waited(None) == (Ending(Outcome.SUCCEEDED, 1), [])


def test_pauses_grow_to_the_longest() -> None:
    end, pauses = waited(*[LATER] * 6, None)
    assert (end.outcome, end.asked, pauses) == (Outcome.SUCCEEDED, 7, [10, 20, 40, 60, 60, 60])


def test_a_refusal_ends_the_wait() -> None:
    assert waited(LATER, NEVER) == (Ending(Outcome.FAILED, 2, NEVER), [10])


def test_an_outage_ends_no_wait_and_its_retry_after_is_kept() -> None:
    busy = CandidRateLimitError("x", retry_after=33.0)
    assert waited(CandidUnavailableError("x"), busy, None) == (Ending(Outcome.SUCCEEDED, 3), [10, 33])


def test_it_is_asked_once_more_at_the_deadline() -> None:
    assert waited(LATER, deadline=25) == (Ending(Outcome.TIMEOUT, 3, LATER), [10, 15])
    assert waited(LATER, LATER, None, deadline=25) == (Ending(Outcome.SUCCEEDED, 3), [10, 15])


def test_after_the_deadline_it_is_asked_once() -> None:
    assert waited(LATER, deadline=-5) == (Ending(Outcome.TIMEOUT, 1, LATER), [])
    assert waited(None, deadline=-5) == (Ending(Outcome.SUCCEEDED, 1), [])


@given(asked=st.integers(1, 10**6), chance=st.floats(0, 1), interval=st.floats(0.1, 1e4), longest=st.floats(0, 1e4))
def test_a_pause_stays_in_its_bounds(asked: int, chance: float, interval: float, longest: float) -> None:
    pause = Pace(interval=interval, longest=longest).pause(asked, chance)
    assert 0.89 * interval <= pause <= 1.11 * max(interval, longest)


def test_an_event_holds_names_and_counts() -> None:
    assert event_of(Ending(Outcome.FAILED, 2, NEVER), ROUTE) == {
        "status": "failed",
        "route": ROUTE,
        "asked": 2,
        "statuses": {},
        "error": "Gone",
        "message": "never",
    }


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (None, "without an event"),
        ("succeeded", "without an event"),
        ({}, "without an event"),
        ({"status": "pending"}, "without an event"),
        ({"status": "SUCCEEDED"}, "without an event"),
        (event_of(Ending(Outcome.FAILED, 2, NEVER), ROUTE), "never"),
        (event_of(Ending(Outcome.TIMEOUT, 2, LATER), ROUTE), "raise timeout .* The last answer: later"),
    ],
)
def test_anything_but_a_success_fails(event: object, says: str) -> None:
    with pytest.raises(CandidJobFailedError, match=says):
        require_success(event)


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.NEEDS_PERSON])
def test_a_success_and_what_needs_a_person_go_on(outcome: Outcome) -> None:
    ending = Ending(outcome, 3, statuses={"paid": 2})
    event = event_of(ending, ROUTE)
    assert require_success(event) == ending
    assert ending.summary(ROUTE) == {"outcome": outcome, "statuses": {"paid": 2}, "route": ROUTE}


def test_a_status_that_no_condition_names_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    conditions = Conditions(status_path="claims.*.status", succeeded=["paid"])
    answers = iter([["odd"], ["odd", "new"], ["odd", "paid"], ["paid"]])
    clock = Clock()
    with caplog.at_level("DEBUG"):
        end = wait(
            waiting(ROUTE, conditions, Pace(), clock=clock),
            lambda: {"claims": [{"status": each} for each in next(answers)]},
            clock.sleep,
        )
    assert (end.outcome, end.asked, end.statuses) == (Outcome.SUCCEEDED, 4, {"paid": 1})
    told = [line for line in caplog.messages if "no condition names" in line]
    assert [("(odd)" in line, "(new)" in line) for line in told] == [(True, False), (False, True)]
    assert "not yet (1 other, 1 paid) after asking 3 times" in caplog.text


def test_what_stays_the_same_is_logged_from_time_to_time(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with caplog.at_level("INFO"):
        wait(
            waiting(ROUTE, CONDITIONS, Pace(interval=60, growth=1, jitter=0), deadline=1500, clock=clock),
            answering(*[LATER] * 12, CandidUnavailableError("x"), LATER),
            clock.sleep,
        )
    told = [(line.partition("(")[2].partition(")")[0], line.split()[-6]) for line in caplog.messages]
    once = [("NotYet", "1"), ("NotYet", "11"), ("CandidUnavailableError", "13"), ("NotYet", "14"), ("NotYet", "24")]
    assert told == once


@pytest.mark.parametrize(
    ("path", "value"), [("patient.last_name", "Doe"), ("status", "Doe, Jane"), ("status", "M123456")]
)
def test_what_may_be_of_a_patient_is_not_logged(path: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    answer: object = value
    for name in reversed(path.split(".")):
        answer = {name: answer}
    conditions = Conditions(status_path=path, succeeded=["done"])
    with caplog.at_level("DEBUG"):
        end = wait(waiting(ROUTE, conditions, Pace(), deadline=0.0, clock=Clock()), lambda: answer)
    assert (end.outcome, end.statuses) == (Outcome.TIMEOUT, {"other": 1})
    assert "(not shown)" in caplog.text
    assert value not in caplog.text + str(event_of(end, ROUTE))


def test_a_wait_keeps_no_frames_of_an_error_it_goes_on_after() -> None:
    """Their locals hold the answer; thousands of waits would hold thousands."""
    end, _ = waited(CandidUnavailableError("x"), deadline=5)
    assert end.error is not None
    assert end.error.__traceback__ is None
