"""Credentials: what they are called, and how the token endpoint's answer is read, however hostile."""

from __future__ import annotations

import base64
import email.utils
import json
import pickle
import socket
import time
from typing import Any, Literal

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.emulator import Emulator
from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidError,
    CandidRateLimitError,
    CandidUnavailableError,
)
from candid_provider.oauth.credentials import DEFAULT_LIFE, MAX_LIFE, ClientCredentials
from candid_provider.oauth.token import AccessToken
from tests.oauth.conftest import SECRET, signed_up
from tests.oauth.scripted import HANG, RESET, TRUNCATED, Answer, Scripted, answer, everything_in

TIMEOUT = 5.0
GOOD = {"access_token": "a-good-bearer", "expires_in": 600, "token_type": "Bearer"}
BODY = "Jane Roe was here"


def minted(server: Scripted, credentials: ClientCredentials, http: httpx.Client, **changed: Any) -> AccessToken:
    server.token_answers = [answer({k: v for k, v in (GOOD | changed).items() if v is not ...})]
    return credentials.mint(http, timeout=TIMEOUT, minted_by="host:1")


def failure(credentials: ClientCredentials, http: httpx.Client, timeout: float = TIMEOUT) -> CandidError:
    """The error of a mint, which tells nothing it must not."""
    with pytest.raises(CandidError) as caught:
        credentials.mint(http, timeout=timeout)
    shown = everything_in(caught.value)
    for hidden in (BODY, "Jane", SECRET, "a-good-bearer", "some-client", "127.0.0.1", "?", "httpx"):
        assert hidden not in shown
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    return caught.value


def life(token: AccessToken) -> float:
    return token.expires_at - token.issued_at


def signed(**claims: float | str) -> str:
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


# --- asking


@pytest.mark.parametrize("encoding", ["json", "form"])
def test_the_emulator_mints_for_either_encoding(
    emulator: Emulator, http: httpx.Client, encoding: Literal["json", "form"]
) -> None:
    credentials = ClientCredentials("emulator", "emulator-secret", signed_up(emulator).token_url, encoding)
    token = credentials.mint(http, timeout=TIMEOUT, minted_by="host:1")
    assert emulator.stats()["token"]["minted"] == 1
    assert (life(token), token.minted_by) == (18_000, "host:1")


def test_the_minted_bearer_opens_the_api(emulator: Emulator, http: httpx.Client) -> None:
    bearer = signed_up(emulator).mint(http, timeout=TIMEOUT).value
    assert http.get(f"{emulator.url}/api/payers/v4", headers={"Authorization": f"Bearer {bearer}"}).is_success


@pytest.mark.requirement(18)
def test_a_wrong_secret_names_the_connections_fields(emulator: Emulator, http: httpx.Client) -> None:
    with pytest.raises(CandidAuthError, match=r"login.*password.*environment") as refused:
        signed_up(emulator, "wrong-secret").mint(http, timeout=TIMEOUT)
    assert "wrong-secret" not in everything_in(refused.value)
    assert not refused.value.retryable


def test_json_carries_the_two_fields_and_nothing_else(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    minted(server, credentials, http)
    (request,) = server.token_requests
    assert json.loads(request.body) == {"client_id": "some-client", "client_secret": SECRET}
    assert "authorization" not in request.headers


def test_life_is_counted_from_before_the_request(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    before = time.time()
    assert before <= minted(server, credentials, http).issued_at <= time.time()


# --- reading a life


@pytest.mark.parametrize(
    "expires_in", [..., None, 0, -1, -18_000, "soon", "", [], {}, float("nan"), float("-inf"), "nan", "-5"]
)
@pytest.mark.requirement(17)
def test_a_life_that_cannot_be_read_is_five_hours(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, expires_in: Any
) -> None:
    if isinstance(expires_in, float):  # JSON has no such number, so the whole answer is unreadable
        server.token_answers = [answer(GOOD | {"expires_in": expires_in})]
        assert isinstance(failure(credentials, http), CandidUnavailableError)
    else:
        assert life(minted(server, credentials, http, expires_in=expires_in)) == DEFAULT_LIFE


@pytest.mark.parametrize("expires_in", [86_401, 10**9, 10**300, "99999999", 1e18])
@pytest.mark.requirement(17)
def test_a_huge_life_is_capped_at_a_day(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, expires_in: Any
) -> None:
    assert life(minted(server, credentials, http, expires_in=expires_in)) == pytest.approx(MAX_LIFE)


def test_a_number_beyond_all_numbers_gives_a_safe_life_or_a_typed_error(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    body = b'{"access_token": "a-good-bearer", "expires_in": %b}' % (b"9" * 5000)
    server.token_answers = [Answer(body=body)]
    try:
        token = credentials.mint(http, timeout=TIMEOUT)
    except CandidUnavailableError:
        return
    assert 0 < life(token) <= MAX_LIFE


@pytest.mark.parametrize("expires_in", [600, 600.0, "600"])
@pytest.mark.requirement(17)
def test_seconds_may_come_as_a_number_or_a_text(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, expires_in: Any
) -> None:
    assert life(minted(server, credentials, http, expires_in=expires_in)) == pytest.approx(600)


@pytest.mark.parametrize(("expires_in", "jwt_life", "shorter"), [(600, 300, 300), (300, 600, 300), (..., 450, 450)])
def test_the_shorter_of_expires_in_and_the_jwts_own_life_counts(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, expires_in: Any, jwt_life: int, shorter: int
) -> None:
    value = signed(iat=1_000, exp=1_000 + jwt_life)
    token = minted(server, credentials, http, access_token=value, expires_in=expires_in)
    assert life(token) == pytest.approx(shorter)


def test_a_jwt_from_a_host_with_another_clock_keeps_its_length(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    an_hour_ago = time.time() - 3600
    value = signed(iat=an_hour_ago, exp=an_hour_ago + 500)
    assert life(minted(server, credentials, http, access_token=value)) == pytest.approx(500)


@pytest.mark.parametrize("claims", [{}, {"exp": 5, "iat": 10}, {"iat": 7}, {"exp": "never", "iat": 1}])
def test_a_jwt_that_says_nothing_useful_changes_nothing(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, claims: dict[str, Any]
) -> None:
    assert life(minted(server, credentials, http, access_token=signed(**claims))) == pytest.approx(600)


def test_a_jwt_nested_without_end_changes_nothing(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    part = base64.urlsafe_b64encode(b"[" * 30_000).decode()
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
    assert life(minted(server, credentials, http, access_token=f"{header}.{part}.x")) == pytest.approx(600)


# --- hostile answers


@pytest.mark.parametrize("value", [..., None, 1, True, [], {}, "", " ", "two\nlines", "a\r\nX: y", "\x00", "b\u00e9"])
@pytest.mark.requirement(17)
def test_an_answer_without_a_usable_access_token(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, value: Any
) -> None:
    server.token_answers = [answer({k: v for k, v in (GOOD | {"access_token": value}).items() if v is not ...})]
    assert "access_token" in str(failure(credentials, http))


@pytest.mark.parametrize("kind", [None, "", ..., "bearer", "BEARER"])
def test_a_bearer_by_any_spelling_is_one(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, kind: Any
) -> None:
    assert minted(server, credentials, http, token_type=kind).value == "a-good-bearer"


@pytest.mark.parametrize("kind", ["MAC", f"{BODY}", 1, ["Bearer"], {"a": BODY}])
@pytest.mark.requirement(17)
def test_another_token_type_is_refused_without_being_shown(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, kind: Any
) -> None:
    server.token_answers = [answer(GOOD | {"token_type": kind})]
    assert "token_type" in str(failure(credentials, http))


@pytest.mark.parametrize(
    "body",
    [
        f"<html>{BODY}</html>".encode(),
        b"",
        b"null",
        b"[]",
        b'"a-good-bearer"',
        b'{"access_token": "a-good-bearer"',
        b'{"access_token": "Jane \xff"}',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b'{"access_token": "a-good-bearer", "x": ' + b"[" * 50_000,
    ],
    ids=["html", "empty", "null", "list", "text", "cut off", "not UTF-8", "binary", "nested", "nested inside"],
)
@pytest.mark.requirement(17)
def test_a_200_that_is_no_token_answer(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, body: bytes
) -> None:
    server.token_answers = [Answer(body=body)]
    assert isinstance(failure(credentials, http), CandidUnavailableError)


@pytest.mark.requirement(17)
def test_an_answer_of_more_than_a_megabyte_is_not_read(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    server.token_answers = [answer(GOOD | {"padding": BODY * 100_000})]
    assert isinstance(failure(credentials, http), CandidUnavailableError)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.requirement(17)
def test_a_redirect_is_not_followed_and_names_auth_url(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, status: int
) -> None:
    server.token_answers = [Answer(status, BODY.encode(), {"Location": f"{server.url}/elsewhere?q={SECRET}"})]
    error = failure(credentials, http)
    assert isinstance(error, CandidConfigError)
    assert (error.field, server.requests) == ("auth_url", [])


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_path_that_is_not_there_names_auth_url(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, status: int
) -> None:
    server.token_answers = [answer({"detail": BODY}, status)]
    error = failure(credentials, http)
    assert isinstance(error, CandidConfigError)
    assert str(error).startswith("auth_url")


@pytest.mark.parametrize("status", [400, 401, 403, 415, 422])
@pytest.mark.requirement(18)
def test_refused_credentials(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, status: int
) -> None:
    server.token_answers = [answer({"detail": f"{BODY} {SECRET}"}, status)]
    error = failure(credentials, http)
    assert isinstance(error, CandidAuthError)
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.requirement(18)
def test_a_fault_of_the_server_is_worth_another_try(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, status: int
) -> None:
    server.token_answers = [Answer(status, BODY.encode(), {"Retry-After": "3"})]
    error = failure(credentials, http)
    assert isinstance(error, CandidUnavailableError)
    assert (error.status_code, error.retry_after, error.retryable) == (status, 3.0, True)


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_a_success_other_than_200_is_no_token(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, status: int
) -> None:
    server.token_answers = [Answer(status, b"" if status == 204 else BODY.encode())]
    assert isinstance(failure(credentials, http), CandidUnavailableError)


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17.0), (" 0 ", 0.0), ("later", None), ("-3", None), ("", None), ("\u00b2", None)]
)
def test_429_carries_the_seconds_of_retry_after_if_it_has_any(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, header: str, seconds: float | None
) -> None:
    server.token_answers = [answer({"content": {"message": BODY}}, 429, Retry_After=header)]
    error = failure(credentials, http)
    assert isinstance(error, CandidRateLimitError)
    assert (error.retry_after, error.retryable) == (seconds, True)


def test_429_with_a_date_counts_from_now(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    date = email.utils.formatdate(time.time() + 90, usegmt=True)
    server.token_answers = [Answer(429, BODY.encode(), {"Retry-After": date})]
    error = failure(credentials, http)
    assert isinstance(error, CandidRateLimitError)
    assert error.retry_after == pytest.approx(90, abs=30)


@pytest.mark.parametrize("broken", [RESET, TRUNCATED], ids=["reset", "truncated"])
def test_a_broken_connection(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client, broken: Answer
) -> None:
    server.token_answers = [broken]
    assert isinstance(failure(credentials, http), CandidUnavailableError)


def test_a_broken_compression(server: Scripted, credentials: ClientCredentials, http: httpx.Client) -> None:
    server.token_answers = [Answer(200, BODY.encode(), {"Content-Encoding": "gzip"})]
    assert isinstance(failure(credentials, http), CandidUnavailableError)


def test_a_refused_connection_says_to_check_the_host(http: httpx.Client) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/auth/v2/token"
        error = failure(ClientCredentials("some-client", SECRET, url), http)
    assert isinstance(error, CandidUnavailableError)
    assert "ConnectError" in str(error)


@pytest.mark.requirement(15)
def test_an_endpoint_that_hangs_runs_into_the_timeout(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    server.token_answers = [HANG]
    assert "Timeout" in str(failure(credentials, http, timeout=0.2))


@pytest.mark.requirement(15)
def test_an_endpoint_that_trickles_runs_into_the_timeout_too(
    server: Scripted, credentials: ClientCredentials, http: httpx.Client
) -> None:
    # Each byte comes well within the timeout, the answer as a whole takes ten times as long.
    body = json.dumps(GOOD).encode().ljust(100)
    server.token_answers = [Answer(body=body, manner="trickle")]
    assert isinstance(failure(credentials, http, timeout=0.5), CandidUnavailableError)


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/?q=Jane", "http://[Jane/", "gopher://Jane/?q", "Jane?q=1"])
def test_a_url_that_is_none_is_not_shown(http: httpx.Client, url: str) -> None:
    failure(ClientCredentials("some-client", SECRET, url), http)


# --- names


@pytest.mark.requirement(11)
def test_equal_credentials_have_equal_fingerprints(credentials: ClientCredentials) -> None:
    twin = ClientCredentials(credentials.client_id, SECRET, credentials.token_url, "form")
    assert twin.fingerprint == credentials.fingerprint
    assert len(twin.fingerprint) == 16


@pytest.mark.parametrize("field", ["client_id", "client_secret", "token_url"])
@pytest.mark.requirement(11)
def test_each_part_changes_the_fingerprint(field: str) -> None:
    parts = {"client_id": "me", "client_secret": SECRET, "token_url": "https://api.invalid/token"}
    changed = parts | {field: parts[field] + "x"}
    assert ClientCredentials(**parts).fingerprint != ClientCredentials(**changed).fingerprint  # type: ignore[arg-type]


@given(st.text(min_size=1), st.text(min_size=4), st.text(min_size=1))
def test_the_fingerprint_is_hex_and_tells_nothing(client_id: str, secret: str, url: str) -> None:
    fingerprint = ClientCredentials(client_id, secret, url).fingerprint
    assert len(bytes.fromhex(fingerprint)) == 8


def test_the_fingerprint_does_not_contain_the_secret() -> None:
    assert "abc" not in ClientCredentials("me", "abc", "https://api.invalid").fingerprint


def test_keys_for_different_purposes_differ(credentials: ClientCredentials) -> None:
    assert credentials.derive("one", 32) != credentials.derive("other", 32)


def test_no_printout_shows_the_secret(credentials: ClientCredentials) -> None:
    assert SECRET not in f"{credentials} {credentials!r} {[credentials]}"
