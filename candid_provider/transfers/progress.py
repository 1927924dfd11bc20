"""How far a transfer is, in the task log every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol


class Log(Protocol):
    """What Airflow's loggers, of any version, can do."""

    def info(self, event: Any, *args: Any) -> Any:
        """Write a line."""


class Progress:
    """Log counts and their rates, at most once in some seconds.

    :param log: the task's logger.
    :param every: seconds between two lines.
    """

    def __init__(self, log: Log, every: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._every, self._clock = log, every, clock
        self._started = self._logged = clock()

    def tick(self, **counts: float) -> None:
        """Say how far it is, if it is time to."""
        if (now := self._clock()) - self._logged >= self._every:
            self._logged = now
            self._say("so far", counts)

    def done(self, **counts: float) -> None:
        """Say how far it came."""
        self._say("done", counts)

    def _say(self, state: str, counts: dict[str, float]) -> None:
        seconds = max(self._clock() - self._started, 1e-9)
        text = " ".join(_count(name, value, seconds) for name, value in counts.items())
        self._log.info("%s: %s", state, text)


def _count(name: str, value: float, seconds: float) -> str:
    if name == "bytes":
        return f"MB={value / 1e6:.1f} MB/s={value / 1e6 / seconds:.1f}"
    return f"{name}={value:.0f} {name}/s={value / seconds:.0f}"
