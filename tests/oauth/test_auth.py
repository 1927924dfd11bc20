"""The httpx auth: the bearer goes to Candid's own hosts, and one replay follows a refused one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidAuthError
from candid_provider.oauth.auth import CandidAuth
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.oauth.conftest import SECRET, signed_up
from tests.oauth.scripted import Answer, Scripted, answer, everything_in, serving

REFUSAL = answer({"detail": "Unauthorized"}, 401)
Send = Callable[..., httpx.Response]
PAYERS = "/api/payers/v4"


def auth_for(server: Scripted, *urls: str) -> CandidAuth:
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore())
    return CandidAuth(source, urls or (server.url,))


def send_sync(auth: CandidAuth, url: str, **options: object) -> httpx.Response:
    with httpx.Client(auth=auth) as http:
        # Options of many types, passed on as they come.
        return http.request(options.pop("method", "GET"), url, **options)  # type: ignore[arg-type]


def send_async(auth: CandidAuth, url: str, **options: object) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(auth=auth) as http:
            return await http.request(options.pop("method", "GET"), url, **options)  # type: ignore[arg-type]

    return asyncio.run(send())


@pytest.fixture(params=[send_sync, send_async], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    sender: Send = request.param
    return sender


@pytest.fixture
def other() -> Iterator[Scripted]:
    with serving() as script:
        yield script


# --- replay


def test_requests_are_signed_with_one_bearer(emulator: Emulator, send: Send) -> None:
    auth = CandidAuth(TokenSource(signed_up(emulator), MemoryTokenStore()), [emulator.url])
    assert [send(auth, emulator.url + PAYERS).status_code for _ in range(3)] == [200, 200, 200]
    assert emulator.stats()["token"]["minted"] == 1


@pytest.mark.requirement(3)
def test_a_revoked_token_is_replaced_and_the_request_sent_again(emulator: Emulator, send: Send) -> None:
    auth = CandidAuth(TokenSource(signed_up(emulator), MemoryTokenStore()), [emulator.url])
    send(auth, emulator.url + PAYERS)
    emulator.revoke_tokens()
    assert send(auth, emulator.url + PAYERS).status_code == 200
    assert emulator.stats()["token"]["minted"] == 2
    assert emulator.stats()["statuses"]["401"] == 1


@pytest.mark.requirement(3)
def test_a_streamed_answer_begins_on_the_new_token(emulator: Emulator) -> None:
    auth = CandidAuth(TokenSource(signed_up(emulator), MemoryTokenStore()), [emulator.url])

    async def read() -> bytes:
        async with httpx.AsyncClient(auth=auth) as http, http.stream("GET", emulator.url + PAYERS) as response:
            return b"".join([piece async for piece in response.aiter_bytes()])

    with httpx.Client(auth=auth) as http:
        whole = http.get(emulator.url + PAYERS).content
        emulator.revoke_tokens()
        with http.stream("GET", emulator.url + PAYERS) as response:
            assert b"".join(response.iter_bytes()) == whole
    emulator.revoke_tokens()
    assert asyncio.run(read()) == whole
    assert emulator.stats()["token"]["minted"] == 3


@pytest.mark.requirement(3)
def test_a_second_401_in_a_row_is_final(server: Scripted, send: Send) -> None:
    server.answers = [REFUSAL]
    assert send(auth_for(server), server.url + "/x").status_code == 401
    assert server.authorizations == ["Bearer bearer-number-1", "Bearer bearer-number-2"]
    assert len(server.token_requests) == 2


@pytest.mark.requirement(3)
def test_the_body_goes_along_with_the_replay(server: Scripted, send: Send) -> None:
    server.answers = [REFUSAL, answer({})]
    assert send(auth_for(server), server.url + "/x", method="POST", json={"a": 1}).status_code == 200
    assert [request.body for request in server.requests] == [b'{"a":1}', b'{"a":1}']


@pytest.mark.requirement(3)
def test_a_body_that_streams_is_not_sent_again(server: Scripted) -> None:
    server.answers = [REFUSAL, answer({})]
    stream = (chunk for chunk in [b"once", b"only"])
    assert send_sync(auth_for(server), server.url + "/x", method="POST", content=stream).status_code == 401
    assert [request.body for request in server.requests] == [b"onceonly"]
    assert len(server.token_requests) == 2  # so that the caller's next try works


@pytest.mark.requirement(3)
def test_an_async_body_that_streams_is_not_sent_again(server: Scripted) -> None:
    server.answers = [REFUSAL, answer({})]

    async def stream() -> AsyncIterator[bytes]:
        yield b"once"

    assert send_async(auth_for(server), server.url + "/x", method="POST", content=stream()).status_code == 401
    assert len(server.requests) == 1


def test_a_403_leaves_a_living_token_alone(server: Scripted, send: Send) -> None:
    server.answers = [answer({"errorName": "UnauthorizedError"}, 403)]
    assert send(auth_for(server), server.url + "/x").status_code == 403
    assert (len(server.requests), len(server.token_requests)) == (1, 1)


def test_a_403_replaces_a_token_that_died_on_the_way(server: Scripted, send: Send) -> None:
    server.token_answers = [
        answer({"access_token": "short-lived", "expires_in": 0.3}),
        answer({"access_token": "long-lived", "expires_in": 18_000}),
    ]
    server.answers = [Answer(403, manner="slow"), answer({})]
    assert send(auth_for(server), server.url + "/x").status_code == 200
    assert server.authorizations[-1] == "Bearer long-lived"


def test_refused_credentials_are_an_error_of_ours(server: Scripted, send: Send) -> None:
    server.token_answers = [answer({"detail": SECRET}, 401)]
    with pytest.raises(CandidAuthError) as failure:
        send(auth_for(server), server.url + "/x?q=Jane")
    shown = everything_in(failure.value)
    assert not [hidden for hidden in (SECRET, "Jane", "httpx") if hidden in shown]
    assert server.requests == []


@pytest.mark.requirement(5)
def test_the_secret_is_nowhere_in_the_answers_history(server: Scripted, send: Send) -> None:
    server.answers = [REFUSAL, answer({})]
    response = send(auth_for(server), server.url + "/x")
    requests = [response.request, *(past.request for past in response.history)]
    assert not [request for request in requests if SECRET.encode() in request.content]


# --- whose eyes only


def test_another_server_gets_no_bearer(server: Scripted, other: Scripted, send: Send) -> None:
    send(auth_for(server), f"{other.url}/file?signature=1")
    assert other.authorizations == [None]
    assert server.token_requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_bearer_along(server: Scripted, other: Scripted, send: Send, status: int) -> None:
    server.answers = [Answer(status, headers={"Location": f"{other.url}/file"})]
    assert send(auth_for(server), f"{server.url}/x", follow_redirects=True).status_code == 200
    assert server.authorizations == ["Bearer bearer-number-1"]
    assert other.authorizations == [None]


@contextmanager
def bases(server: Scripted) -> Iterator[list[str]]:
    port = server.url.rpartition(":")[2]
    yield [f"https://127.0.0.1:{port}", f"http://localhost:{port}", "http://127.0.0.1:1", "http://127.0.0.1"]


@pytest.mark.parametrize("which", range(4), ids=["scheme", "host", "port", "default port"])
def test_scheme_host_and_port_must_all_be_equal(server: Scripted, send: Send, which: int) -> None:
    with bases(server) as others:
        send(auth_for(server, others[which]), f"{server.url}/x")
    assert server.authorizations == [None]


def test_a_host_that_only_begins_alike_gets_no_bearer(server: Scripted, other: Scripted, send: Send) -> None:
    user_info = server.url.replace("http://", "") + "@" + other.url.replace("http://", "")
    send(auth_for(server), f"http://{user_info}/x")
    assert "Bearer" not in str(other.authorizations)


def test_each_of_several_hosts_gets_the_bearer(server: Scripted, other: Scripted, send: Send) -> None:
    auth = auth_for(server, server.url, other.url + "/with/a/path")
    send(auth, f"{server.url}/x")
    send(auth, f"{other.url}/y")
    assert server.authorizations == other.authorizations == ["Bearer bearer-number-1"]


def test_upper_case_and_a_default_port_are_the_same_host() -> None:
    from candid_provider.oauth.auth import origin

    assert origin(httpx.URL("HTTPS://API.Candid.invalid")) == origin(httpx.URL("https://api.candid.invalid:443/x"))


def test_a_401_of_another_host_replaces_nothing(server: Scripted, other: Scripted, send: Send) -> None:
    other.answers = [REFUSAL]
    assert send(auth_for(server), f"{other.url}/file").status_code == 401
    assert server.token_requests == []


def test_a_401_behind_a_redirect_replaces_nothing(server: Scripted, other: Scripted, send: Send) -> None:
    server.answers = [Answer(307, headers={"Location": f"{other.url}/file"})]
    other.answers = [REFUSAL]
    assert send(auth_for(server), f"{server.url}/x", follow_redirects=True).status_code == 401
    assert (len(other.requests), len(server.token_requests)) == (1, 1)
