"""The world's clock: it stands still, runs with real time, or runs faster, and never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The year 9000: instants are written as datetimes, which end with the year 9999.
_LATEST: Final = (datetime(9000, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


class WorldClock:
    """Simulated time, in whole microseconds since 1970.

    It starts at `start_us` and moves `speed` simulated seconds per second of `real`, a monotonic clock in seconds.
    At speed 0 it stands still until it is moved. It may be used from any thread.
    """

    def __init__(self, start_us: int, speed: float = 0.0, real: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._real = real
        self._speed = _checked(speed)
        self._base, self._since = start_us, real()

    def now(self) -> int:
        """The instant it is in the world."""
        with self._lock:
            return self._now()

    def tick(self) -> int:
        """An instant for one write: a whole millisecond later than any told before; the clock moves on to it."""
        with self._lock:
            return self._set((self._now() // 1000 + 1) * 1000)

    def advance(self, seconds: float) -> int:
        """Move on by simulated seconds; the new instant."""
        if not 0 <= seconds <= _LATEST / 1_000_000:
            raise ValueError("the clock moves forward only, and not past the year 9000")
        with self._lock:
            return self._move(self._now() + round(seconds * 1_000_000))

    def move_to(self, us: int) -> int:
        """Move on to an instant; ValueError for one that has passed."""
        with self._lock:
            return self._move(us)

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        speed = _checked(speed)
        with self._lock:
            self._set(self._now())
            self._speed = speed

    def _now(self) -> int:
        return self._base + int((self._real() - self._since) * self._speed * 1_000_000)

    def _move(self, us: int) -> int:
        if not self._now() <= us <= _LATEST:
            raise ValueError("the clock moves forward only, and not past the year 9000")
        return self._set(us)

    def _set(self, us: int) -> int:
        self._base, self._since = us, self._real()
        return us


def _checked(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        raise ValueError("speed must be a number, 0 or more")
    return speed
