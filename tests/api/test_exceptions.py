"""The error tree: as it is drawn, and each error survives a pickle with all it says."""

from __future__ import annotations

import inspect
import pickle

import pytest

from candid_provider import exceptions
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

TREE = {
    CandidError: Exception,
    CandidConfigError: CandidError,
    CandidAuthError: CandidError,
    CandidRequestError: CandidError,
    CandidNotFoundError: CandidRequestError,
    CandidConflictError: CandidRequestError,
    CandidRateLimitError: CandidRequestError,
    CandidUnavailableError: CandidError,
    CandidStoppedError: CandidError,
    CandidJobFailedError: CandidError,
}
ALL = [
    CandidError("what"),
    CandidConfigError("host: what", field="host"),
    CandidAuthError("what"),
    CandidRequestError(
        "what", status_code=422, error_name="Odd", error_instance_id="1-2", route="GET /x", fields=("a", "b")
    ),
    CandidNotFoundError("what", status_code=404, error_name="EntityNotFoundError"),
    CandidConflictError("what", status_code=409, route="POST /x"),
    CandidRateLimitError("what", retry_after=1.5, route="GET /x", error_name="Odd", error_instance_id="1-2"),
    CandidUnavailableError(
        "what",
        outcome_unknown=True,
        route="GET /x",
        status_code=503,
        error_name="Odd",
        retry_after=2.0,
        retryable=False,
    ),
    CandidStoppedError("what"),
    CandidJobFailedError("what"),
]


def test_the_tree_is_as_drawn() -> None:
    assert {kind: kind.__bases__[0] for kind in TREE} == TREE


def test_there_are_no_others() -> None:
    kinds = {kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, Exception)}
    assert kinds == set(TREE) == {type(error) for error in ALL}


def test_each_is_in_the_drawing() -> None:
    assert all(kind.__name__ in (exceptions.__doc__ or "") for kind in TREE)


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_each_survives_pickling_with_all_it_says(error: CandidError, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert (str(again), repr(again), again.args) == (str(error), repr(error), error.args)
    assert (vars(again), again.retryable) == (vars(error), error.retryable)


def test_a_config_error_is_a_value_error() -> None:
    assert isinstance(CandidConfigError("what"), ValueError)


def test_a_retry_helps_with_rate_limits_outages_and_stops_only() -> None:
    helped = {type(error) for error in ALL if type(error)("what").retryable}
    assert helped == {CandidRateLimitError, CandidUnavailableError, CandidStoppedError}


def test_a_rate_limit_is_always_429() -> None:
    assert CandidRateLimitError("what").status_code == 429
