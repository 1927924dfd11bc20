"""The emulator against its own OpenAPI description: requests invented by schemathesis, good ones and bad ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from zlib import crc32

import httpx
import pytest
import requests  # noqa: TID251 - schemathesis makes its calls with it
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.endpoints import emulated
from candid_provider.emulator.openapi import description
from tests.emulator.conftest import connected
from tests.emulator.known import known_ids

SCHEMA = schemathesis.openapi.from_dict(description())
FOUND = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
OPERATIONS = {operation.definition.raw["operationId"]: operation for operation in FOUND}
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=60, patients=20, days=10, payers=9)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    with connected(emulator) as http:
        yield http


@pytest.fixture(scope="module")
def session(http: httpx.Client) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["authorization"] = http.headers["authorization"]
        yield session


@pytest.fixture(scope="module")
def known(http: httpx.Client) -> dict[str, dict[str, str]]:
    """Path parameters of records that there are, by endpoint: invented ones find nothing."""
    return {endpoint.id: known_ids(http, endpoint) for endpoint in emulated()}


def requests_for(operation: Any) -> Any:
    """Requests as the description has them and, where anything is described, ones that it does not allow."""
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    described = operation.body or operation.query
    return good | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) if described else good


# Ids of their own, which schemathesis would not give them: xdist tells tests apart by them.
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_breaks_it_and_every_answer_is_as_described(
    name: str, emulator: Emulator, session: requests.Session, known: dict[str, dict[str, str]]
) -> None:
    @settings(
        max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=requests_for(OPERATIONS[name]))
    def ask(case: Any) -> None:
        if crc32(repr(case.path_parameters).encode()) % 4:
            case.path_parameters |= known[name]
        response = case.call(base_url=emulator.url, session=session)
        assert response.status_code < 500 or response.status_code == 501, response.text
        case.validate_response(response, checks=CHECKS)

    ask()


def test_the_description_is_served_and_names_what_is_emulated(emulator: Emulator) -> None:
    served = httpx.get(f"{emulator.url}/_emulator/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    named = [operation["operationId"] for verbs in served["paths"].values() for operation in verbs.values()]
    # Two methods of the SDK may share a route; it is described once.
    routes = {endpoint.id: (endpoint.verb, re.sub("{.*?}", "{}", endpoint.path)) for endpoint in emulated()}
    assert {routes[name] for name in named} == set(routes.values())
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
