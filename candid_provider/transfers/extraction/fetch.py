"""Pages ahead of their use: a thread asks for the next ones while this one is written."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from candid_provider.api.call import Call, Page
from candid_provider.exceptions import CandidUnavailableError

AHEAD = 2
"""Pages that may be there or on their way while one is written: asking for the next need not wait for the writer."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Hold a page of a stream, or why there is none."""

    stream: int
    page: Page | None = None
    error: BaseException | None = None


class Fetcher:
    """Follow a listing in a thread, ahead of whoever takes the pages.

    The thread is a daemon: a request that hangs does not keep a killed task alive.

    :param ask: sends a call for a page.
    :param arrivals: where pages are put.
    """

    def __init__(
        self, stream: int, call: Call, ask: Callable[[Call], Page], arrivals: SimpleQueue[Arrived | None]
    ) -> None:
        self._stream, self._call, self._ask, self._arrivals = stream, call, ask, arrivals
        self._wanted, self._stopped = threading.Semaphore(AHEAD), False
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._follow,), name="candid-fetch", daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Say that a page was taken, so that one more may be asked for."""
        self._wanted.release()

    def stop(self) -> None:
        """Ask for no more pages."""
        self._stopped = True
        self._wanted.release()

    def _follow(self) -> None:
        circle, call = Circle(), self._call
        try:
            while self._wanted.acquire() and not self._stopped:
                page = self._ask(call)
                circle.check(page.next)
                self._arrivals.put(Arrived(self._stream, page))
                if page.next is None:
                    return
                call = page.next
        except BaseException as error:  # whatever it is, the task has to hear of it
            self._arrivals.put(Arrived(self._stream, error=error))


class Circle:
    """Notice a listing that leads in a circle, in constant memory (Brent's way: a landmark that moves ever farther).

    :raises CandidUnavailableError: the server gave a page token again.
    """

    def __init__(self) -> None:
        self._landmark, self._steps, self._lap = "", 0, 1

    def check(self, call: Call | None) -> None:
        """Look at the call for the next page."""
        position = call.paging.position(call) if call and call.paging else ""
        if not position:
            return
        if position == self._landmark:
            raise CandidUnavailableError(
                "the listing leads in a circle: Candid gave the same page token twice",
                route=call.route if call else None,
                retryable=False,
            )
        self._steps += 1
        if self._steps == self._lap:
            self._landmark, self._steps, self._lap = position, 0, self._lap * 2
