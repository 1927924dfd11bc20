"""Clients: typed errors, retries that are safe, and nothing of a patient in errors or logs."""

from __future__ import annotations

import asyncio
import email.utils
import gc
import logging
import pickle
import re
import socket
import time
import weakref
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from candid_provider import __version__
from candid_provider.api.call import Call, send_bytes
from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import (
    CandidAuthError,
    CandidConflictError,
    CandidError,
    CandidNotFoundError,
    CandidRateLimitError,
    CandidRequestError,
    CandidUnavailableError,
)
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.api.conftest import SECRET, Sender, settings_for
from tests.oauth.scripted import HANG, HTML, RESET, TRUNCATED, Answer, Scripted, answer, everything_in

INSTANCE = "00000000-0000-4000-8000-000000000001"
MARKER = "JaneRoe1970"
ROUTE = "GET /api/encounters/v4/{encounter_id}"
READ = Call(
    method="GET",
    path="/api/encounters/v4/{encounter_id}",
    path_params={"encounter_id": MARKER},
    params={"search_term": MARKER},
)
WRITE = Call(method="POST", path="/api/encounters/v4", json={"name": MARKER})
SOON = {"Retry-After": "0"}
GOOD = answer({"fine": True})


def named(status: int, name: str, content: Any, **headers: str) -> Answer:
    return answer({"errorName": name, "errorInstanceId": INSTANCE, "content": content}, status, **headers)


# --- errors

ERRORS: list[tuple[Answer, type[CandidError], str | None, tuple[str, ...]]] = [
    (named(400, "BadRequestError", {"message": MARKER}), CandidRequestError, "BadRequestError", ()),
    (named(403, "UnauthorizedError", {"message": MARKER}), CandidRequestError, "UnauthorizedError", ()),
    (named(403, "ExportDisabledError", MARKER), CandidRequestError, "ExportDisabledError", ()),
    (named(404, "EntityNotFoundError", {"id": MARKER}), CandidNotFoundError, "EntityNotFoundError", ()),
    (named(404, "NotFoundError", {"message": MARKER}), CandidNotFoundError, "NotFoundError", ()),
    (named(409, "VersionConflictError", {"latest_version": 3}), CandidConflictError, "VersionConflictError", ()),
    (named(409, "EntityConflictError", {"entity_name": MARKER}), CandidConflictError, "EntityConflictError", ()),
    (
        named(409, "ChargeExternalIdConflictError", {"message": MARKER}),
        CandidConflictError,
        "ChargeExternalIdConflictError",
        (),
    ),
    (
        named(422, "EncounterExternalIdUniquenessError", {"external_id": MARKER}),
        CandidConflictError,
        "EncounterExternalIdUniquenessError",
        (),
    ),
    (
        named(422, "HttpRequestValidationError", {"fieldName": "payer_id", "humanReadableMessage": MARKER}),
        CandidRequestError,
        "HttpRequestValidationError",
        ("payer_id",),
    ),
    (
        named(422, "HttpRequestValidationsError", [{"fieldName": "limit"}, {"fieldName": f"{MARKER} x"}, 7]),
        CandidRequestError,
        "HttpRequestValidationsError",
        ("limit",),
    ),
    (named(422, "UnprocessableEntityError", {"message": MARKER}), CandidRequestError, "UnprocessableEntityError", ()),
    (named(422, "ExportNotYetAvailableError", MARKER), CandidRequestError, "ExportNotYetAvailableError", ()),
    (
        answer({"detail": [{"type": "x", "loc": ["path", "encounter_id"], "msg": MARKER, "input": MARKER}]}, 422),
        CandidRequestError,
        None,
        ("path.encounter_id",),
    ),
    (answer({"detail": MARKER}, 405), CandidRequestError, None, ()),
    (answer([MARKER], 418), CandidRequestError, None, ()),
    (answer(None, 400), CandidRequestError, None, ()),
    (Answer(404, f"<html>{MARKER}".encode()), CandidNotFoundError, None, ()),
    (Answer(400, b'{"errorName": "' + MARKER.encode() + b'\xff"}'), CandidRequestError, None, ()),
    (Answer(400, b"[" * 20_000), CandidRequestError, None, ()),
    (answer({"errorName": f"{MARKER} Error", "errorInstanceId": MARKER}, 400), CandidRequestError, None, ()),
    (answer({"errorName": [MARKER], "errorInstanceId": 7, "content": [[MARKER]]}, 400), CandidRequestError, None, ()),
]


def fails(sender: Sender, call: Call = READ) -> CandidError:
    """The error, which holds neither id, query nor body and survives pickling."""
    error = sender.fails(call)
    assert MARKER not in everything_in(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args, vars(again)) == (type(error), str(error), error.args, vars(error))
    return error


@pytest.mark.parametrize(("said", "kind", "name", "fields"), ERRORS)
def test_each_refusal_has_its_type_and_says_what_was_refused(
    sender: Sender,
    server: Scripted,
    said: Answer,
    kind: type[CandidRequestError],
    name: str | None,
    fields: tuple[str, ...],
) -> None:
    server.answers = [said]
    error = fails(sender)
    assert type(error) is kind
    assert isinstance(error, CandidRequestError)
    assert (error.status_code, error.error_name, error.fields) == (said.status, name, fields)
    assert error.error_instance_id == (INSTANCE if INSTANCE.encode() in said.body else None)
    assert (error.route, error.retryable, len(server.requests)) == (ROUTE, False, 1)


def test_the_message_has_route_status_name_fields_and_instance(sender: Sender, server: Scripted) -> None:
    server.answers = [named(422, "HttpRequestValidationError", {"fieldName": "payer_id"})]
    assert str(fails(sender)) == (
        f"{ROUTE}: Candid answered HTTP 422 HttpRequestValidationError (fields: payer_id)"
        f" [errorInstanceId {INSTANCE}]"
    )


def test_the_emulators_own_404(candid: Sender) -> None:
    error = fails(candid, Call(method="GET", path=READ.path, path_params=READ.path_params))
    assert isinstance(error, CandidNotFoundError)
    assert error.error_instance_id


def test_a_429_carries_its_pause(hasty: Sender, server: Scripted) -> None:
    server.answers = [named(429, "TooManyRequestsError", {"message": MARKER}, Retry_After="17")]
    error = fails(hasty)
    assert isinstance(error, CandidRateLimitError)
    assert (error.retry_after, error.status_code, error.route) == (17.0, 429, ROUTE)
    assert (error.error_name, error.error_instance_id) == ("TooManyRequestsError", INSTANCE)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_fault_of_the_server_is_unavailable(hasty: Sender, server: Scripted, status: int) -> None:
    server.answers = [named(status, "InternalError", {"message": MARKER}, Retry_After="9")]
    error = fails(hasty)
    assert isinstance(error, CandidUnavailableError)
    assert (error.status_code, error.retry_after, error.retryable) == (status, 9.0, True)
    assert not error.outcome_unknown


@pytest.mark.requirement(3)
def test_401_twice_is_two_requests_two_mints_and_an_auth_error(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"detail": MARKER}, 401)]
    assert isinstance(fails(sender), CandidAuthError)
    assert (len(server.requests), len(server.token_requests)) == (2, 2)


def test_wrong_credentials_are_an_auth_error(emulator: Emulator, asynchronous: bool) -> None:
    settings = settings_for(emulator.url)
    sender = Sender(settings, 10, asynchronous)
    wrong = type(settings.credentials)("emulator", "wrong-secret", settings.auth_url)
    sender.source = TokenSource(wrong, MemoryTokenStore())
    assert "wrong-secret" not in everything_in(error := fails(sender))
    assert isinstance(error, CandidAuthError)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_not_followed(sender: Sender, server: Scripted, status: int) -> None:
    server.answers = [Answer(status, headers={"Location": f"{server.url}/elsewhere?q={MARKER}"}), GOOD]
    error = fails(sender)
    assert isinstance(error, CandidUnavailableError)
    assert (error.retryable, error.status_code, len(server.requests)) == (False, status, 1)


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


# --- the log


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


# --- the client itself


def test_requests_say_who_asks(sender: Sender, server: Scripted) -> None:
    sender.send(READ)
    assert server.requests[0].headers["user-agent"].startswith(f"airflow-provider-candid/{__version__} ")
    assert server.requests[0].headers["accept"] == "application/json"


def test_a_plain_request_goes_to_the_api_with_the_token(emulator: Emulator) -> None:
    source = TokenSource(settings_for(emulator.url).credentials, MemoryTokenStore())
    with CandidClient(settings_for(emulator.url), source) as client:
        assert client.get("/api/payers/v4").status_code == 200


def test_bytes_come_as_they_are(server: Scripted) -> None:
    server.answers = [Answer(body=b"\x00a,b\r\n\xff")]
    source = TokenSource(settings_for(server.url).credentials, MemoryTokenStore())
    with CandidClient(settings_for(server.url), source) as client:
        assert send_bytes(client, READ) == b"\x00a,b\r\n\xff"


def test_an_answer_is_gone_with_its_last_use(emulator: Emulator, asynchronous: bool) -> None:
    settings = settings_for(emulator.url)
    source = TokenSource(settings.credentials, MemoryTokenStore())

    async def answered() -> httpx.Response:
        if not asynchronous:
            with CandidClient(settings, source) as client:
                return client.get("/api/payers/v4")
        async with CandidAsyncClient(settings, source) as aclient:
            return await aclient.get("/api/payers/v4")

    response = asyncio.run(answered())
    gc.disable()
    try:
        assert b"".join(response.iter_bytes()) == response.content == response.read()
        kept = weakref.ref(response)
        del response
        assert kept() is None
    finally:
        gc.enable()


@pytest.mark.requirement(3)
def test_a_token_that_is_revoked_midway_is_not_noticed_by_the_caller(asynchronous: bool) -> None:
    with running(EmulatorConfig(encounters=3)) as emulator:
        sender = Sender(settings_for(emulator.url), 10, asynchronous)
        call = Call(method="GET", path="/api/payers/v4")
        before = sender.send(call)
        emulator.revoke_tokens()
        assert sender.send(call) == before
        assert emulator.stats()["token"]["minted"] == 2
