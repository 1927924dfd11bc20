"""A client secret that is changed in the connection while a task runs."""

from __future__ import annotations

import asyncio
import logging

import pytest

from candid_provider.api.call import Call
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidAuthError
from candid_provider.hooks.candid import CandidHook
from candid_provider.oauth.store import MemoryTokenStore
from tests.conftest import Connect

pytestmark = pytest.mark.requirement(12)

PAYERS = Call(method="GET", path="/api/payers/v4", params={"limit": 1})


def test_a_running_task_goes_on_with_the_new_secret(
    candid: Emulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        connect(password="next-secret")
        for _ in range(5):
            hook.send(PAYERS)
        assert hook.get_token()
    assert candid.stats()["token"] == {"minted": 2, "rate_limited": 0, "refused": 1}
    assert caplog.text.count("decision=rotate") == 1
    assert "next-secret" not in caplog.text


def test_so_does_an_async_one(candid: Emulator, connect: Connect) -> None:
    async def ask() -> None:
        async with await CandidHook().get_async_conn() as client:
            assert (await client.get("/api/payers/v4")).status_code == 200
            candid.rotate_secret("next-secret")
            connect(password="next-secret")
            answers = await asyncio.gather(*(client.get("/api/payers/v4") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(ask())
    assert candid.stats()["token"]["minted"] == 2


def test_so_does_one_with_a_store_of_its_own(candid: Emulator, connect: Connect) -> None:
    with CandidHook(token_store=MemoryTokenStore()) as hook:
        old = hook.get_token()
        candid.rotate_secret("next-secret")
        connect(password="next-secret")
        hook.send(PAYERS)
        assert hook.get_token() != old
    assert candid.stats()["token"]["minted"] == 2


def test_a_secret_that_nobody_has_changed_is_refused_once(
    candid: Emulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        for _ in range(3):
            with pytest.raises(CandidAuthError, match="password"):
                hook.send(PAYERS)
    assert candid.stats()["token"]["refused"] == 1
    assert "decision=rotate" not in caplog.text


def test_a_new_secret_that_is_wrong_too_is_refused_once_more(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        connect(password="mistyped")
        with pytest.raises(CandidAuthError, match="password"):
            hook.send(PAYERS)
    assert candid.stats()["token"]["refused"] == 2


def test_a_connection_that_leads_elsewhere_is_not_followed(candid: Emulator, connect: Connect) -> None:
    with running(EmulatorConfig(client_secret="next-secret")) as other, CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        connect(password="next-secret", host=other.url)
        with pytest.raises(CandidAuthError):
            hook.send(PAYERS)
        assert other.stats()["token"]["minted"] == 0


def test_a_secret_that_is_changed_back_is_taken_back(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        for secret in ("second-secret", "third-secret", "fourth-secret"):
            hook.send(PAYERS)
            candid.rotate_secret(secret)
            connect(password=secret)
        hook.send(PAYERS)
        candid.rotate_secret("emulator-secret")
        connect()
        hold = hook._settings.credentials.hold_register
        hook._source(hook._settings).store.save(hold, "")  # the minute is over for which a refusal is remembered
        hook.send(PAYERS)
    assert candid.stats()["token"] == {"minted": 5, "rate_limited": 0, "refused": 4}


def test_a_refusal_without_a_change_turns_to_nothing(
    candid: Emulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        connect(password="next-secret")
        hook.send(PAYERS)
        candid.rotate_secret("yet-another")
        for _ in range(3):
            with pytest.raises(CandidAuthError):
                hook.send(PAYERS)
    assert caplog.text.count("decision=rotate") == 1
    assert candid.stats()["token"]["refused"] == 2


def test_a_connection_that_cannot_be_read_again_leaves_the_refusal(
    candid: Emulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CandidHook() as hook:
        hook.send(PAYERS)
        candid.rotate_secret("next-secret")
        monkeypatch.delenv("AIRFLOW_CONN_CANDID_DEFAULT")
        with pytest.raises(CandidAuthError, match="password"):
            hook.send(PAYERS)
