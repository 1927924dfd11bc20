"""What a process of a fleet does: it makes a token source and follows orders until there are no more."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from candid_provider.exceptions import CandidError, CandidRateLimitError
from candid_provider.oauth.auth import CandidAuth
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.steps import Clock
from candid_provider.oauth.store import TokenStore


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all processes of a fleet are told; by ``speed`` their clocks run faster than the wall's."""

    token_url: str
    store: Callable[[], TokenStore]
    secret: str = "emulator-secret"
    deadline: float = 60.0
    speed: float = 1.0
    since: float = field(default_factory=time.time)

    def now(self, at: float | None = None) -> float:
        """The fleet's time, now or at a time of the wall's."""
        return self.since + ((time.time() if at is None else at) - self.since) * self.speed

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / self.speed)

    def source(self) -> TokenSource:
        return TokenSource(
            ClientCredentials("emulator", self.secret, self.token_url),
            self.store(),
            deadline=self.deadline,
            http=partial(_http, self.speed),
            clock=Clock(self.now, lambda: time.monotonic() * self.speed),
            sleep=self.sleep,
        )


class _Hurried(httpx.HTTPTransport):
    """Count time-outs by the fleet's clock, too."""

    def __init__(self, speed: float) -> None:
        super().__init__(verify=False)
        self._speed = speed

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = {
            phase: seconds and seconds / self._speed for phase, seconds in request.extensions["timeout"].items()
        }
        request.extensions = {**request.extensions, "timeout": timeouts}
        return super().handle_request(request)


def _http(speed: float) -> httpx.Client:
    return httpx.Client(transport=_Hurried(speed))


Order = Callable[[Task, TokenSource], Any]


def live(task: Task, log: Path, orders: Connection) -> None:
    """Follow orders; the answer to one that fails is the error's name."""
    logging.basicConfig(filename=log, level=logging.INFO, format="%(levelname)s %(message)s", force=True)
    source = task.source()
    orders.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            order: Order = orders.recv()
            try:
                orders.send(order(task, source))
            except CandidError as error:
                orders.send(type(error).__name__)


def bearer(task: Task, source: TokenSource, refused: str | None = None) -> str:
    """Ask for a token, other than the one that was refused."""
    return source.token(refused).value


def call(task: Task, source: TokenSource, url: str) -> int:
    """Send an authorised request; the status of its answer."""
    with httpx.Client(auth=CandidAuth(source, [url]), verify=False) as client:
        return client.get(f"{url}/api/payers/v4").status_code


def operations(task: Task, source: TokenSource) -> Any:
    """What a store that counts has counted."""
    return getattr(source.store, "operations")  # noqa: B009 - stores that count are this test's own


def work(task: Task, source: TokenSource, until: float, every: float = 10.0) -> tuple[int, int]:
    """Ask for a token again and again, as tasks and their retries do; how often that succeeded and failed."""
    good = bad = 0
    while task.now() < until:
        pause = every
        try:
            source.token()
            good += 1
        except CandidRateLimitError as error:
            pause = error.retry_after or every
            bad += 1
        except CandidError:
            bad += 1
        task.sleep(min(pause, until - task.now()))
    return good, bad
