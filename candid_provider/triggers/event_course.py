"""The course of one watcher through its events: what is due, what was delivered, and what of that is stored."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence

from candid_provider.api.edge import SECOND
from candid_provider.api.instants import written
from candid_provider.api.position import KEPT_DAYS, MARGIN, Event, Position
from candid_provider.token_stores.failure import name_of_failure
from candid_provider.triggers.event_positions import Positions
from candid_provider.triggers.event_windows import LONGEST_PAUSE, SPAN, EventReader, Window, ended

log = logging.getLogger("candid_provider.events")

FEWEST, MOST = 50, 1000
"""Bounds of how many events are under way: while Airflow stores them, its triggerer shows no sign of life."""
QUICK, SLOW = 3.0, 6.0
"""Seconds within which they are stored if there could be more of them at a time, or should be fewer."""
PATIENCE = 300.0
"""Seconds after which nobody else is believed to keep the position."""
SHORT_PATIENCE = 5.0
"""The same, once that has happened."""
LOOK_AGAIN = 0.5
IDLE = 3600 * SECOND
"""Microseconds without an event after which the position is moved all the same."""


def more_or_less(many: int, seconds: float) -> int:
    """Say how many events may be under way, after so many were stored in so many seconds."""
    if seconds < QUICK:
        return min(2 * many, MOST)
    return max(many // 2, FEWEST) if seconds > SLOW else many


class EventCourse:
    """Follow one stream from where it was left.

    The position is moved by whoever stores the events (``candid_provider.plugins.events``), in the same transaction.
    Here it is only looked at; it is written at the beginning, after an hour without events, and if it does not move
    although it should: then an event may come twice after a crash.

    :param positions: where the position is.
    :param stream: name of the stream, for logs.
    :param pace: seconds between two windows, which pauses after failures go by.
    :param patience: see ``PATIENCE``.
    """

    def __init__(self, positions: Positions, stream: str, pace: float, *, patience: float = PATIENCE) -> None:
        self._positions, self._stream, self._pace = positions, stream, pace
        self._position = self._kept = Position(0)
        self._under_way: list[Event] = []
        self._many, self._patience, self._longest_patience = FEWEST, patience, patience

    async def begin(self, lag: float, start: int | None) -> None:
        """Find the position; at the very first, keep where the stream begins.

        :param lag: seconds before now at which a stream begins that nothing says more about.
        :param start: where it begins, in microseconds since 1970.
        """
        now = ended(time.time(), lag)
        self._position = await self._loaded() or await self._saved(Position(now if start is None else start))
        oldest = now - round((KEPT_DAYS * 86400 - MARGIN) * SECOND)
        if self._position.floor < oldest:
            log.error(
                "%s: events from %s to %s are missing: Candid keeps them for %d days. Going on with those it has",
                self._stream, written(self._position.floor), written(oldest), KEPT_DAYS,
            )  # fmt: skip
            self._position = Position(oldest, self._position.seen)
        self._kept = self._position

    async def parts(self, window: Window, conn_id: str, types: Sequence[str]) -> AsyncIterator[Window]:
        """Give a window, and before it what lies between the position and its beginning."""
        start = self._position.floor
        if start < window.start:
            async with contextlib.aclosing(EventReader(conn_id, self._pace)) as reader:
                while start < window.start:
                    end = min(start + SPAN, window.start)
                    yield Window(start, end, await reader.read(start, end, types))
                    start = end
        yield window

    def take(self, event: Event) -> bool:
        """Take note of an event that came, and say whether it is to be delivered."""
        if self._position.has(event):
            return False
        self._position = self._position.after(event)
        self._under_way.append(event)
        return True

    def passed(self, moment: int) -> None:
        """Take note that all events up to a moment were taken."""
        self._position = self._position.through(moment)

    async def settle_many(self) -> None:
        """Wait for what is under way if it is much."""
        if len(self._under_way) >= self._many:
            await self._settle()

    async def settle(self) -> None:
        """Wait for what is under way, and keep the position where nothing has come for long."""
        if self._under_way:
            await self._settle()
        if self._position.floor - self._kept.floor > IDLE:
            self._kept = await self._saved(self._position)

    async def _settle(self) -> None:
        started = time.monotonic()
        while time.monotonic() - started < self._patience:
            await asyncio.sleep(LOOK_AGAIN)
            kept = await self._loaded()
            if kept is not None and all(kept.has(event) for event in self._under_way):
                self._kept, self._patience = kept, self._longest_patience
                self._many = more_or_less(self._many, time.monotonic() - started)
                break
        else:
            log.warning(
                "%s: nobody has kept its position for %.0f s, so it is kept from here: after a crash, events may"
                " come twice. Is the plugin candid_events loaded (airflow plugins)?",
                self._stream, self._patience,
            )  # fmt: skip
            self._kept, self._patience = await self._saved(self._position), min(SHORT_PATIENCE, self._patience)
        self._under_way.clear()

    async def _loaded(self) -> Position | None:
        tries = 0
        while True:
            try:
                return await self._positions.load()
            except BaseException as error:
                problem = name_of_failure(error)
            await self._pause(tries := tries + 1, "read", problem)

    async def _saved(self, position: Position) -> Position:
        tries = 0
        while True:
            try:
                await self._positions.save(position)
                return position
            except BaseException as error:
                problem = name_of_failure(error)
            await self._pause(tries := tries + 1, "kept", problem)

    async def _pause(self, tries: int, done: str, problem: str) -> None:
        seconds = min(2.0 ** min(tries - 1, 10), self._pace, LONGEST_PAUSE)
        log.warning("the position of %s could not be %s: %s; the next try is in %.0f s",
                    self._stream, done, problem, seconds)  # fmt: skip
        await asyncio.sleep(seconds)
