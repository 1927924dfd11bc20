"""Progress lines in the task log, every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

EVERY = 5.0
"""Seconds between two progress lines in the task log."""


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
        """Log counts, if it is time.

        ``rows`` or ``records`` bring their rate, ``nbytes`` is shown in MB.
        """
        if (now := self._clock()) - self._logged >= self._every:
            self._logged = now
            self._line("so far", now, counts)

    def done(self, **counts: object) -> None:
        """Log the final counts."""
        self._line("done", self._clock(), counts)

    def _line(self, state: str, now: float, counts: dict[str, object]) -> None:
        seconds, words = now - self._started, []
        for name, value in counts.items():
            if name == "nbytes" and isinstance(value, int | float):
                words.append(f"MB={value / 1_000_000:.1f}")
            elif value is not None:
                words.append(f"{name}={value}")
            if name in ("rows", "records") and isinstance(value, int | float):
                rate = (value - self._first.get(name, 0)) / seconds if seconds else 0.0
                words.append(f"{name}/s={rate:.0f}")
        self._log.info("%s: %s", state, " ".join(words))
