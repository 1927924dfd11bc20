"""What is sent again: reads while that makes sense, writes only if they cannot have been processed."""

from __future__ import annotations

import email.utils
import socket
import time
from collections.abc import Iterator

import pytest

from candid_provider.api.call import Call
from candid_provider.exceptions import (
    CandidRateLimitError,
    CandidUnavailableError,
)
from tests.api.calls import GOOD, MARKER, READ, SOON, WRITE, fails
from tests.api.conftest import Sender, settings_for
from tests.oauth.scripted import HANG, HTML, RESET, TRUNCATED, Answer, Scripted, answer

# --- retries of reads


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500, headers=SOON),
        Answer(502, b"<html>try again in 30 seconds", SOON),
        Answer(503, headers=SOON),
        answer({}, 429, Retry_After="0"),
        HTML,
        RESET,
        TRUNCATED,
        Answer(200, b'{"broken'),
        Answer(200, b"<html>"),
        Answer(200, b'"\xff"'),
        Answer(200, b"[" * 20_000),
    ],
    ids=["500", "502", "503", "429", "HTML", "reset", "truncated", "half JSON", "HTML 200", "no UTF-8", "nested"],
)
def test_a_read_is_sent_again(sender: Sender, server: Scripted, trouble: Answer) -> None:
    server.answers = [trouble, GOOD]
    assert sender.send(READ) == {"fine": True}
    assert len(server.requests) == 2


def test_a_read_that_times_out_is_sent_again(server: Scripted, asynchronous: bool) -> None:
    server.answers = [HANG, GOOD]
    sender = Sender(settings_for(server.url, timeout=0.3), 10, asynchronous)
    assert sender.send(READ) == {"fine": True}


def test_retries_end_with_the_deadline(server: Scripted, asynchronous: bool) -> None:
    server.answers = [Answer(500, headers=SOON)]
    error = fails(Sender(settings_for(server.url), 1.9, asynchronous, speed=1.0))
    assert isinstance(error, CandidUnavailableError)
    assert len(server.requests) == 2  # SOON is no licence to hammer: there is a second between two tries


def test_a_pause_beyond_the_deadline_is_not_waited_for(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({}, 429, Retry_After="86400")]
    error = fails(sender)
    assert isinstance(error, CandidRateLimitError)
    assert (error.retry_after, len(server.requests)) == (86_400.0, 1)


def test_a_date_as_retry_after_is_understood(sender: Sender, server: Scripted) -> None:
    over = email.utils.formatdate(time.time() - 60, usegmt=True)
    server.answers = [answer({}, 429, Retry_After=over), GOOD]
    assert sender.send(READ) == {"fine": True}


@pytest.mark.parametrize("header", ["soon", "-1", "\u00b2", "9" * 400])
def test_a_nonsense_retry_after_is_no_other_error(hasty: Sender, server: Scripted, header: str) -> None:
    server.answers = [answer({}, 429, Retry_After=header)]
    assert isinstance(fails(hasty), CandidRateLimitError)


@pytest.mark.parametrize("status", [501, 505])
@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "write"])
def test_what_the_server_cannot_do_is_not_asked_again(
    sender: Sender, server: Scripted, status: int, call: Call
) -> None:
    server.answers = [Answer(status, headers=SOON), GOOD]
    error = fails(sender, call)
    assert isinstance(error, CandidUnavailableError)
    assert (error.retryable, error.outcome_unknown, len(server.requests)) == (False, False, 1)


def test_a_post_that_only_reads_is_sent_again(sender: Sender, server: Scripted) -> None:
    server.answers = [Answer(500, headers=SOON), GOOD]
    assert sender.send(Call(method="POST", path="/api/x", json={}, read_only=True)) == {"fine": True}


def test_a_get_that_writes_is_not_sent_again(sender: Sender, server: Scripted) -> None:
    server.answers = [Answer(500, headers=SOON), GOOD]
    error = fails(sender, Call(method="GET", path="/api/x", read_only=False))
    assert isinstance(error, CandidUnavailableError)
    assert error.outcome_unknown


# --- retries of writes


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500, headers=SOON),
        Answer(503, headers=SOON),
        Answer(408),
        HTML,
        RESET,
        TRUNCATED,
        HANG,
        Answer(200, b"<"),
    ],
    ids=["500", "503", "408", "HTML", "reset", "truncated", "timeout", "unreadable"],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_whose_fate_is_unknown_is_not_repeated(
    server: Scripted, asynchronous: bool, trouble: Answer, method: str
) -> None:
    server.answers = [trouble, GOOD]
    sender = Sender(settings_for(server.url, timeout=0.3), 10, asynchronous)
    error = fails(sender, Call(method=method, path="/api/encounters/v4", json={"name": MARKER}))
    assert isinstance(error, CandidUnavailableError)
    assert (error.outcome_unknown, len(server.requests)) == (True, 1)


def test_a_write_that_was_turned_away_is_repeated(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({}, 429, Retry_After="0"), answer({}, 429, Retry_After="0"), GOOD]
    assert sender.send(WRITE) == {"fine": True}
    assert len(server.requests) == 3


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        yield int(taken.getsockname()[1])


def closed(server: Scripted, port: int, deadline: float, asynchronous: bool) -> Sender:
    """Tokens come from the server, the API's own port is closed."""
    settings = settings_for(server.url, pre_encounter=f"http://127.0.0.1:{port}")
    return Sender(settings, deadline, asynchronous)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_connection_nothing_is_unknown(
    server: Scripted, closed_port: int, method: str, asynchronous: bool
) -> None:
    error = fails(closed(server, closed_port, 0, asynchronous), Call(method=method, path="/patients/v1"))
    assert isinstance(error, CandidUnavailableError)
    assert (error.outcome_unknown, error.retryable) == (False, True)
    assert "ConnectError" in str(error)


def test_a_write_that_found_no_connection_is_repeated(
    server: Scripted, closed_port: int, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fails(closed(server, closed_port, 1.5, asynchronous), Call(method="POST", path="/patients/v1"))
    assert "attempt 1: POST /patients/v1" in caplog.text


def test_a_write_waits_for_a_token_before_it_is_sent(sender: Sender, server: Scripted) -> None:
    server.token_answers = [
        Answer(503),
        answer({"access_token": "a-bearer", "expires_in": 18_000, "token_type": "Bearer"}),
    ]
    server.answers = [GOOD]
    assert sender.send(WRITE) == {"fine": True}
    assert len(server.requests) == 1
