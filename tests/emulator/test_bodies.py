"""Bodies that no client should send: each is refused, and nothing is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.catalogue import body_definitions, body_schema, endpoints, required_body
from candid_provider.emulator.endpoints import emulated
from candid_provider.emulator.exchange.answers import Refusal
from candid_provider.emulator.exchange.bodies import body_of
from tests.emulator.body_facts import FACTS, text
from tests.emulator.conftest import connected
from tests.emulator.known import a_path

VALUES = [
    *("null", "true", "-1", "1.5", "1e308", "1e999", "NaN", "9" * 40, '"x"', '"\\ud800"', '"\\u0000"', "[]", "{}"),
    *('{"": {"": []}}', "[" * 90 + "]" * 90, "[" * 980 + "]" * 980, "[" * 100_000),
]
PLACE = "a place for a value"
TYPES = ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"]
WITH_BODY = [endpoint for endpoint in emulated() if endpoint.body["kind"] == "json"]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=20, patients=8)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    with connected(emulator) as http:
        yield http


def with_a_place(body: Any, more: list[str]) -> Iterator[Any]:
    """The body, with one of its values replaced, or one added, by `PLACE`."""
    yield PLACE
    if isinstance(body, dict):
        for name in [*body, *more]:
            for inner in with_a_place(body.get(name), []):
                yield body | {name: inner}
    elif isinstance(body, list) and body:
        for inner in with_a_place(body[0], []):
            yield [inner]


def fields_of(endpoint: str) -> list[str]:
    schema = body_schema(endpoint) or {}
    schema = body_definitions()[schema["$ref"]] if "$ref" in schema else schema
    return list(schema.get("properties", ()))


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.id)
def test_a_bad_body_is_refused_and_breaks_nothing(http: httpx.Client, endpoint: Any) -> None:
    path, headers = a_path(http, endpoint), {"content-type": "application/json"}
    places = list(
        with_a_place(required_body(endpoint.id) or {}, list((body_schema(endpoint.id) or {}).get("properties", {})))
    )
    # Every value somewhere, and every place with some value: all with all would take minutes.
    pairs = [(places[n % len(places)], VALUES[n % len(VALUES)]) for n in range(max(len(places), len(VALUES)))]
    bodies = [json.dumps(body).replace(json.dumps(PLACE), value) for body, value in pairs]
    for body in [*bodies, "", " ", "{", "\ufeff{}"]:
        answer = http.request(endpoint.verb, path, content=body.encode(), headers=headers)
        assert answer.status_code < 500 or answer.status_code == 501, (body[:200], answer.text)


def test_the_facts_on_bodies_are_what_the_sdks_models_say() -> None:
    assert FACTS.read_text() == text()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"subscriber": {"first_name": "A"}}, "subscriber.last_name"),
        ({"subscriber": {"first_name": "A", "last_name": ["B"]}}, "subscriber.last_name"),
        ({"encounter": {"service_type_codes": ["30", 30]}}, "encounter.service_type_codes.1"),
        ({"encounter": {"date_of_service": "the 5th"}}, "encounter.date_of_service"),
        ({"provider": {"npi": 7}}, "provider.npi"),
        ({"source": {}}, "source"),
    ],
)
def test_a_field_that_does_not_fit_is_named(http: httpx.Client, body: dict[str, Any], field: str) -> None:
    good = required_body("pre_encounter.eligibility_checks.v_1.post")
    answer = http.post("/eligibility-checks/v1", json=good | body)
    assert answer.status_code == 422
    assert ".".join(answer.json()["detail"][0]["loc"]) == f"body.{field}"


@pytest.mark.parametrize("content_type", TYPES)
def test_a_body_of_another_type_is_refused(http: httpx.Client, content_type: str) -> None:
    body = json.dumps(required_body("pre_encounter.eligibility_checks.v_1.post"))
    answer = http.post("/eligibility-checks/v1", content=body, headers={"content-type": content_type})
    assert answer.status_code == 415


@pytest.mark.parametrize("value", ["[" * 120 + "]" * 120, "[" * 980 + "]" * 980, str(2**63), str(-(2**63) - 1)])
def test_what_could_not_be_kept_is_refused(http: httpx.Client, value: str) -> None:
    answer = http.post("/api/eligibility/v2/availity", content=f'{{"a": {value}}}')
    assert answer.status_code == 400


def read(endpoint: str, content_type: str, body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return asyncio.run(body_of(Request(scope, receive), endpoints()[endpoint]))


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"no boundary at all", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: nonsense\r\n\r\n\r\n--x--", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
    ],
)
def test_a_bad_form_is_refused(content_type: str, body: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        read("encounter_attachments.v_1.create_with_description", content_type, body)
    assert refused.value.status == status
