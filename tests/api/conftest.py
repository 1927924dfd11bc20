from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from candid_provider.api.call import Call, Page, apages, asend, pages, send
from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.api.settings import CandidSettings
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidError
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.oauth.scripted import Scripted, everything_in, serving
from tests.transfers.hurry import hurried

SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=230, days=10, payers=123)
SECRET = "emulator-secret"


def settings_for(url: str, pre_encounter: str | None = None, timeout: float = 5.0) -> CandidSettings:
    extra = {"pre_encounter_url": pre_encounter, "timeout": timeout, "store": "memory"}
    return CandidSettings.from_connection(login="emulator", password=SECRET, host=url, extra=extra)


def quick() -> httpx.Client:
    # Loading the CA certificates takes longer than everything else a test does.
    return httpx.Client(verify=False)


class Sender:
    """Sends calls through one client, sync or async, as the two must behave alike."""

    def __init__(self, settings: CandidSettings, deadline: float, asynchronous: bool, speed: float = 20.0) -> None:
        """:param speed: by how much the pauses between tries are shorter than a user's."""
        self.settings, self.asynchronous = settings, asynchronous
        self.options: Any = {"retry_deadline": deadline, "limit": hurried(speed)}
        self.source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)

    def send(self, call: Call) -> Any:
        if self.asynchronous:
            return asyncio.run(self._asend(call))
        with CandidClient(self.settings, self.source, **self.options) as client:
            return send(client, call)

    def pages(self, call: Call, most: int = 1000) -> list[Page]:
        if self.asynchronous:
            return asyncio.run(self._apages(call, most))
        with CandidClient(self.settings, self.source, **self.options) as client:
            return [page for _, page in zip(range(most), pages(client, call), strict=False)]

    def fails(self, call: Call) -> CandidError:
        """The error a call ends with, which tells nothing it must not."""
        with pytest.raises(CandidError) as caught:
            self.pages(call) if call.paging else self.send(call)
        shown = everything_in(caught.value)
        assert not [hidden for hidden in ("httpx", "Jane", SECRET, "bearer-number") if hidden in shown]
        return caught.value

    async def _asend(self, call: Call) -> Any:
        async with CandidAsyncClient(self.settings, self.source, **self.options) as client:
            return await asend(client, call)

    async def _apages(self, call: Call, most: int) -> list[Page]:
        found: list[Page] = []
        async with CandidAsyncClient(self.settings, self.source, **self.options) as client:
            following = apages(client, call)
            assert isinstance(following, AsyncIterator)
            async for page in following:
                found.append(page)
                if len(found) == most:
                    break
            if inspect.isasyncgen(following):
                await following.aclose()
        return found


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with running(SMALL) as emulator:
        yield emulator


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as script:
        yield script


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def candid(emulator: Emulator, asynchronous: bool) -> Sender:
    return Sender(settings_for(emulator.url), 10, asynchronous)


@pytest.fixture
def sender(server: Scripted, asynchronous: bool) -> Sender:
    return Sender(settings_for(server.url), 10, asynchronous)


@pytest.fixture
def hasty(server: Scripted, asynchronous: bool) -> Sender:
    """Never sends anything again, for want of time."""
    return Sender(settings_for(server.url, timeout=0.3), 0, asynchronous)
