"""Each kind of fault, by what a client sees of it over a real connection."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
import uvicorn

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.app import App, Emulation

from .conftest import Api, connected, sign_in

ENCOUNTERS = "/api/encounters/v4"
SCAN = "/patients/v1/updates/scan"
TOKEN = "/api/auth/v2/token"
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=40, patients=30, days=10, payers=5)


@pytest.fixture(scope="module")
def served() -> Iterator[Emulator]:
    with running(SMALL, clock=lambda: NOON) as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Iterator[Emulator]:
    """An emulator without rules and with an empty log."""
    served.faults.clear()
    served.forget_requests()
    yield served
    served.faults.clear()


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    with connected(emulator) as http:
        emulator.forget_requests()
        yield Api(http)


def statuses(api: Api, times: int, path: str = "/api/payers/v4") -> list[int]:
    return [api.get(path, limit=1).status_code for _ in range(times)]


# --- when a rule strikes


def test_a_rule_strikes_the_next_request_and_no_other(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="status", status=503)
    assert statuses(api, 3) == [503, 200, 200]


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        ({"count": 2}, "xx......"),
        ({"count": None}, "xxxxxxxx"),
        ({"count": "forever"}, "xxxxxxxx"),
        ({"after": 3}, "...x...."),
        ({"every": 3}, "..x..x.."),
        ({"every": 3, "count": 1}, "..x....."),
        ({"every": 2, "after": 3, "count": 2}, "....x.x."),
        ({"probability": 0}, "........"),
        ({"probability": 1}, "xxxxxxxx"),
    ],
)
def test_how_often_a_rule_strikes(emulator: Emulator, api: Api, when: dict[str, Any], struck: str) -> None:
    rule = emulator.faults.add(kind="status", status=503, **when)
    assert "".join("x" if status == 503 else "." for status in statuses(api, 8)) == struck
    assert emulator.faults.fired(rule) == struck.count("x")


def test_a_seed_means_one_sequence(emulator: Emulator, api: Api) -> None:
    def sequence(seed: int) -> list[int]:
        emulator.faults.clear()
        emulator.faults.add(kind="status", status=503, probability=0.5, seed=seed)
        return statuses(api, 24)

    assert sequence(1) == sequence(1) != sequence(2)
    assert {200, 503} == set(sequence(1))


@pytest.mark.parametrize(
    "route",
    [
        "*",
        "GET /api/encounters/v4",
        "GET /api/encounters/v4/",
        "GET /api/enc*",
        "* /api/encounters/*",
        "encounters.v_4.get_all",
        "encounters.*",
    ],
)
def test_a_route_is_a_template_or_a_name_of_the_sdk(emulator: Emulator, api: Api, route: str) -> None:
    emulator.faults.add(kind="status", status=503, route=route)
    assert api.get(ENCOUNTERS).status_code == 503


@pytest.mark.parametrize("route", ["GET /api/encounters/v4/{encounter_id}", "POST *", "encounters.v_4.get"])
def test_a_rule_for_another_route_waits(emulator: Emulator, api: Api, route: str) -> None:
    rule = emulator.faults.add(kind="status", status=503, route=route)
    assert api.get(ENCOUNTERS).status_code == 200
    assert emulator.faults.fired(rule) == 0


def test_rules_that_end_a_request_take_turns(emulator: Emulator, api: Api) -> None:
    for status in (503, 429, 500):
        emulator.faults.add(kind="status", status=status)
    assert statuses(api, 4) == [503, 429, 500, 200]


def test_a_rule_with_nothing_to_do_waits_until_it_has(emulator: Emulator, api: Api) -> None:
    rule = emulator.faults.add(kind="unknown_enum", field="patient_ar_status")
    api.ok("/api/payers/v4")
    assert emulator.faults.fired(rule) == 0
    assert api.ok("/api/patient-ar/v1/inventory")["records"][0]["patient_ar_status"] == "unheard_of_1"
    assert emulator.faults.fired(rule) == 1
    assert [entry.faults for entry in emulator.requests()] == [(), ("unknown_enum",)]


def test_faults_of_several_kinds_strike_together(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="wrong_content_type", content_type="text/plain")
    emulator.faults.add(kind="extra_field")
    emulator.faults.add(kind="latency", ms=1, jitter=2)
    answer = api.get(ENCOUNTERS, limit=1)
    assert answer.headers["content-type"] == "text/plain"
    assert "unheard_of" in answer.json()["items"][0]
    assert emulator.requests()[-1].faults == ("latency", "extra_field", "wrong_content_type")


def test_rules_are_added_while_requests_run(emulator: Emulator, api: Api) -> None:
    def add() -> None:
        for _ in range(50):
            emulator.faults.add(kind="status", status=503)

    adders = [threading.Thread(target=add) for _ in range(4)]
    for adder in adders:
        adder.start()
    seen = statuses(api, 20)
    for adder in adders:
        adder.join()
    assert (seen + statuses(api, 200)).count(503) == emulator.faults.fired() == 200
    assert len({rule["id"] for rule in emulator.faults.rules()}) == 200


# --- statuses


def test_429_is_what_candid_says_of_it(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="status", status=429)
    answer = api.get(ENCOUNTERS)
    assert answer.status_code == 429
    assert answer.json()["errorName"] == "TooManyRequestsError"
    assert answer.json()["content"]["message"]
    assert "retry-after" not in answer.headers


def test_retry_after_in_seconds(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="status", status=429, retry_after=7)
    assert api.get(ENCOUNTERS).headers["retry-after"] == "7"


def test_retry_after_as_a_date(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="status", status=503, retry_after="date", seconds=90)
    then = api.get(ENCOUNTERS).headers["retry-after"]
    assert then.endswith("GMT")
    assert parsedate_to_datetime(then).timestamp() == NOON + 90


def test_500_and_503_are_json(emulator: Emulator, api: Api) -> None:
    emulator.faults.add_all([{"kind": "status", "status": 500}, {"kind": "status", "status": 503}])
    assert api.get(ENCOUNTERS).json() == {"detail": "Internal server error"}
    assert api.get(ENCOUNTERS).json() == {"detail": "Service Unavailable"}


def test_502_is_the_page_of_a_front_end(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="status", status=502)
    answer = api.get(ENCOUNTERS)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=UTF-8")
    assert "try again in 30 seconds" in answer.text


def test_a_declared_error_comes_with_its_status_and_a_given_content(emulator: Emulator, api: Api) -> None:
    content = {"message": "conflict", "latest_version": 9}
    emulator.faults.add(kind="status", error_name="VersionConflictError", content=content)
    answer = api.get("/patients/v1/somebody")
    assert answer.status_code == 409
    assert answer.json() == {"errorName": "VersionConflictError", "content": content}


# --- time and connections


def test_latency_ends_in_the_same_answer(emulator: Emulator, api: Api) -> None:
    plain = api.get(ENCOUNTERS).content
    emulator.faults.add(kind="latency", ms=30, jitter=10)
    assert api.get(ENCOUNTERS).content == plain
    assert [entry.faults for entry in emulator.requests()] == [(), ("latency",)]


def test_a_hanging_request_outlasts_its_client(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="hang")
    with pytest.raises(httpx.ReadTimeout):
        api.http.get(ENCOUNTERS, timeout=0.05)
    assert api.get(ENCOUNTERS).status_code == 200
    assert [entry.status for entry in emulator.requests()] == [None, 200]


@pytest.mark.parametrize("rule", [{"kind": "hang"}, {"kind": "latency", "ms": 600_000}])
def test_an_emulator_that_stops_lets_hanging_requests_go(capfd: pytest.CaptureFixture[str], rule: Any) -> None:
    arrived = threading.Event()
    seen: list[str] = []

    def ask(http: httpx.Client) -> None:
        try:
            seen.append(str(http.get(ENCOUNTERS, timeout=60).status_code))
        except httpx.TransportError as problem:
            seen.append(type(problem).__name__)

    with running(SMALL) as emulator, connected(emulator) as http:
        emulator.faults.add(**rule)
        asking = threading.Thread(target=ask, args=[http])
        asking.start()
        while not emulator.faults.fired():
            arrived.wait(0.002)
    asking.join()
    assert seen in (["ReadError"], ["200"])
    assert capfd.readouterr() == ("", "")


def test_a_reset_comes_before_any_byte(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="reset")
    with pytest.raises(httpx.ReadError, match="reset"):
        api.get(ENCOUNTERS)
    assert api.get(ENCOUNTERS).status_code == 200


@pytest.mark.parametrize("size", [0, 100, 50_000])
def test_a_reset_comes_after_some_bytes(emulator: Emulator, api: Api, size: int) -> None:
    emulator.faults.add(kind="reset", after_bytes=size)
    received = b""
    with api.http.stream("GET", ENCOUNTERS) as answer, suppress(httpx.ReadError):
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            received += chunk
        pytest.fail("the answer was whole")
    assert len(received) == size
    assert emulator.requests()[-1].response_bytes == size


def test_a_truncated_answer_announces_the_whole(emulator: Emulator, api: Api) -> None:
    whole = len(api.get(ENCOUNTERS).content)
    emulator.faults.add(kind="truncated", fraction=0.25)
    with api.http.stream("GET", ENCOUNTERS) as answer:
        assert int(answer.headers["content-length"]) == whole
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
            answer.read()
    entry = emulator.requests()[-1]
    assert (entry.status, entry.response_bytes) == (None, whole // 4)


# --- bodies


def test_broken_json_is_a_whole_answer_that_does_not_parse(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="broken_json")
    answer = api.get(ENCOUNTERS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_wrong_content_type_labels_the_right_body(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="wrong_content_type")
    answer = api.get(ENCOUNTERS)
    assert answer.headers.get_list("content-type") == ["text/html; charset=utf-8"]
    assert answer.content == api.get(ENCOUNTERS).content


def test_unknown_enum_values_differ_unless_one_is_given(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="unknown_enum")
    rows = api.ok(ENCOUNTERS, limit=2)["items"]
    assert [row["claims"][0]["status"] for row in rows] == ["unheard_of_1", "unheard_of_2"]
    emulator.faults.add(kind="unknown_enum", field="event_type", value="CandidApi.Encounter.Lost")
    events = api.ok("/api/events/v1/", limit=3)["items"]
    assert [row["event_type"] for row in events] == ["CandidApi.Encounter.Lost"] * 3


@pytest.mark.parametrize(
    ("path", "key"), [(ENCOUNTERS, "items"), ("/api/patient-ar/v1/inventory", "records"), (SCAN, None)]
)
def test_every_row_has_an_extra_field(emulator: Emulator, api: Api, path: str, key: str | None) -> None:
    params = {"since": "2000-01-01T00:00:00Z"} if key is None else {}
    plain = api.ok(path, **params)
    emulator.faults.add(kind="extra_field", field="novelty", value=[1])
    changed = api.ok(path, **params)
    rows = plain if key is None else plain[key]
    for row in rows:
        row["novelty"] = [1]
    assert changed == plain


def test_an_extra_field_in_a_single_record(emulator: Emulator, api: Api) -> None:
    payer = api.ok("/api/payers/v4")["items"][0]
    emulator.faults.add(kind="extra_field", value="x")
    assert api.ok(f"/api/payers/v4/{payer['payer_uuid']}") == payer | {"unheard_of": "x"}


def test_a_page_token_repeats_for_ever(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="repeated_page_token")
    token = api.ok(ENCOUNTERS, limit=5)["next_page_token"]
    pages = [api.ok(ENCOUNTERS, limit=5, page_token=token) for _ in range(12)]
    assert {page["next_page_token"] for page in pages} == {token}
    assert len({page["items"][0]["encounter_id"] for page in pages}) == 1
    assert emulator.faults.fired() == 12


def test_a_scan_stalls_on_a_page_of_one_timestamp(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="same_timestamp", count=None)
    since, firsts = "2000-01-01T00:00:00Z", []
    for _ in range(5):
        page = api.ok(SCAN, since=since, maxResults=10)
        assert len({row["updated_at"] for row in page}) == 1
        since = page[-1]["updated_at"]
        firsts.append(page[0]["id"])
    assert len(page) == 10
    assert len(set(firsts)) == 1


@pytest.mark.parametrize("status", [500, 502])
def test_processed_but_500_lets_the_work_be_done(emulator: Emulator, api: Api, status: int) -> None:
    """Minting is today's only work: it is counted, and the answer does not tell."""
    minted = emulator.stats()["token"]["minted"]
    emulator.faults.add(kind="processed_but_500", route="auth.*", status=status)
    credentials = {"client_id": SMALL.client_id, "client_secret": SMALL.client_secret}
    answer = api.http.post(TOKEN, json=credentials)
    assert answer.status_code == status
    assert ("html" in answer.text) is (status == 502)
    assert emulator.stats()["token"]["minted"] == minted + 1


def test_processed_but_reset(emulator: Emulator, api: Api) -> None:
    minted = emulator.stats()["token"]["minted"]
    emulator.faults.add(kind="processed_but_500", reset=True)
    with pytest.raises(httpx.ReadError):
        sign_in(emulator)
    assert emulator.stats()["token"]["minted"] == minted + 1


def test_what_was_refused_was_not_processed(emulator: Emulator, api: Api) -> None:
    rule = emulator.faults.add(kind="processed_but_500")
    api.refuses("/api/payers/v4", "limit", "none")
    assert emulator.faults.fired(rule) == 0


# --- tokens


def test_an_expired_token_stays_expired_and_others_live(emulator: Emulator, api: Api) -> None:
    with connected(emulator) as other:
        emulator.faults.add(kind="token_expired", route="encounters.v_4.get_all")
        assert api.get(ENCOUNTERS).json() == {"detail": "Unauthorized"}
        assert statuses(api, 2) == [401, 401]
        assert other.get(ENCOUNTERS).status_code == 200


def test_all_tokens_are_revoked_at_once(emulator: Emulator, api: Api) -> None:
    with connected(emulator) as other:
        emulator.faults.add(kind="tokens_revoked")
        assert api.get(ENCOUNTERS).status_code == 401
        assert other.get(ENCOUNTERS).status_code == 401
    with connected(emulator) as anew:
        assert anew.get(ENCOUNTERS).status_code == 200


def test_the_token_endpoint_is_down_and_nothing_else(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="token_endpoint_down", status=502, count=2)
    assert api.get(ENCOUNTERS).status_code == 200
    credentials = {"client_id": SMALL.client_id, "client_secret": SMALL.client_secret}
    assert [api.http.post(TOKEN, json=credentials).status_code for _ in range(3)] == [502, 502, 200]


def test_the_token_endpoint_does_not_answer(emulator: Emulator, api: Api) -> None:
    emulator.faults.add(kind="token_endpoint_down", how="reset")
    with pytest.raises(httpx.ReadError):
        api.http.post(TOKEN, json={})
    emulator.faults.add(kind="token_endpoint_down", how="hang")
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(TOKEN, json={}, timeout=0.05)


# --- the other server


@pytest.fixture
def pure_python() -> Iterator[Emulator]:
    """An emulator behind h11, which uvicorn takes where httptools is not installed."""
    emulation = Emulation(SMALL)
    app = App(emulation)
    server = uvicorn.Server(uvicorn.Config(app, http="h11", log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        host, port = listener.getsockname()
        yield Emulator(emulation, f"http://{host}:{port}")
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"kind": "reset"}, httpx.ReadError),
        ({"kind": "reset", "after_bytes": 9}, httpx.ReadError),
        ({"kind": "truncated"}, httpx.RemoteProtocolError),
        ({"kind": "hang"}, httpx.ReadTimeout),
    ],
)
def test_connections_end_the_same_way_behind_h11(
    pure_python: Emulator, rule: dict[str, Any], problem: type[Exception]
) -> None:
    with connected(pure_python) as http:
        pure_python.faults.add(**rule)
        with pytest.raises(problem):
            http.get(ENCOUNTERS, timeout=0.2)
        assert http.get(ENCOUNTERS).status_code == 200
