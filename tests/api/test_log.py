"""What the clients log: routes and numbers, and nothing of a patient."""

from __future__ import annotations

import asyncio
import logging
import re

import httpx
import pytest

from candid_provider.api.call import Call
from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.emulator import Emulator
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.api.calls import GOOD, MARKER, READ, ROUTE, WRITE
from tests.api.conftest import SECRET, Sender, settings_for
from tests.oauth.scripted import Scripted, answer


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "candid_provider"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


@pytest.mark.requirement(5)
def test_no_logger_sees_query_id_body_bearer_or_secret(
    sender: Sender, server: Scripted, log: pytest.LogCaptureFixture
) -> None:
    server.answers = [answer({"x": MARKER}, 500, Retry_After="0", X_Y=MARKER), answer({"name": MARKER}, X_Y=MARKER)]
    sender.send(READ)
    sender.send(WRITE)
    hidden = [MARKER, "search_term", "bearer-number", SECRET]
    assert not [record for record in log.records if any(text in str(vars(record)) for text in hidden)]


def test_an_answer_that_is_streamed_is_not_logged_either(
    candid: Sender, emulator: Emulator, log: pytest.LogCaptureFixture
) -> None:
    with (
        CandidClient(settings_for(emulator.url), candid.source) as client,
        client.stream("GET", "/api/payers/v4", params={"search_term": MARKER}) as response,
    ):
        response.read()
    assert MARKER not in log.text
    assert "bytes=streamed" in log.text


def test_our_own_line_has_the_route_template_and_numbers(
    sender: Sender, server: Scripted, log: pytest.LogCaptureFixture
) -> None:
    sender.send(READ)
    (line,) = [record.getMessage() for record in log.records if record.name == "candid_provider.api"]
    assert re.fullmatch(r"GET /api/encounters/v4/{encounter_id} status=200 ms=\d+ bytes=2 token=[0-9a-f]{8}", line)


@pytest.mark.parametrize("prefix", ["", "/proxy"])
@pytest.mark.parametrize("identifier", [MARKER, f"{MARKER}/x", f"../{MARKER}", "a%2fb"])
def test_our_own_line_names_the_route_whatever_the_id(
    server: Scripted, asynchronous: bool, log: pytest.LogCaptureFixture, identifier: str, prefix: str
) -> None:
    sender = Sender(settings_for(server.url + prefix), 0, asynchronous)
    sender.source = TokenSource(settings_for(server.url).credentials, MemoryTokenStore())
    sender.send(Call(method="GET", path=READ.path, path_params={"encounter_id": identifier}))
    assert [r for r in log.records if r.name == "candid_provider.api" and r.getMessage().startswith(f"{ROUTE} ")]
    assert MARKER not in log.text


def test_other_peoples_requests_still_log(sender: Sender, server: Scripted, log: pytest.LogCaptureFixture) -> None:
    sender.send(READ)
    log.clear()
    with httpx.Client() as http:
        http.get(f"{server.url}/theirs?q=1")
    assert "theirs?q=1" in log.text
    assert any(record.name.startswith("httpcore") for record in log.records)


def test_a_request_of_theirs_logs_even_while_one_of_ours_is_under_way(
    emulator: Emulator, log: pytest.LogCaptureFixture
) -> None:
    async def both() -> None:
        source = TokenSource(settings_for(emulator.url).credentials, MemoryTokenStore())
        async with CandidAsyncClient(settings_for(emulator.url), source) as ours, httpx.AsyncClient() as theirs:
            await source.atoken()
            log.clear()
            await asyncio.gather(
                *(ours.get("/api/payers/v4", params={"search_term": MARKER}) for _ in range(5)),
                *(theirs.get(f"{emulator.url}/_emulator/health?theirs") for _ in range(5)),
            )

    asyncio.run(both())
    assert sum("?theirs" in record.getMessage() for record in log.records if record.name == "httpx") == 5
    assert MARKER not in log.text


def test_a_retry_is_logged_with_its_attempt_and_pause(
    sender: Sender, server: Scripted, log: pytest.LogCaptureFixture
) -> None:
    server.answers = [answer({"errorName": "InternalError"}, 500, Retry_After="0"), GOOD]
    sender.send(READ)
    (line,) = [record.getMessage() for record in log.records if record.levelno == logging.WARNING]
    assert line == f"attempt 1: {ROUTE}: Candid answered HTTP 500 InternalError (failure); next in 1.0 s"
