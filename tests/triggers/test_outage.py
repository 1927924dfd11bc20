"""Candid is away for an hour: whoever asks once a minute asks 60 times in vain, and waits on."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from candid_provider.cli.local_airflow import free_port
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.hooks import sources
from candid_provider.hooks.connection import settings_of
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from candid_provider.triggers.candid import CandidPollTrigger
from tests.conftest import Connect

PATH = "/api/payers/v4"
ROUTE = f"GET {PATH}"
MINUTES = 60
SMALL = EmulatorConfig(encounters=20, patients=10)


class Counting(logging.Handler):
    """Count the questions asked in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.vain = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.vain += "not yet" in record.getMessage()


@pytest.fixture
def counting() -> Iterator[Counting]:
    counting, logger = Counting(), logging.getLogger("candid_provider.api")
    logger.addHandler(counting)
    logger.setLevel(logging.DEBUG)
    yield counting
    logger.removeHandler(counting)
    logger.setLevel(logging.NOTSET)


async def event() -> dict[str, Any]:
    """Wait for a good answer; a minute is 20 ms."""
    trigger = CandidPollTrigger(candid_conn_id="candid_default", path=PATH, poll_interval=0.02, growth=1.0)
    (only,) = [event.payload async for event in CandidPollTrigger(**trigger.serialize()[1]).run()]
    return dict(only)


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
        {"kind": "reset"},
        {"kind": "reset", "after_bytes": 10},
        {"kind": "truncated"},
        {"kind": "broken_json"},
        {"kind": "hang"},
    ],
    ids=lambda trouble: " ".join(map(str, trouble.values())),
)
def test_an_hour_of_trouble_ends_no_wait(
    candid: Emulator, connect: Connect, counting: Counting, trouble: dict[str, Any]
) -> None:
    connect(extra={"store": "memory", "timeout": 0.1 if trouble["kind"] == "hang" else 5})
    candid.faults.add(route=ROUTE, count=MINUTES, **trouble)
    ended = asyncio.run(event())
    assert (ended["status"], ended["error"]) == ("succeeded", None)
    assert ended["asked"] > counting.vain >= MINUTES


def test_an_hour_without_a_host_ends_no_wait(connect: Connect, counting: Counting) -> None:
    port = free_port()

    async def outage() -> tuple[dict[str, Any], Emulator]:
        with running(SMALL, port=port) as before:
            before.faults.add(kind="status", status=503, route=ROUTE, count=None)
            wait = asyncio.create_task(event())
            await vain(1)
        await vain(counting.vain + MINUTES)
        assert not wait.done()
        with running(SMALL, port=port) as after:  # which knows nothing of the token
            return await asyncio.wait_for(wait, 60), after

    async def vain(questions: int) -> None:
        async with asyncio.timeout(60):
            while counting.vain < questions:
                await asyncio.sleep(0.01)

    connect(host=f"http://127.0.0.1:{port}")
    ended, after = asyncio.run(outage())
    assert ended["status"] == "succeeded"
    assert ended["asked"] > MINUTES
    assert after.stats()["token"]["minted"] == 1


@pytest.mark.parametrize("how", ["status", "reset"])
def test_an_hour_without_tokens_ends_no_wait(
    candid: Emulator, connect: Connect, counting: Counting, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    settings = settings_of(Connection.from_json(os.environ["AIRFLOW_CONN_CANDID_DEFAULT"]))
    # As all sources of this connection, but for how long it tries for a token before the question counts as failed.
    impatient = TokenSource(settings.credentials, MemoryTokenStore(), deadline=0.1)
    monkeypatch.setitem(sources._sources, (settings.credentials.fingerprint, "memory", None), impatient)
    candid.faults.add(kind="token_endpoint_down", how=how, count=MINUTES)
    ended = asyncio.run(event())
    assert ended["status"] == "succeeded"
    assert ended["asked"] > counting.vain >= MINUTES
    assert candid.stats()["token"]["minted"] == 1
