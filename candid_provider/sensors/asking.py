"""What all sensors do: ask one question, judge its answer, wait on a worker or without one."""

from __future__ import annotations

import contextlib
import logging
import time
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from candid_provider.api.outcome import Conditions, Outcome
from candid_provider.exceptions import CandidError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.call import Call
    from candid_provider.api.outcome import Sign, Verdict
    from candid_provider.api.waiting import Ending
    from candid_provider.hooks.candid import CandidHook

log = logging.getLogger("candid_provider.sensors")

FASTEST = 0.1
"""Least seconds between two questions of a trigger."""


class Asking(Connected, BaseSensorOperator):
    """Ask a question until the statuses in its answer end the wait.

    An outage of Candid ends no wait; wrong credentials and other errors that time does not mend fail at once, without
    a retry. A success and what needs a person end the task well; its result says which of the two.

    :param succeeded: statuses that end the wait well.
    :param needs_person: statuses that end it because somebody has to look; branch on the result's ``outcome``.
    :param failed: statuses, error names and HTTP statuses that fail the task, or skip it with ``soft_fail``.
    :param not_yet: statuses, error names and HTTP statuses that are waited through. What no condition names is
        waited through as well, and logged once.
    :param match: of several statuses, whether ``all`` have to succeed or ``any``.
    :param deferrable: wait in the triggerer, where all waits on a connection share one client.
    :param candid_conn_id: id of a connection of type ``candid``.
    :param poke_interval: seconds between two questions; in the triggerer jittered by a tenth.
    :param exponential_backoff: let these seconds double each time, up to ``max_wait``.
    :param timeout: seconds to wait, seven days by default; deferrable, counted anew in each try.
    :returns: ``{"outcome": "succeeded" | "needs_person", "statuses", "route"}``: counts of the statuses that the
        conditions name, and nothing else of an answer.
    :raises AirflowFailException: the wait ended badly, or an argument or the credentials are wrong.
    :raises AirflowSensorTimeout: time is up.
    """

    def __init__(
        self,
        *,
        succeeded: Collection[str] = (),
        needs_person: Collection[str] = (),
        failed: Collection[Sign] = (),
        not_yet: Collection[Sign] = (),
        match: Literal["all", "any"] = "all",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.succeeded, self.needs_person = succeeded, needs_person
        self.failed, self.not_yet = failed, not_yet
        self.match = match
        self.deferrable = deferrable
        self.candid_conn_id = candid_conn_id

    @abstractmethod
    def question(self) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
        """Give the GET to ask: path, path parameters and query."""

    @abstractmethod
    def status_path(self) -> str:
        """Say where the statuses stand in its answer."""

    def conditions(self) -> Conditions:
        """Say what an answer means.

        :raises CandidConfigError: the statuses are wrong; names which.
        """
        return Conditions(
            status_path=self.status_path(),
            succeeded=self.succeeded,
            needs_person=self.needs_person,
            failed=self.failed,
            not_yet=self.not_yet,
            match=self.match,
        )

    def result(self, ending: Ending, route: str) -> dict[str, Any]:
        """Say what the task returns."""
        return ending.summary(route)

    @cached_property
    def hook(self) -> CandidHook:
        """The hook this task asks with; it asks again anyway, so it does not try for long."""
        from candid_provider.api.waiting import PATIENCE
        from candid_provider.hooks.candid import CandidHook

        return CandidHook(self.candid_conn_id, retry_deadline=PATIENCE)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Ask once."""
        from candid_provider.api.waiting import Ending, state_of, successful
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(), self.hook:
            call, conditions = self._call(), self.conditions()
            verdict = conditions.verdict(self._reply(call))
            if verdict.outcome is Outcome.PENDING:
                log.info("%s: not yet (%s)", call.route, state_of(verdict))
                self._tell(conditions, call.route, verdict)
                return False
            ending = successful(Ending(verdict.outcome, 1, verdict.error, verdict.statuses), call.route)
            return self._answered(ending, call.route) or False

    def execute(self, context: Context) -> Any:
        """Ask, and wait here or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        with self._softly():
            answer = self.poke(context)
            if isinstance(answer, PokeReturnValue):
                return answer.xcom_value
            return self._defer(time.time() + self.timeout)

    def execute_complete(self, context: Context, event: Any, deadline: float = 0.0) -> Any:
        """Go on after the triggerer has waited; anything but a success fails.

        :param deadline: when to stop waiting, in seconds since 1970.
        """
        from candid_provider.api.waiting import ending_of, not_there, successful
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(), self.hook:
            ending, route = ending_of(event), str(event.get("route"))
            if ending.outcome is Outcome.TIMEOUT:
                raise AirflowSensorTimeout(str(not_there(ending, route)))
            if answer := self._answered(successful(ending, route), route):
                return answer.xcom_value
            if time.time() < deadline:
                return self._defer(deadline)
            raise AirflowSensorTimeout(f"{route}: there, but Candid could not be asked for the rest in time")

    def _call(self) -> Call:
        from candid_provider.api.call import Call

        path, path_params, query = self.question()
        return Call(
            method="GET",
            path=path,
            path_params=path_params,
            params=query,
            final=self.conditions().signs,
            patience=self.poke_interval,
        )

    def _reply(self, call: Call) -> Any:
        try:
            return self.hook.send(call)
        except CandidError as error:
            return error

    def _answered(self, ending: Ending, route: str) -> PokeReturnValue | None:
        """Give what the task returns; None while an outage keeps it from asking for that."""
        try:
            return PokeReturnValue(True, self.result(ending, route))
        except CandidError as error:
            if not error.retryable:
                raise
            log.info("%s: there, but not yet the rest (%s)", route, type(error).__name__)
        return None

    def _tell(self, conditions: Conditions, route: str, verdict: Verdict) -> None:
        from candid_provider.api.waiting import tell

        told: set[str] = self.__dict__.setdefault("_told", set())
        tell(route, conditions, verdict.unknown - told)
        told |= verdict.unknown

    def _defer(self, deadline: float) -> None:
        from candid_provider.hooks.candid import failing_for_good
        from candid_provider.triggers.candid import CandidPollTrigger

        with failing_for_good():
            path, path_params, query = self.question()
            trigger = CandidPollTrigger(
                candid_conn_id=self.candid_conn_id,
                path=path,
                path_params=path_params,
                query=query,
                conditions=self.conditions(),
                poll_interval=max(self.poke_interval, FASTEST),
                growth=2.0 if self.exponential_backoff else 1.0,
                longest_interval=self.max_wait.total_seconds() if self.max_wait else self.timeout,
                deadline=deadline,
            )
            trigger.serialize()
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"deadline": deadline})

    @contextlib.contextmanager
    def _softly(self) -> Iterator[None]:
        """Skip where Airflow's own ``execute`` does."""
        try:
            yield
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"skipped, as soft_fail or never_fail says: {error}") from error
            raise
