"""The official SDK's two clients, each keeping the last answer as it came over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from candid_provider.emulator import Emulator


class Answered(NamedTuple):
    """What the SDK made of an answer, and the answer."""

    model: Any
    response: httpx.Response


def method_of(sdk: Any, endpoint_id: str) -> Any:
    """The SDK's method of an endpoint, by the names on the way to it."""
    for name in endpoint_id.split("."):
        sdk = getattr(sdk, name)
    return sdk


class Caller:
    """Calls methods of the synchronous client."""

    def __init__(self, sdk: Any, received: list[httpx.Response]) -> None:
        self._sdk, self._received = sdk, received

    def method(self, endpoint_id: str) -> Any:
        return method_of(self._sdk, endpoint_id)

    def call(self, endpoint_id: str, arguments: dict[str, Any]) -> Answered:
        self._received.clear()
        model = self._run(self.method(endpoint_id), arguments)
        (response,) = self._received
        return Answered(model, response)

    def _run(self, method: Any, arguments: dict[str, Any]) -> Any:
        return method(**arguments)


class AsyncCaller(Caller):
    """Calls methods of the asynchronous client, in an event loop of its own."""

    def __init__(self, sdk: Any, received: list[httpx.Response], loop: asyncio.Runner) -> None:
        super().__init__(sdk, received)
        self._loop = loop

    def _run(self, method: Any, arguments: dict[str, Any]) -> Any:
        return self._loop.run(method(**arguments))


def _settings(emulator: Emulator, token: str) -> dict[str, Any]:
    from candid.environment import CandidApiClientEnvironment

    environment = CandidApiClientEnvironment(candid_api=emulator.url, pre_encounter=emulator.url)
    return {"environment": environment, "token": token}


@contextmanager
def sync_caller(emulator: Emulator, token: str) -> Iterator[Caller]:
    from candid import CandidApiClient

    received: list[httpx.Response] = []

    def keep(response: httpx.Response) -> None:
        response.read()
        received.append(response)

    with httpx.Client(event_hooks={"response": [keep]}) as http:
        yield Caller(CandidApiClient(httpx_client=http, **_settings(emulator, token)), received)


@contextmanager
def async_caller(emulator: Emulator, token: str) -> Iterator[Caller]:
    from candid import AsyncCandidApiClient

    received: list[httpx.Response] = []

    async def keep(response: httpx.Response) -> None:
        await response.aread()
        received.append(response)

    with asyncio.Runner() as loop:
        http = httpx.AsyncClient(event_hooks={"response": [keep]})
        yield AsyncCaller(AsyncCandidApiClient(httpx_client=http, **_settings(emulator, token)), received, loop)
        loop.run(http.aclose())
