"""DAGs that start on Candid's events: a trigger for ``AssetWatcher`` (Airflow 3)."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Any

from airflow.triggers.base import TriggerEvent

from candid_provider.api.event_record import record_of, stream_of
from candid_provider.api.instants import microseconds
from candid_provider.api.position import Event
from candid_provider.exceptions import CandidConfigError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.triggers.event_course import EventCourse
from candid_provider.triggers.event_positions import AssetPositions, Positions, VariablePositions
from candid_provider.triggers.event_windows import Window, windows

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2 has no watchers; there it can be imported, and deferred to
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]  # its base


class CandidEventTrigger(BaseEventTrigger):
    """Give each of Candid's events once to the assets that it watches for: ``AssetWatcher(trigger=...)``.

    Candid is asked for the latest events every ``poll_interval`` seconds; the watchers of a connection that agree in
    that and in ``lag`` are served by the same requests (Airflow 3.3), whatever types they look for. An event is
    delivered once, also if the triggerer is killed: its position moves in the transaction that stores the event.

    What an event tells of stays at Candid: the asset's event holds its id, type and time. Errors are logged and
    outages waited for; nothing ends a watcher. (Candid: GET /api/events/v1/, 30 days.)

    :param candid_conn_id: id of a connection of type ``candid``.
    :param event_types: types of the events, such as ``CandidApi.Encounter.StatusUpdated``; all where none is given.
        A watcher with other types is another one, and begins anew.
    :param poll_interval: seconds between two questions.
    :param lag: seconds before now up to which they ask. An event that can be read later is delivered, too, if it is
        no more than two minutes late, but not in its order.
    :param start: where to begin when nothing was delivered yet, a time with a zone; None: now.
    :raises CandidConfigError: an argument is wrong.
    """

    def __init__(
        self,
        *,
        candid_conn_id: str = DEFAULT_CONN_ID,
        event_types: Sequence[str] = (),
        poll_interval: float = 60.0,
        lag: float = 5.0,
        start: str | datetime.datetime | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no annotations
        if isinstance(event_types, str):
            raise CandidConfigError("event_types is a text. Give a list of types", field="event_types")
        if poll_interval <= 0 or lag < 0:
            raise CandidConfigError("poll_interval must be more than 0 and lag not less", field="poll_interval")
        self.candid_conn_id, self.event_types = candid_conn_id, sorted(set(event_types))
        self.poll_interval, self.lag, self.start = poll_interval, lag, _time(start)

    def __repr__(self) -> str:
        # Airflow's prints every argument.
        return f"<{type(self).__name__} {self.candid_conn_id} {', '.join(self.event_types) or 'all events'}>"

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what another process makes the same trigger of."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "candid_conn_id": self.candid_conn_id,
            "event_types": self.event_types,
            "poll_interval": self.poll_interval,
            "lag": self.lag,
            "start": self.start,
        }

    def shared_stream_key(self) -> Hashable | None:
        """Say whose requests serve this watcher, too (Airflow 3.3)."""
        return ("candid-events", self.candid_conn_id, self.poll_interval, self.lag)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Window]:
        """Read all events, for all watchers of a connection."""
        async for window in windows(kwargs["candid_conn_id"], kwargs["poll_interval"], kwargs["lag"]):
            yield window

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Give this watcher's events, each once."""
        stream = stream_of(self.candid_conn_id, self.event_types)
        course = EventCourse(self._positions(stream), stream, self.poll_interval)
        await course.begin(self.lag, None if self.start is None else microseconds(self.start))
        async for window in shared_stream:
            async for part in course.parts(window, self.candid_conn_id, self.event_types):
                for event in part.events:
                    if self._wants(event) and course.take(event):
                        yield TriggerEvent(record_of(event, stream))  # type: ignore[no-untyped-call]  # no types
                        await course.settle_many()
                course.passed(part.end)
            await course.settle()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Give this watcher's events on a stream of its own (Airflow 3.0 to 3.2)."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _wants(self, event: Event) -> bool:
        return not self.event_types or event.event_type in self.event_types

    def _positions(self, stream: str) -> Positions:
        states = getattr(self, "asset_state_store", None)
        return VariablePositions(stream) if states is None else AssetPositions(states, stream)


def _time(start: str | datetime.datetime | None) -> str | None:
    if start is None:
        return None
    with contextlib.suppress(ValueError):
        at = datetime.datetime.fromisoformat(start) if isinstance(start, str) else start
        if at.tzinfo is not None:
            return at.isoformat()
    raise CandidConfigError("start is no time with a zone, such as 2026-03-01T00:00:00Z", field="start")
