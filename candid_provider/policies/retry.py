"""Failing well: no try is spent on what another one cannot mend, and the next comes when it makes sense."""

from __future__ import annotations

import contextlib
import datetime
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.exceptions import CandidConfigError, CandidError, CandidUnavailableError
from candid_provider.policies.decision import is_final, text_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import RetryPolicy


def candid_retry_policy(
    *, retry_delay: datetime.timedelta | None = None, max_retry_delay: datetime.timedelta | None = None
) -> RetryPolicy:
    """Make the ``retry_policy`` of a task that calls Candid (Airflow 3.3 and later).

    Wrong credentials, a wrong connection, a 4xx and a write that may have been carried out fail the task at once. A
    429 is retried when the limit is over; 5xx, timeouts and broken connections with a random delay up to twice
    as long after each try. Other exceptions than this package's, and those raised from them, are left to
    the task's own arguments. A policy can fail a task earlier than ``retries`` says, and never later.

    :param retry_delay: the longest delay after the first try; by default the task's own ``retry_delay``.
    :param max_retry_delay: the longest delay; by default the task's own ``max_retry_delay``, or an hour.
    :raises CandidConfigError: this Airflow has no retry policies; says what holds instead.
    """
    if not policies_exist():
        raise CandidConfigError(
            "retry_policy: this Airflow has no retry policies; they need 3.3 and its common-compat provider. Leave"
            " it out: Candid's operators, sensors and transfers fail at once all the same if a retry cannot help, and"
            " so does a task of your own under 'with failing_for_good():'. Other failures are retried as retries and"
            " retry_delay say",
            field="retry_policy",
        )
    from candid_provider.policies.task_policy import CandidRetryPolicy

    return CandidRetryPolicy(retry_delay, max_retry_delay)


def policies_exist() -> bool:
    """Say whether this Airflow knows retry policies."""
    return hasattr(importlib.import_module("airflow.providers.common.compat.sdk"), "RetryPolicy")


@contextlib.contextmanager
def failing_for_good(*, retry_finds_out: bool = False) -> Iterator[None]:
    """Fail a task at once, whatever ``retries`` says, if another try cannot help; a decorator, too.

    Such errors come out as ``AirflowFailException``: wrong credentials, a wrong connection, a 4xx, and a write that
    may have been carried out. What a retry can mend comes out as it is.

    :param retry_finds_out: the next try looks up what became of such a write before it is sent again.
    """
    failure = None
    try:
        yield
    except CandidError as error:
        if retry_finds_out and isinstance(error, CandidUnavailableError):
            error.outcome_unknown = False
        if not is_final(error):
            raise
        failure = error
    if failure:
        raise AirflowFailException(text_of(failure)) from failure


DEFAULT_POLICY = candid_retry_policy() if policies_exist() else None
"""What operators have unless they are given another; it keeps nothing, so that all of them share it."""
