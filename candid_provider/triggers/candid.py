"""Waiting for an answer of Candid's without a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from candid_provider.api.call import Call
from candid_provider.api.routes import route_of
from candid_provider.api.waiting import Conditions, Ending, Outcome, Pace, Sign, await_, event_of, waiting
from candid_provider.exceptions import CandidError


class CandidPollTrigger(BaseTrigger):
    """Ask a question of Candid again and again until it is answered, refused for good, or time is up.

    It sends GETs only. Its arguments are stored in clear in Airflow's database: give it ids and dates, nothing of
    a patient. The event says how it ended and holds nothing of the answer; the task asks again for that.

    :param candid_conn_id: id of a connection of type ``candid``.
    :param path: path relative to the connection's environment, such as ``/api/exports/v3``.
    :param path_params: values of the path's placeholders.
    :param query: query parameters.
    :param not_yet: errors that mean "not yet": names at Candid, or HTTP statuses. So do 429, 5xx and no answer,
        unless they are in ``failed``.
    :param failed: errors that mean "never"; so does every other 4xx.
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
        not_yet: Sequence[Sign] = (),
        failed: Sequence[Sign] = (),
        poll_interval: float = 60.0,
        growth: float = 1.5,
        longest_interval: float | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no annotations
        self.candid_conn_id = candid_conn_id
        self.path, self.path_params, self.query = path, dict(path_params or {}), dict(query or {})
        self.not_yet, self.failed = tuple(not_yet), tuple(failed)
        self.poll_interval, self.growth = poll_interval, growth
        self.longest_interval = 10 * poll_interval if longest_interval is None else longest_interval
        if deadline is None and timeout is not None:
            deadline = time.time() + timeout
        self.deadline = deadline

    def __repr__(self) -> str:
        # Airflow's prints every argument.
        return f"<{type(self).__name__} {self.candid_conn_id} GET {route_of(self.path)}>"

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what another process makes the same trigger of; of the time, what is left."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "candid_conn_id": self.candid_conn_id,
            "path": self.path,
            "path_params": self.path_params,
            "query": self.query,
            "not_yet": list(self.not_yet),
            "failed": list(self.failed),
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

    async def _wait(self) -> Ending:
        # The hook's module is heavy; imported on the event loop it would hold up all other triggers.
        hook = await asyncio.to_thread(_hook, self.candid_conn_id)
        conditions = Conditions(not_yet=self.not_yet, failed=self.failed)
        pace = Pace(interval=self.poll_interval, growth=self.growth, longest=self.longest_interval)
        call = Call(
            method="GET", path=self.path, path_params=self.path_params, params=self.query, final=conditions.signs
        )
        return await await_(waiting(call.route, conditions, pace, deadline=self.deadline), lambda: hook.asend(call))


def _hook(conn_id: str) -> Any:
    from candid_provider.hooks.candid import CandidHook

    return CandidHook(conn_id)
