"""The policy as Airflow 3.3 asks it; earlier ones have none, so that nothing imports this there."""

from __future__ import annotations

import datetime
import random
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, RetryDecision, RetryPolicy

from candid_provider.policies.decision import Backoff, carried, decide

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class CandidRetryPolicy(RetryPolicy):
    """Decide by the error whether a task is tried again, and when.

    :param retry_delay: where backoff begins; None: at the task's own ``retry_delay``.
    :param max_retry_delay: the longest delay; None: the task's own ``max_retry_delay``, or an hour.
    """

    def __init__(self, retry_delay: datetime.timedelta | None, max_retry_delay: datetime.timedelta | None) -> None:
        self.retry_delay, self.max_retry_delay = retry_delay, max_retry_delay

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide; what is no error of this package is left to the task's own arguments."""
        error = carried(exception)
        if error is None:
            return RetryDecision.default()
        decision = decide(error, try_number, self._backoff(context), random.random())
        if decision is None:
            return RetryDecision.default()
        if decision.delay is None or isinstance(exception, AirflowFailException):
            return RetryDecision.fail(decision.reason)
        return RetryDecision.retry(datetime.timedelta(seconds=decision.delay), decision.reason)

    def _backoff(self, context: Context | None) -> Backoff:
        task: Any = (context or {}).get("task")
        first = self.retry_delay or getattr(task, "retry_delay", None)
        longest = self.max_retry_delay or getattr(task, "max_retry_delay", None)
        return Backoff(_seconds(first, 300.0), _seconds(longest, 3600.0))


def _seconds(delay: object, otherwise: float) -> float:
    return delay.total_seconds() if isinstance(delay, datetime.timedelta) else otherwise
