"""The token source: runs the refresh protocol for one process, for threads and coroutines alike."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from candid_provider.exceptions import CandidError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.protocol import RefreshProtocol
from candid_provider.oauth.steps import Clock, Load, Mint, Note, Save, Sleep, Step, Steps
from candid_provider.oauth.store import StoreUnavailable, TokenStore
from candid_provider.oauth.token import AccessToken

log = logging.getLogger("candid_provider.token")

WARNINGS = frozenset({"fail_open", "back_off", "fence"})


class TokenSource:
    """Answer with a usable token, minting as seldom as the store allows.

    Threads and coroutines of one process share one refresh. A coroutine's refresh runs in a thread of its
    own, because stores block, and goes on when the coroutine that asked for it is cancelled.

    :param credentials: whose token.
    :param store: where processes share it.
    :param on_token: called with each bearer before it is first returned; masks it in logs.
    :param http: makes the client that mints, with proxies and CA settings; it must carry no auth.
    :param deadline: seconds one answer may take.
    """

    def __init__(
        self,
        credentials: ClientCredentials,
        store: TokenStore,
        *,
        on_token: Callable[[str], None] = lambda bearer: None,
        http: Callable[[], httpx.Client] = httpx.Client,
        deadline: float = 60.0,
    ) -> None:
        self._credentials, self._store, self._on_token, self._http = credentials, store, on_token, http
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._protocol = RefreshProtocol(
            credentials,
            Clock(time.time, time.monotonic),
            settle=store.settle,
            owner=self._owner,
            chance=random.Random(),
            deadline=deadline,
        )
        self._flight = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "candid-token")
        self._announced = ""

    def token(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token.

        :param refused: a bearer that Candid has just answered with 401; the answer is another one.
        :raises CandidError: as :meth:`RefreshProtocol.obtain`.
        """
        # Without the lock: reading a reference is atomic, and a token that is fresh needs no decision.
        token = self._protocol.ready(refused)
        if token is None or token.value != self._announced:
            with self._flight:
                token = self._run(self._protocol.obtain(refused))
                self._announce(token)
        return token

    async def atoken(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token without holding the event loop."""
        token = self._protocol.ready(refused)
        if token is not None and token.value == self._announced:
            return token
        # The context goes along: Airflow's triggerer finds the log file of a trigger in it.
        run = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._thread, run, self.token, refused)

    def _announce(self, token: AccessToken) -> None:
        if token.value != self._announced:
            self._on_token(token.value)
            self._announced = token.value

    def _run(self, steps: Steps) -> AccessToken:
        answer: object = None
        error: Exception | None = None
        while True:
            try:
                step = steps.throw(error) if error else steps.send(answer)
            except StopIteration as done:
                token: AccessToken = done.value
                return token
            answer, error = None, None
            try:
                answer = self._perform(step)
            except (StoreUnavailable, CandidError) as failure:
                error = failure

    def _perform(self, step: Step) -> str | AccessToken | None:
        match step:
            case Load(register):
                return self._store.load(register)
            case Save(register, value):
                self._store.save(register, value)
            case Sleep(seconds):
                time.sleep(seconds)
            case Mint(timeout):
                with self._http() as http:
                    return self._credentials.mint(http, timeout=timeout, minted_by=self._owner)
            case Note():
                self._log(step)
        return None

    def _log(self, note: Note) -> None:
        level = logging.WARNING if note.decision in WARNINGS else logging.INFO
        age = left = 0.0
        if note.token:
            age, left = time.time() - note.token.issued_at, note.token.expires_at - time.time()
        log.log(
            level,
            "token decision=%s reason=%r age=%.0f left=%.0f hash=%s",
            note.decision,
            note.reason,
            age,
            left,
            note.token.hash if note.token else "-",
        )
