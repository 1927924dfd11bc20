"""The Variable store where Airflow fails in its own ways."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

# The real channel between a task and its supervisor; ours is a supervisor that never answers.
from airflow.sdk.execution_time import task_runner  # noqa: TID251 - as above
from airflow.sdk.execution_time.comms import CommsDecoder, GetVariable  # noqa: TID251 - as above

from candid_provider.emulator import Emulator
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.token_stores.failure import name_of_failure
from candid_provider.token_stores.variable import VariableTokenStore


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[CommsDecoder[Any, Any]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        decoder: CommsDecoder[Any, Any] = CommsDecoder(socket=ours)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", decoder, raising=False)
        yield decoder


@pytest.mark.requirement(10)
def test_airflows_deadlock_error_costs_sharing_only(
    channel: CommsDecoder[Any, Any], candid: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A BaseException: the event loop asks while one of its coroutines waits for an answer."""
    source = TokenSource(
        ClientCredentials("emulator", "emulator-secret", f"{candid.url}/api/auth/v2/token"), VariableTokenStore()
    )

    async def ask_while_another_waits() -> set[str]:
        other = asyncio.ensure_future(channel.asend(GetVariable(key="never answered")))
        while not channel._thread_lock.locked():
            await asyncio.sleep(0.01)
        values = {source.token().value for _ in range(3)}
        channel.socket.shutdown(socket.SHUT_RD)
        await asyncio.gather(other, return_exceptions=True)
        return values

    assert len(asyncio.run(ask_while_another_waits())) == 1
    assert candid.stats()["token"]["minted"] == 1
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "DeadlockImminentError" in warning


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_must_end_the_task_is_let_through(ending: BaseException) -> None:
    with pytest.raises(type(ending)):
        name_of_failure(ending)


@pytest.mark.requirement(10)
def test_a_channel_that_breaks_is_a_store_that_cannot_be_used(channel: CommsDecoder[Any, Any]) -> None:
    channel.socket.close()
    with pytest.raises(StoreUnavailable, match="could not be written"):
        VariableTokenStore().save("candid_token__some", "value")
