"""One limit for all requests of a process to a host, however many clients, threads and event loops send them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from candid_provider.exceptions import CandidRateLimitError

REQUESTS, PER = 1000, 10.0
"""Candid's limit: so many requests in any so many seconds from one address (docs.joincandidhealth.com)."""

LONGEST_PAUSE = 300.0
"""Seconds after which a pause is doubted: one request asks whether it still holds."""

SHORTEST_SLEEP = 0.001
LOOK_AGAIN = 0.1


class RateLimit:
    """Let no more than ``requests`` reach the server in any ``per`` seconds.

    A request counts from when it is let go until ``per`` seconds after its answer. The server counts it some time
    between the two, so the promise holds whatever the network, a full connection pool or a busy event loop does
    in between, and needs no margin. Who has to wait is let go in the order of coming, threads and coroutines alike.

    :param requests: how many.
    :param per: in any so many seconds.
    :param clock: monotonic seconds.
    :param sleep: waits, in threads.
    :param asleep: waits, on event loops.
    """

    def __init__(
        self,
        requests: int = REQUESTS,
        per: float = PER,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.sleep, self.asleep = sleep, asleep
        self._requests, self._per, self._clock = requests, per, clock
        self._lock = threading.Lock()
        self._under_way = self._waiting = 0
        self._answered: deque[float] = deque()
        self._paused_until = -math.inf

    def enter(self, patience: float = math.inf) -> None:
        """Wait for a turn; :meth:`leave` ends it.

        :param patience: seconds of a pause (:meth:`pause`) to sit out.
        :raises CandidRateLimitError: the pause is longer.
        """
        if delay := self._ask(patience, ahead=None):
            with self._place_in_line():
                while delay:
                    self.sleep(delay)
                    delay = self._ask(patience, ahead=0)

    async def aenter(self, patience: float = math.inf) -> None:
        """Wait for a turn without holding the event loop; else as :meth:`enter`."""
        if delay := self._ask(patience, ahead=None):
            with self._place_in_line():
                while delay:
                    await self.asleep(delay)
                    delay = self._ask(patience, ahead=0)

    def leave(self) -> None:
        """Say that a request has its answer, or will have none."""
        with self._lock:
            self._under_way -= 1
            self._answered.append(self._clock())

    def pause(self, seconds: float) -> None:
        """Let nobody go for so many seconds, because the server has asked for it; at most ``LONGEST_PAUSE``."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + min(seconds, LONGEST_PAUSE))

    def _ask(self, patience: float, ahead: int | None) -> float:
        """Take a turn and give 0, or give the seconds after which to ask again.

        :param ahead: how many wait before the one who asks; None for one who comes and joins the line.
        """
        with self._lock:
            now, answered = self._clock(), self._answered
            while answered and answered[0] + self._per <= now:
                answered.popleft()
            if (pause := self._paused_until - now) > patience:
                raise _asked_to_wait(pause)
            comes, ahead = ahead is None, self._waiting if ahead is None else ahead
            free = self._requests - self._under_way - len(answered)
            if pause <= 0 and free > ahead:
                self._under_way += 1
                return 0.0
            self._waiting += comes
            # The one at the head takes the next place that falls free, the one behind it the place after that.
            turn = ahead - free
            return max(pause, self._until(turn, now) if turn >= 0 else 0.0, SHORTEST_SLEEP)

    def _until(self, turn: int, now: float) -> float:
        return self._answered[turn] + self._per - now if turn < len(self._answered) else LOOK_AGAIN

    @contextlib.contextmanager
    def _place_in_line(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1


def _asked_to_wait(seconds: float) -> CandidRateLimitError:
    return CandidRateLimitError(
        f"Candid has asked this process to slow down: no request for another {seconds:.0f} s", retry_after=seconds
    )


_limits: dict[object, RateLimit] = {}
# A lock that another thread holds while this process forks would stay locked in the child.
os.register_at_fork(after_in_child=_limits.clear)


def limit_for(host: object) -> RateLimit:
    """Give the limit that all clients of this process share for a host.

    :param host: what tells hosts apart.
    """
    # Of two threads that come here at once, both take the one that is there first.
    return _limits.get(host) or _limits.setdefault(host, RateLimit())
