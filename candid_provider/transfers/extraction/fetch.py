"""Pages ahead of their use: a thread asks for the next ones while this one is read and written."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass, field
from queue import SimpleQueue

from candid_provider.api.call import Call, Page
from candid_provider.api.client import CandidClient, exchange
from candid_provider.api.paging import TokenPaging
from candid_provider.oauth.unreadable import UNREADABLE

AHEAD = 2
"""Pages that may be there or on their way while one is written: asking for the next need not wait for the writer."""
LONG_WAIT = 0.02
"""Seconds waited for a page from which on the server is what takes the time."""
HEAD_START = 0.001
"""Seconds that building and sending a request takes."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Hold the answer to a call for a page, and which call seems to come next."""

    call: Call
    content: bytes = field(repr=False)
    next: Call

    def read(self) -> Page | None:
        """Cut it into records; None if it is no page."""
        try:
            return _read(self.call, self.content)
        except UNREADABLE:
            return None


@dataclass(frozen=True, slots=True)
class Arrived:
    """Hold a page of a stream, or why there is none.

    :param fetcher: whose it is.
    """

    fetcher: Fetcher
    page: Page | Unread | None = None
    error: BaseException | None = None


class Fetcher:
    """Follow a listing in a thread, ahead of whoever takes the pages.

    The thread is a daemon: a request that hangs does not keep a killed task alive.

    :param client: sends calls.
    :param arrivals: where pages are put.
    :param guessing: whether the next page may be asked for before this one is read, by whoever takes it.
    """

    def __init__(
        self,
        stream: int,
        call: Call,
        client: CandidClient,
        arrivals: SimpleQueue[Arrived | None],
        *,
        guessing: bool = True,
    ) -> None:
        self.stream, self._call, self._client, self._arrivals = stream, call, client, arrivals
        self._read = _skim if guessing else _read
        self._wanted, self._stopped = threading.Semaphore(AHEAD), False
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._follow,), name="candid-fetch", daemon=True)
        self._thread.start()

    @property
    def route(self) -> str:
        """What it asks for, for logs."""
        return self._call.route

    def go_on(self) -> None:
        """Say that a page was taken, so that one more may be asked for."""
        self._wanted.release()

    def stop(self) -> None:
        """Ask for no more pages."""
        self._stopped = True
        self._wanted.release()

    def _follow(self) -> None:
        call = self._call
        try:
            while self._wanted.acquire() and not self._stopped:
                page = exchange(self._client, call, self._read)
                self._arrivals.put(Arrived(self, page))
                if page.next is None:
                    return
                call = page.next
        except BaseException as error:  # whatever it is, the task has to hear of it
            self._arrivals.put(Arrived(self, error=error))


def take(arrivals: SimpleQueue[Arrived | None]) -> Arrived | None:
    """Wait for a page; after a long wait, let the request for the next one go out before this one is read.

    Reading holds the interpreter for a millisecond per MB, which would be added to each wait.
    """
    began = time.monotonic()
    arrived = arrivals.get()
    if time.monotonic() - began >= LONG_WAIT:
        time.sleep(HEAD_START)
    return arrived


def _read(call: Call, content: bytes) -> Page:
    assert call.paging
    return call.paging.read(call, content)


def _skim(call: Call, content: bytes) -> Page | Unread:
    """Leave the reading to another thread where a token at the answer's end says what comes next.

    What must not be sent again is read at once: an answer that cannot be read is asked for again.
    """
    paging = call.paging if call.retry else None
    following = paging.glimpse(call, content) if isinstance(paging, TokenPaging) else None
    return Unread(call, content, following) if following else _read(call, content)
