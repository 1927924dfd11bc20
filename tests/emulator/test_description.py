"""The emulator against its own OpenAPI description: requests invented by schemathesis, good ones and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.endpoints import emulated
from candid_provider.emulator.openapi import description
from tests.emulator.conftest import sign_in

SCHEMA = schemathesis.openapi.from_dict(description())
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=60, patients=20, days=10, payers=9)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def headers(emulator: Emulator) -> dict[str, str]:
    return {"authorization": f"Bearer {sign_in(emulator)}"}


@SCHEMA.parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it_and_every_answer_is_as_described(
    case: Any, emulator: Emulator, headers: dict[str, str]
) -> None:
    response = case.call(base_url=emulator.url, headers=headers)
    assert response.status_code < 500 or response.status_code == 501, response.text
    case.validate_response(response, checks=CHECKS)


def test_the_description_is_served_and_names_what_is_emulated(emulator: Emulator) -> None:
    served = httpx.get(f"{emulator.url}/_emulator/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    named = [operation["operationId"] for verbs in served["paths"].values() for operation in verbs.values()]
    assert sorted(named) == sorted(endpoint.id for endpoint in emulated())
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
