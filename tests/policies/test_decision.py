"""Which errors another try can mend, and when."""

from __future__ import annotations

import pytest

from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidConflictError,
    CandidError,
    CandidJobFailedError,
    CandidNotFoundError,
    CandidRateLimitError,
    CandidRequestError,
    CandidStoppedError,
    CandidUnavailableError,
)
from candid_provider.policies.decision import Backoff, carried, decide, is_final

BACKOFF = Backoff(first=300.0, longest=3600.0)
MENDED_BY_NOBODY = [
    CandidConfigError("host is missing"),
    CandidAuthError("refused"),
    CandidRequestError("bad", status_code=400),
    CandidRequestError("unprocessable", status_code=422),
    CandidNotFoundError("not found", status_code=404),
    CandidConflictError("taken", status_code=409),
    CandidUnavailableError("not implemented", status_code=501, retryable=False),
    CandidUnavailableError("lost", outcome_unknown=True),
    CandidUnavailableError("lost", outcome_unknown=True, status_code=503, retry_after=2.0),
    CandidJobFailedError("ended badly"),
    CandidError("anything else"),
]
OUTAGES = [
    CandidUnavailableError("no answer"),
    CandidUnavailableError("unavailable", status_code=503),
    CandidUnavailableError("cannot be read", status_code=200),
]


def delay(error: CandidError, try_number: int = 1, chance: float = 1.0, backoff: Backoff = BACKOFF) -> float:
    decision = decide(error, try_number, backoff, chance)
    assert decision is not None
    assert decision.delay is not None
    return decision.delay


@pytest.mark.parametrize("error", MENDED_BY_NOBODY, ids=repr)
def test_what_another_try_cannot_mend_fails_at_once(error: CandidError) -> None:
    decision = decide(error, 1, BACKOFF, 0.5)
    assert decision is not None
    assert decision.delay is None
    assert is_final(error)


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_an_outage_is_waited_out_up_to_twice_as_long_each_time(error: CandidError) -> None:
    assert not is_final(error)
    assert [delay(error, number) for number in (1, 2, 3, 4, 5, 6)] == [300, 600, 1200, 2400, 3600, 3600]
    assert [delay(error, 2, chance) for chance in (0.0, 0.25, 0.5)] == [0, 150, 300]


@pytest.mark.parametrize("number", [0, 70, 10**9])
def test_no_number_of_tries_is_too_large(number: int) -> None:
    assert 0 < delay(OUTAGES[0], number) <= 3600


def test_a_limit_is_waited_for_and_little_longer() -> None:
    limited = CandidRateLimitError("slow down", retry_after=2.0)
    assert not is_final(limited)
    assert [delay(limited, number, chance) for number, chance in ((1, 0.0), (1, 1.0), (9, 1.0))] == [2, 7, 7]
    assert delay(CandidRateLimitError("slow down", retry_after=600.0)) == 660


@pytest.mark.parametrize("asked", [None, 0.0, -5.0])
def test_a_limit_that_does_not_say_for_how_long_is_an_outage(asked: float | None) -> None:
    assert delay(CandidRateLimitError("slow down", retry_after=asked), 2) == 600


@pytest.mark.parametrize("asked", [1e6, float("inf")])
def test_no_limit_is_waited_for_longer_than_the_longest_delay(asked: float) -> None:
    assert delay(CandidRateLimitError("slow down", retry_after=asked), chance=0.0) == 3600


def test_an_outage_that_says_how_long_is_waited_out_for_longer() -> None:
    error = CandidUnavailableError("unavailable", status_code=503, retry_after=30.0)
    assert [delay(error, 1, chance) for chance in (0.0, 1.0)] == [30, 330]


def test_a_task_that_was_stopped_goes_on_as_its_arguments_say() -> None:
    stopped = CandidStoppedError("stopped")
    assert decide(stopped, 1, BACKOFF, 0.5) is None
    assert not is_final(stopped)


@pytest.mark.parametrize("chance", [0.0, 0.9])
def test_a_reason_holds_names_and_seconds_only(chance: float) -> None:
    errors = [
        CandidRequestError("Jane Doe", status_code=422, error_name="EncounterPatientControlNumberUniquenessError"),
        CandidRateLimitError("Jane Doe", retry_after=2.0),
        CandidUnavailableError("Jane Doe", status_code=503),
        CandidUnavailableError("Jane Doe", outcome_unknown=True),
        CandidAuthError("Jane Doe"),
    ]
    reasons = [decision.reason for error in errors if (decision := decide(error, 1, BACKOFF, chance))]
    assert len(reasons) == len(errors)
    assert "CandidRateLimitError HTTP 429: next try in" in reasons[1]
    assert "2 s of it as Candid asked" in reasons[1]
    assert not any("Jane" in reason for reason in reasons)


def test_an_error_is_found_in_what_was_raised_from_it() -> None:
    error = CandidAuthError("refused")
    outer, outermost = RuntimeError("mine"), ValueError("mine, too")
    outer.__cause__, outermost.__cause__ = error, outer
    assert carried(error) is carried(outer) is carried(outermost) is error
    assert carried(RuntimeError("another")) is None


def test_a_circle_of_causes_ends() -> None:
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first
    assert carried(first) is None
