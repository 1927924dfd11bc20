"""Clients: typed errors that tell nothing of a patient, and what httpx does with them."""

from __future__ import annotations

import asyncio
import gc
import weakref

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
from tests.api.calls import GOOD, INSTANCE, MARKER, READ, ROUTE, fails, named
from tests.api.conftest import Sender, settings_for
from tests.oauth.scripted import Answer, Scripted, answer, everything_in

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
