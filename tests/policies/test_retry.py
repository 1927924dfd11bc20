"""The policy as Airflow asks it, and what holds without one."""

from __future__ import annotations

import pickle
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    BaseOperator,
    RetryAction,
    RetryDecision,
    RetryPolicy,
)

from candid_provider.exceptions import CandidAuthError, CandidError, CandidRateLimitError, CandidUnavailableError
from candid_provider.operators.candid import CandidOperator
from candid_provider.operators.eligibility import CandidEligibilityBatchOperator
from candid_provider.policies.retry import DEFAULT_POLICY, candid_retry_policy, failing_for_good
from candid_provider.sensors.candid import CandidSensor
from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator

HOUR = timedelta(hours=1)
LOST = "may have been carried out"


def decision(
    exception: BaseException, try_number: int = 1, policy: RetryPolicy | None = None, **task: Any
) -> RetryDecision:
    context: Any = {"task": SimpleNamespace(**{"retry_delay": timedelta(minutes=5), **task})}
    return (policy or candid_retry_policy()).evaluate(exception, try_number, 3, context)


def raised_from(cause: BaseException, outer: BaseException) -> BaseException:
    outer.__cause__ = cause
    return outer


def test_wrong_credentials_fail() -> None:
    assert decision(CandidAuthError("refused")).action is RetryAction.FAIL


def test_a_429_is_retried_when_it_is_over() -> None:
    made = decision(CandidRateLimitError("slow down", retry_after=2.0))
    assert made.action is RetryAction.RETRY
    assert made.retry_delay is not None
    assert timedelta(seconds=2) <= made.retry_delay <= timedelta(seconds=7)


@pytest.mark.parametrize(
    ("task", "longest"),
    [({}, 600.0), ({"retry_delay": timedelta(seconds=10)}, 20.0), ({"max_retry_delay": timedelta(seconds=9)}, 9.0)],
)
def test_backoff_begins_at_the_tasks_own_delay(task: dict[str, Any], longest: float) -> None:
    delays = {decision(CandidUnavailableError("down"), 2, **task).retry_delay for _ in range(50)}
    seconds = [delay.total_seconds() for delay in delays if delay]
    assert len(seconds) == len(delays) == 50
    assert 0 <= min(seconds) < longest / 2 < max(seconds) <= longest


def test_a_policy_can_be_given_delays_of_its_own() -> None:
    policy = candid_retry_policy(retry_delay=timedelta(seconds=1), max_retry_delay=timedelta(seconds=3))
    delays = [decision(CandidUnavailableError("down"), 9, policy).retry_delay for _ in range(50)]
    assert max(delay for delay in delays if delay) <= timedelta(seconds=3)


def test_without_a_context_it_decides_as_well() -> None:
    made = candid_retry_policy().evaluate(CandidUnavailableError("down"), 1, 3)
    assert made.retry_delay is not None
    assert made.retry_delay <= timedelta(seconds=300)


@pytest.mark.parametrize("outer", [RuntimeError("mine"), AirflowFailException("for good")])
def test_what_was_raised_from_an_error_is_judged_by_it(outer: BaseException) -> None:
    assert decision(raised_from(CandidAuthError("refused"), outer)).action is RetryAction.FAIL


def test_a_task_that_fails_for_good_is_not_brought_back() -> None:
    outage = CandidUnavailableError("down")
    assert decision(raised_from(outage, RuntimeError("mine"))).action is RetryAction.RETRY
    assert decision(raised_from(outage, AirflowFailException("for good"))).action is RetryAction.FAIL


@pytest.mark.parametrize(
    "other", [ValueError("mine"), KeyError("x"), AirflowFailException("for good"), KeyboardInterrupt()]
)
def test_other_exceptions_are_airflows(other: BaseException) -> None:
    assert decision(other) == RetryDecision.default()


def test_it_survives_what_airflow_does_to_tasks() -> None:
    policy = pickle.loads(pickle.dumps(candid_retry_policy(retry_delay=HOUR)))
    assert decision(CandidAuthError("refused"), policy=policy).action is RetryAction.FAIL


OPERATORS: list[tuple[type[BaseOperator], dict[str, Any]]] = [
    (CandidOperator, {"path": "/api/payers/v4"}),
    (CandidSensor, {"path": "/api/payers/v4"}),
    (CandidEligibilityBatchOperator, {"path": "/tmp/in", "output_path": "/tmp/out"}),
    (CandidToObjectStorageOperator, {"resource": "payers", "path": "/tmp/out"}),
    (ObjectStorageToCandidOperator, {"resource": "payers", "path": "/tmp/in", "results_path": "/tmp/out"}),
    (CandidExportToObjectStorageOperator, {"path": "/tmp/out", "first_day": "2026-01-01", "last_day": "2026-01-01"}),
]


@pytest.mark.parametrize(("kind", "arguments"), OPERATORS)
def test_every_operator_has_the_policy(kind: type[BaseOperator], arguments: dict[str, Any]) -> None:
    assert kind(task_id="own", **arguments).retry_policy is DEFAULT_POLICY is not None


@pytest.mark.parametrize(("kind", "arguments"), OPERATORS)
@pytest.mark.parametrize("given", [candid_retry_policy(), None])
def test_the_authors_policy_wins(
    kind: type[BaseOperator], arguments: dict[str, Any], given: RetryPolicy | None
) -> None:
    with DAG("of_the_author", start_date=pendulum.datetime(2026, 1, 1), default_args={"retry_policy": given}):
        assert kind(task_id="by_default_args", **arguments).retry_policy is given
        assert kind(task_id="of_its_own", retry_policy=None, **arguments).retry_policy is None
    assert kind(task_id="given", retry_policy=given, **arguments).retry_policy is given


def test_a_mapped_task_has_it_too() -> None:
    def policy_of(**arguments: Any) -> object:
        mapped: Any = CandidOperator.partial(task_id="mapped", **arguments).expand(path=["/api/payers/v4"])
        return mapped.retry_policy, mapped.unmap({"path": "/api/payers/v4"}).retry_policy

    with DAG("mapped", start_date=pendulum.datetime(2026, 1, 1)):
        assert policy_of() == (DEFAULT_POLICY, DEFAULT_POLICY)
    with DAG("mapped_without", start_date=pendulum.datetime(2026, 1, 1), default_args={"retry_policy": None}):
        assert policy_of() == (None, None)


@pytest.mark.parametrize("error", [CandidAuthError("refused"), CandidUnavailableError("lost", outcome_unknown=True)])
def test_what_a_retry_cannot_mend_fails_for_good(error: CandidError) -> None:
    with pytest.raises(AirflowFailException, match=f"^{error}") as failure, failing_for_good():
        raise error
    assert failure.value.__cause__ is error
    assert (LOST in str(failure.value)) == hasattr(error, "outcome_unknown")


@pytest.mark.parametrize(
    "error", [CandidUnavailableError("down"), CandidRateLimitError("slow down"), KeyError("mine")]
)
def test_what_it_can_mend_comes_out_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as failure, failing_for_good():
        raise error
    assert failure.value is error


def test_a_write_whose_fate_the_next_try_finds_out_is_worth_one() -> None:
    with pytest.raises(CandidUnavailableError) as failure, failing_for_good(retry_finds_out=True):
        raise CandidUnavailableError("lost", outcome_unknown=True)
    assert decision(failure.value).action is RetryAction.RETRY


def test_it_decorates_functions() -> None:
    @failing_for_good()
    def call(name: str) -> str:
        if name:
            return name
        raise CandidAuthError("refused")

    assert call("answer") == "answer"
    for _ in range(2):
        with pytest.raises(AirflowFailException):
            call("")
