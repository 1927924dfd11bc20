"""Progress lines in the task log, every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

EVERY = 5.0
"""Seconds between two progress lines in the task log."""
RATED = ("rows", "records", "nbytes")
"""Counts that are logged with their rate; bytes as MB."""


class Log(Protocol):
    """Be a logger: logging's, or Airflow's own."""

    def info(self, event: str, /, *args: Any) -> Any:
        """Log what is of interest."""

    def warning(self, event: str, /, *args: Any) -> Any:
        """Log what should not be."""


class Progress:
    """Log how far work has come, not more often than every few seconds.

    :param log: the task's logger.
    :param every: seconds between two lines.
    :param clock: seconds, only ever growing.
    """

    def __init__(self, log: Log, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._every, self._clock = log, every, clock
        self._started = self._logged = clock()
        self._first: dict[str, float] = {}

    def since(self, **counts: float) -> None:
        """Say what was done before: rates count what comes now."""
        self._first = counts

    def tick(self, **counts: object) -> None:
        """Log counts, if it is time; what is costly is given as a function."""
        if (now := self._clock()) - self._logged >= self._every:
            self._logged = now
            self._line("so far", now, counts)

    def done(self, **counts: object) -> None:
        """Log the final counts."""
        self._line("done", self._clock(), counts)

    def _line(self, state: str, now: float, counts: dict[str, object]) -> None:
        seconds = max(now - self._started, 1e-9)
        told = {name: value() if callable(value) else value for name, value in counts.items()}
        words = [
            self._words(name, value, seconds) if isinstance(value, int | float) else f"{name}={value}"
            for name, value in told.items()
            if value is not None
        ]
        self._log.info("%s: %s", state, " ".join(words))

    def _words(self, name: str, value: float, seconds: float) -> str:
        if name not in RATED:
            return f"{name}={value}"
        unit, scale, digits = ("MB", 1e6, 1) if name == "nbytes" else (name, 1, 0)
        rate = (value - self._first.get(name, 0)) / scale / seconds
        return f"{unit}={value / scale:.{digits}f} {unit}/s={rate:.{digits}f}"
