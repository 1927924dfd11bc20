"""The log of what an emulator received."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.faults.received import Received

from .conftest import Api, connected

SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=10, patients=10, days=10, payers=5)
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
CREATE = "/api/encounters/v4"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(SMALL, clock=lambda: NOON) as emulator:
        yield emulator


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    with connected(emulator) as http:
        yield Api(http)


@pytest.fixture
def log(emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emulator.url}/_emulator/") as http:
        yield http


def listed(log: httpx.Client, **query: Any) -> Any:
    return log.get("requests", params=query).json()


def test_a_request_leaves_route_sizes_and_token_and_nothing_else(emulator: Emulator, api: Api) -> None:
    answer = api.get("/api/encounters/v4", patient_external_id="PAT-SECRET", limit=3)
    entry = emulator.requests()[-1].as_json()
    bearer = api.http.headers["authorization"].split()[1]
    assert entry.pop("milliseconds") > 0
    assert entry == {
        "number": 2,
        "at": "2026-03-15T12:00:00.000Z",
        "method": "GET",
        "path": "/api/encounters/v4",
        "route": "GET /api/encounters/v4",
        "endpoint": "encounters.v_4.get_all",
        "status": 200,
        "request_bytes": 0,
        "response_bytes": len(answer.content),
        "token": hashlib.sha256(bearer.encode()).hexdigest()[:8],
        "faults": (),
    }


def test_ids_and_queries_are_not_in_it(api: Api, log: httpx.Client) -> None:
    api.get("/patients/v1/MRN-SECRET", q="SECRET")
    api.http.post("/coverages/v1", json={"member_id": "SECRET"})
    api.get("/nowhere/SECRET")
    assert "SECRET" not in log.get("requests").text
    assert [row["path"] for row in listed(log)["requests"][1:]] == [
        "/patients/v1/{id}",
        "/coverages/v1",
        "(unknown)",
    ]


def test_a_request_without_a_bearer_has_no_token(emulator: Emulator) -> None:
    httpx.get(f"{emulator.url}/api/payers/v4")
    httpx.get(f"{emulator.url}/api/payers/v4", headers={"authorization": "Basic eDp5"})
    assert [(entry.status, entry.token) for entry in emulator.requests()] == [(401, None), (401, None)]


def test_a_cut_answer_has_no_status(emulator: Emulator, api: Api, log: httpx.Client) -> None:
    emulator.faults.add(kind="reset")
    with pytest.raises(httpx.ReadError):
        api.get("/api/payers/v4")
    assert [(entry.status, entry.faults) for entry in emulator.requests(status="cut")] == [(None, ("reset",))]
    assert listed(log, status="cut")["totals"]["GET /api/payers/v4"] == {"cut": 1}


def test_the_log_is_filtered_and_paged(emulator: Emulator, api: Api, log: httpx.Client) -> None:
    for path in ("/api/payers/v4", "/api/encounters/v4", "/api/payers/v4"):
        api.ok(path)
    api.get("/api/payers/v4", limit="x")
    assert [row["number"] for row in listed(log, route="GET /api/payers/v4")["requests"]] == [2, 4, 5]
    assert [row["number"] for row in listed(log, route="payers.*", status=422)["requests"]] == [5]
    assert [row["number"] for row in listed(log, since_number=2, limit=2)["requests"]] == [3, 4]
    assert [entry.number for entry in emulator.requests(route="encounters.v_4.get_all", status=200)] == [3]
    assert listed(log)["totals"] == {
        "POST /api/auth/v2/token": {"200": 1},
        "GET /api/payers/v4": {"200": 2, "422": 1},
        "GET /api/encounters/v4": {"200": 1},
    }


@pytest.mark.parametrize("name", ["since_number", "limit"])
def test_a_bad_number_is_named(log: httpx.Client, name: str) -> None:
    answer = log.get("requests", params={name: "-1"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])


def test_the_log_is_emptied_and_numbers_go_on(emulator: Emulator, api: Api, log: httpx.Client) -> None:
    api.http.post(CREATE, json={"external_id": "a"})
    api.http.post(CREATE, json={"external_id": "a"})
    assert log.delete("requests").json() == {"removed": 3}
    assert listed(log) == {"requests": [], "totals": {}, "duplicate_external_ids": []}
    api.http.post(CREATE, json={"external_id": "a"})
    assert [entry.number for entry in emulator.requests()] == [4]
    assert emulator.duplicate_external_ids() == []


def duplicate(route: str, field: str, external_id: str, count: int) -> dict[str, Any]:
    return {"route": route, "field": field, "external_id": external_id, "count": count}


def test_external_ids_written_twice_are_reported(emulator: Emulator, api: Api, log: httpx.Client) -> None:
    emulator.faults.add(kind="status", status=500, route=f"POST {CREATE}", count=2)
    visit = {
        "external_id": "enc-1",
        "patient": {"external_id": "pat-1"},
        "service_lines": [{"external_id": "line-1"}],
    }
    for _ in range(3):
        api.http.post(CREATE, json=visit)
    api.http.post(CREATE, json=visit | {"external_id": "enc-2", "service_lines": []})
    assert emulator.duplicate_external_ids() == [
        duplicate(f"POST {CREATE}", "external_id", "enc-1", 3),
        duplicate(f"POST {CREATE}", "service_lines[].external_id", "line-1", 3),
    ]
    assert listed(log)["duplicate_external_ids"] == emulator.duplicate_external_ids()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"charge_external_id": "x"}, "charge_external_id"),
        ({"placer_appointment_id": "x"}, "placer_appointment_id"),
        ({"external_identifier": "x"}, "external_identifier"),
        ([{"submitter_transaction_identifier": "x"}], "[].submitter_transaction_identifier"),
        ({"charges": [{"lines": [{"external_id": "x"}]}]}, "charges[].lines[].external_id"),
    ],
)
def test_where_external_ids_are_found(emulator: Emulator, api: Api, body: Any, field: str) -> None:
    for _ in range(2):
        api.http.post("/appointments/v1", json=body)
    assert emulator.duplicate_external_ids() == [duplicate("POST /appointments/v1", field, "x", 2)]


def test_what_is_no_write_of_json_repeats_nothing(emulator: Emulator, api: Api) -> None:
    body = {"external_id": "x"}
    for _ in range(2):
        api.http.request("GET", CREATE, json=body)
        api.http.post(CREATE, data=body)
        for content in (b"\xff{", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900):
            assert api.http.post(CREATE, content=content).is_client_error
        api.http.post(CREATE, json={"external_id": 7, "external_identifier": None})
    api.http.post(CREATE, json=body)
    api.http.patch(f"{CREATE}/7f6b", json=body)
    assert emulator.duplicate_external_ids() == []


def test_the_log_keeps_the_last_and_counts_all() -> None:
    received = Received(3, clock=lambda: NOON)
    for number in range(5):
        received.add(
            "POST",
            "/x",
            None,
            status=200,
            body=b'{"external_id": "%d"}' % number,
            response_bytes=1,
            authorization=None,
            seconds=0.001,
        )
    assert [entry.number for entry in received.requests()] == [3, 4, 5]
    assert received.totals() == {"POST /x": {"200": 5}}
