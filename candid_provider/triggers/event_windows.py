"""Reads Candid's events for triggers, however long Candid or Airflow is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from candid_provider.api.edge import SECOND
from candid_provider.api.position import OVERLAP, Event
from candid_provider.exceptions import CandidError
from candid_provider.token_stores.failure import name_of_failure

log = logging.getLogger("candid_provider.events")

SPAN = 6 * 3600 * SECOND
"""Microseconds of events that are read at once: Candid gives the newest first, so they are all in memory."""
LONGEST_PAUSE = 60.0
"""Seconds between two tries while Candid or Airflow is away."""
REFUSED_PAUSE = 300.0
"""Seconds between two tries while Candid refuses: somebody has to change something first."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hold the events of a span of time, the oldest first.

    :param start: microseconds since 1970, inclusive.
    :param end: likewise.
    """

    start: int
    end: int
    events: list[Event] = field(repr=False)


class EventReader:
    """Read windows on one client, and try until it succeeds.

    :param conn_id: id of a connection of type ``candid``.
    :param pace: seconds between two windows, which pauses after failures go by.
    """

    def __init__(self, conn_id: str, pace: float) -> None:
        self._conn_id, self._pace = conn_id, pace
        self._client: Any = None
        self._aread: Any = None

    async def read(self, start: int, end: int, types: Sequence[str] = ()) -> list[Event]:
        """Give the events of a window (see :func:`candid_provider.api.events.aread`)."""
        tries = 0
        while True:
            try:
                client = await self._opened()
                events: list[Event] = await self._aread(client, start, end, types)
                return events
            except BaseException as error:
                refused, problem = _problem(error)
            tries += 1
            if refused:
                await self.aclose()  # the next one reads the connection again
            await self._pause(tries, refused, problem)

    async def aclose(self) -> None:
        """Close the client, if one is open."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _opened(self) -> Any:
        if self._client is None:
            # These modules are heavy; imported on the event loop they would hold up all other triggers.
            hook, self._aread = await asyncio.to_thread(_made, self._conn_id)
            self._client = await hook.get_async_conn()
        return self._client

    async def _pause(self, tries: int, refused: bool, problem: str) -> None:
        longest = min(5 * self._pace, REFUSED_PAUSE) if refused else min(self._pace, LONGEST_PAUSE)
        seconds = longest if refused else min(2.0 ** min(tries - 1, 10), longest)
        level = logging.ERROR if refused else logging.WARNING
        log.log(level, "no events of %s: %s; the next try is in %.0f s", self._conn_id, problem, seconds)
        await asyncio.sleep(seconds)


async def windows(
    conn_id: str, poll_interval: float, lag: float, *, clock: Callable[[], float] = time.time
) -> AsyncIterator[Window]:
    """Read window after window, without end; each begins before the end of the last, for events that come late.

    :param conn_id: id of a connection of type ``candid``.
    :param poll_interval: seconds between two.
    :param lag: seconds before now at which they end.
    :param clock: seconds since 1970.
    """
    async with contextlib.aclosing(EventReader(conn_id, poll_interval)) as reader:
        end = ended(clock(), lag)
        while True:
            start = end - OVERLAP
            end = max(end, min(ended(clock(), lag), start + SPAN))
            yield Window(start, end, await reader.read(start, end))
            if end - start < SPAN:
                await asyncio.sleep(poll_interval)


def ended(now: float, lag: float) -> int:
    """Say where a window ends, in microseconds since 1970."""
    return round((now - lag) * SECOND)


def _problem(error: BaseException) -> tuple[bool, str]:
    """Say whether a failure needs somebody to change something, and what it is."""
    if isinstance(error, CandidError):
        return not error.retryable, str(error)
    return False, name_of_failure(error)


def _made(conn_id: str) -> tuple[Any, Any]:
    from candid_provider.api.events import aread
    from candid_provider.hooks.candid import CandidHook

    return CandidHook(conn_id), aread
