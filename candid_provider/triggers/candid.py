"""Waiting for an answer of Candid's without a worker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from candid_provider.api.call import Call
from candid_provider.api.outcome import Conditions, Outcome
from candid_provider.api.routes import route_of
from candid_provider.api.waiting import Ending, Pace, await_, event_of, waiting
from candid_provider.exceptions import CandidError
from candid_provider.triggers.sharing import Question, session
from candid_provider.triggers.storable import check_storable


class CandidPollTrigger(BaseTrigger):
    """Ask a question of Candid again and again until it is answered, refused for good, or time is up.

    It sends GETs only. Its arguments are stored in clear in Airflow's database, so it takes no parameter that may
    name a patient. The event says how it ended, with the counts of the statuses that the conditions name, and holds
    nothing else of the answer; the task asks again for that.

    All triggers of a triggerer share one client, one token and one rate limit for each connection. Where Candid lists
    changes (encounters by their events, tasks), several waits look at one list and ask only for what it names,
    and every tenth time for themselves.

    :param candid_conn_id: id of a connection of type ``candid``.
    :param path: path relative to the connection's environment, such as ``/api/tasks/v3/{task_id}``.
    :param path_params: values of the path's placeholders.
    :param query: query parameters.
    :param conditions: what an answer means: a :class:`~candid_provider.api.outcome.Conditions`, or its arguments
        as a dict. By default any good answer is what is waited for.
    :param poll_interval: seconds before it asks for the second time; jittered by a tenth.
    :param growth: factor from one pause to the next.
    :param longest_interval: most seconds between two questions; ten times ``poll_interval`` by default.
    :param timeout: seconds after which to give up; None: never.
    :param deadline: the same as seconds since 1970, which a restarted triggerer is given.
    """

    def __init__(
        self,
        *,
        candid_conn_id: str,
        path: str,
        path_params: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        conditions: Conditions | Mapping[str, Any] | None = None,
        poll_interval: float = 60.0,
        growth: float = 1.5,
        longest_interval: float | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no annotations
        self.candid_conn_id = candid_conn_id
        self.path, self.path_params, self.query = path, dict(path_params or {}), dict(query or {})
        self.conditions = conditions or {}
        self.poll_interval, self.growth = poll_interval, growth
        self.longest_interval = 10 * poll_interval if longest_interval is None else longest_interval
        if deadline is None and timeout is not None:
            deadline = time.time() + timeout
        self.deadline = deadline

    def __repr__(self) -> str:
        # Airflow's prints every argument.
        return f"<{type(self).__name__} {self.candid_conn_id} GET {route_of(self.path)}>"

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what another process makes the same trigger of; of the time, what is left.

        Here it is checked, on the worker that defers: a triggerer would die of an error in a constructor.

        :raises CandidConfigError: query, path or conditions are wrong or may name a patient; says what to do.
        """
        check_storable(self.path, self.query)
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "candid_conn_id": self.candid_conn_id,
            "path": self.path,
            "path_params": self.path_params,
            "query": self.query,
            "conditions": self._conditions().plain(),
            "poll_interval": self.poll_interval,
            "growth": self.growth,
            "longest_interval": self.longest_interval,
            "deadline": self.deadline,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and give one event."""
        try:
            ending = await self._wait()
        except CandidError as error:
            ending = Ending(Outcome.FAILED, 0, error)
        yield TriggerEvent(event_of(ending, f"GET {route_of(self.path)}"))  # type: ignore[no-untyped-call]  # as above

    def _conditions(self) -> Conditions:
        return self.conditions if isinstance(self.conditions, Conditions) else Conditions(**self.conditions)

    async def _wait(self) -> Ending:
        conditions = self._conditions()
        call = Call(
            method="GET",
            path=self.path,
            path_params=self.path_params,
            params=self.query,
            final=conditions.signs,
            patience=self.poll_interval,
        )
        pace = Pace(interval=self.poll_interval, growth=self.growth, longest=self.longest_interval)
        async with session(self.candid_conn_id) as shared:
            question = Question(shared, call, conditions, max_age=self.poll_interval / 2, deadline=self.deadline)
            with question.counted():
                steps = waiting(call.route, conditions, pace, deadline=self.deadline)
                return await await_(steps, question.ask)
