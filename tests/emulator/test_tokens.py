from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running

TOKEN = "/api/auth/v2/token"
GOOD = {"client_id": "emulator", "client_secret": "emulator-secret"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=3, token_lifetime=600, rate_limit=3), clock=clock) as emulator:
        yield emulator


@pytest.fixture
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.url) as http:
        yield http


def mint(http: httpx.Client) -> dict[str, str]:
    return {"authorization": f"Bearer {http.post(TOKEN, json=GOOD).json()['access_token']}"}


@pytest.mark.parametrize("form", ["json", "data"])
def test_good_credentials_get_a_bearer_token_that_works(http: httpx.Client, form: str) -> None:
    sent: dict[str, Any] = {form: GOOD}
    answer = http.post(TOKEN, **sent)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["expires_in"], body["token_type"]) == (600, "Bearer")
    assert http.get("/api/payers/v4", headers={"authorization": f"bearer {body['access_token']}"}).is_success


def test_the_token_is_a_jwt_that_the_published_key_verifies(http: httpx.Client, clock: Clock) -> None:
    token = http.post(TOKEN, json=GOOD).json()["access_token"]
    pem = http.get("/pem").text
    claims = jwt.decode(token, pem, algorithms=["RS256"], options={"verify_iat": False})
    assert claims["sub"] == "emulator"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iat"] == clock.now
    assert {"iss", "jti"} <= claims.keys()


def test_another_content_type_is_415(http: httpx.Client) -> None:
    answer = http.post(TOKEN, content="client_id=emulator", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json() == {
        "errorName": "InvalidContentTypeError",
        "content": {"message": "Unsupported content type"},
    }


def test_no_content_type_is_415(http: httpx.Client) -> None:
    assert http.post(TOKEN).status_code == 415


def test_a_charset_in_the_content_type_does_not_matter(http: httpx.Client) -> None:
    body = b'{"client_id": "emulator", "client_secret": "emulator-secret"}'
    assert http.post(TOKEN, content=body, headers={"content-type": "Application/JSON; charset=utf-8"}).is_success


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"client_secret": "x"}, {"client_secret": "\ud800"}])
def test_wrong_credentials_are_401_and_counted(emulator: Emulator, wrong: dict[str, str]) -> None:
    # Not by httpx's own encoder, which cannot write half a surrogate pair.
    body = json.dumps(GOOD | wrong).encode()
    answer = httpx.post(emulator.url + TOKEN, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 401
    assert "detail" in answer.json()
    assert emulator.stats()["token"] == {"minted": 0, "rate_limited": 0, "refused": 1}


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
@pytest.mark.parametrize("form", ["json", "data"])
def test_a_missing_field_is_422_and_named(http: httpx.Client, missing: str, form: str) -> None:
    sent: dict[str, Any] = {form: {name: value for name, value in GOOD.items() if name != missing}}
    answer = http.post(TOKEN, **sent)
    assert answer.status_code == 422
    assert [(item["type"], item["loc"]) for item in answer.json()["detail"]] == [("missing", ["body", missing])]


@pytest.mark.parametrize("body", [[], "text", 1, None, {"client_id": 1, "client_secret": None}])
def test_json_of_another_shape_is_422(http: httpx.Client, body: Any) -> None:
    answer = http.post(TOKEN, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_malformed_json_is_400(http: httpx.Client, body: bytes) -> None:
    assert http.post(TOKEN, content=body, headers={"content-type": "application/json"}).status_code == 400


def test_beyond_the_rate_limit_is_429_without_retry_after(http: httpx.Client, emulator: Emulator) -> None:
    statuses = [http.post(TOKEN, json=GOOD).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    answer = http.post(TOKEN, json=GOOD)
    assert answer.json() == {"errorName": "TooManyRequestsError", "content": {"message": "Too many requests"}}
    assert "retry-after" not in answer.headers
    assert emulator.stats()["token"] == {"minted": 3, "rate_limited": 3, "refused": 0}


def test_the_rate_limit_is_a_rolling_minute_that_refusals_do_not_prolong(http: httpx.Client, clock: Clock) -> None:
    for later in (0, 10, 10):
        clock.now += later
        assert http.post(TOKEN, json=GOOD).is_success
    clock.now += 39.9
    assert http.post(TOKEN, json=GOOD).status_code == 429
    clock.now += 0.1
    assert http.post(TOKEN, json=GOOD).is_success
    assert http.post(TOKEN, json=GOOD).status_code == 429


def test_without_a_rate_limit_tokens_are_free() -> None:
    with running(EmulatorConfig(encounters=1)) as emulator:
        assert all(httpx.post(emulator.url + TOKEN, json=GOOD).is_success for _ in range(20))


def test_a_token_works_until_it_expires(http: httpx.Client, clock: Clock) -> None:
    headers = mint(http)
    clock.now += 599.9
    assert http.get("/api/payers/v4", headers=headers).status_code == 200
    clock.now += 0.1
    assert http.get("/api/payers/v4", headers=headers).status_code == 401


def test_a_new_token_leaves_the_old_one_alive(http: httpx.Client) -> None:
    old, new = mint(http), mint(http)
    assert old != new
    assert all(http.get("/api/payers/v4", headers=headers).is_success for headers in (old, new))


def test_revoked_tokens_are_refused_and_new_ones_work(http: httpx.Client) -> None:
    headers = mint(http)
    assert http.post("/_emulator/tokens/revoke").json() == {"revoked": 1}
    assert http.get("/api/payers/v4", headers=headers).status_code == 401
    assert http.get("/api/payers/v4", headers=mint(http)).status_code == 200


def test_revoking_in_process_does_the_same(http: httpx.Client, emulator: Emulator) -> None:
    headers = mint(http)
    assert emulator.revoke_tokens() == 1
    assert http.get("/api/payers/v4", headers=headers).status_code == 401


def test_a_token_of_another_emulator_is_refused(http: httpx.Client) -> None:
    with running(EmulatorConfig(encounters=1)) as other, httpx.Client(base_url=other.url) as elsewhere:
        assert http.get("/api/payers/v4", headers=mint(elsewhere)).status_code == 401


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic {token}", "{token}"])
@pytest.mark.parametrize("path", ["/api/encounters/v4", "/patients/v1/updates/scan", "/api/unknown"])
def test_every_other_route_wants_the_bearer(http: httpx.Client, path: str, header: str | None) -> None:
    token = mint(http)["authorization"].removeprefix("Bearer ")
    headers = {} if header is None else {"authorization": header.format(token=token)}
    answer = http.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})


def test_credentials_can_be_chosen() -> None:
    config = EmulatorConfig(encounters=1, client_id="me", client_secret="mine")
    assert "mine" not in repr(config)
    with running(config) as emulator:
        assert httpx.post(emulator.url + TOKEN, json=GOOD).status_code == 401
        mine = {"client_id": "me", "client_secret": "mine"}
        assert httpx.post(emulator.url + TOKEN, json=mine).status_code == 200
