"""From httpx to the rate limit: each request waits for its turn, each 429 slows the whole process down."""

from __future__ import annotations

import time
from typing import Any

import httpx

from candid_provider.api.limit import RateLimit
from candid_provider.oauth.retry_after import retry_after_seconds

PAUSE = 1.0
"""Seconds without requests after a 429 that does not say how many (Candid documents no Retry-After)."""

_KEY = "candid_turn"


class Turn:
    """Hold a request's place in a limit, and give it back once.

    A refused token makes httpx send a request again within one ``send``: it waits for a turn of its own.

    :param limit: what to wait for.
    :param patience: seconds of a pause to sit out.
    :param request: waits when a client with our hooks sends it; None: nothing does.
    """

    __slots__ = ("_held", "_limit", "_patience")

    def __init__(self, limit: RateLimit, patience: float, request: httpx.Request | None) -> None:
        self._limit, self._patience, self._held = limit, patience, False
        if request:
            request.extensions[_KEY] = self

    def enter(self) -> None:
        """Wait for the turn."""
        self._limit.enter(self._patience)
        self._held = True

    async def aenter(self) -> None:
        """Wait for the turn without holding the event loop."""
        await self._limit.aenter(self._patience)
        self._held = True

    def leave(self) -> None:
        """End the turn, if it was not ended already."""
        if self._held:
            self._held = False
            self._limit.leave()

    def heard(self, response: httpx.Response) -> None:
        """End the turn with its answer, and pause if the answer is that this was too much."""
        self.leave()
        if response.status_code == 429:
            asked = retry_after_seconds(response.headers.get("retry-after"), time.time())
            self._limit.pause(max(asked or 0.0, PAUSE))


def _enter(request: httpx.Request) -> None:
    if turn := request.extensions.get(_KEY):
        turn.enter()


async def _aenter(request: httpx.Request) -> None:
    if turn := request.extensions.get(_KEY):
        await turn.aenter()


def _heard(response: httpx.Response) -> None:
    if turn := response.request.extensions.get(_KEY):
        turn.heard(response)


async def _aheard(response: httpx.Response) -> None:
    _heard(response)


HOOKS: dict[str, list[Any]] = {"request": [_enter], "response": [_heard]}
ASYNC_HOOKS: dict[str, list[Any]] = {"request": [_aenter], "response": [_aheard]}
"""httpx calls them around each request of a ``send``, a replay with a new token included."""
