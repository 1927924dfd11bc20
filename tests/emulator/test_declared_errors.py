"""Every error that an endpoint declares, provoked, arrives as the official SDK's typed exception."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.catalogue import Endpoint, endpoints, required_body
from candid_provider.emulator.faults.declared_errors import declared_statuses

from .test_sdk import client

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
VALUES = {"dt.datetime": datetime(2026, 1, 1, tzinfo=UTC), "dt.date": date(2026, 1, 1), "int": 1}
SOME_ID = "f7cbc4e8-a8d5-569f-a5cd-0f771db068d5"
PAIRS = [
    (endpoint.id, name)
    for endpoint in endpoints().values()
    for name in endpoint.statuses
    if endpoint.body["kind"] != "multipart"
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=1, patients=1, payers=1)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def sdk(emulator: Emulator) -> Iterator[Any]:
    with client(emulator) as sdk:
        yield sdk


def arguments(endpoint: Endpoint, method: Any) -> dict[str, Any]:
    """The least that an SDK method must be given."""
    given = {row.name: VALUES.get(row.type, SOME_ID) for row in endpoint.path_params}
    given |= {row.name: VALUES.get(row.type, SOME_ID) for row in endpoint.query_params if row.required}
    body = required_body(endpoint.id)
    name = endpoint.body.get("python_name")
    if name is not None:
        given[name] = {} if body is None else body
    elif isinstance(body, dict):
        given |= body
    known = inspect.signature(method).parameters
    return {name: value for name, value in given.items() if name in known}


def raised(sdk: Any, endpoint: Endpoint) -> Exception:
    method = sdk
    for name in endpoint.id.split("."):
        method = getattr(method, name)
    with pytest.raises(Exception) as problem:  # noqa: PT011 - which one is what the tests compare
        method(**arguments(endpoint, method))
    return problem.value


@pytest.mark.parametrize(("endpoint_id", "name"), PAIRS)
def test_a_declared_error_is_the_sdks_own(sdk: Any, emulator: Emulator, endpoint_id: str, name: str) -> None:
    from candid.core.api_error import ApiError

    emulator.faults.clear()
    rule = emulator.faults.add(kind="status", route=endpoint_id, error_name=name)
    problem = raised(sdk, endpoints()[endpoint_id])
    assert isinstance(problem, ApiError)
    assert type(problem).__name__.lower() == name.lower()
    assert problem.status_code == declared_statuses()[name]
    assert not isinstance(problem.body, dict)
    assert emulator.faults.fired(rule) == 1


def test_the_pairs_are_all_that_is_declared() -> None:
    assert len(PAIRS) == sum(len(endpoint.statuses) for endpoint in endpoints().values())
    assert {name for _, name in PAIRS} == declared_statuses().keys()
    assert len(declared_statuses()) == 45


def test_no_name_has_two_statuses() -> None:
    for endpoint in endpoints().values():
        assert endpoint.statuses.items() <= declared_statuses().items()


@pytest.mark.parametrize(
    ("path", "has_one"), [("/api/payers/v4", True), ("/coverages/v1/x", False), ("/api/auth/v2/token", False)]
)
def test_who_sends_an_instance_id(emulator: Emulator, path: str, has_one: bool) -> None:
    emulator.faults.clear()
    emulator.faults.add(kind="status", error_name="InternalError")
    method = "POST" if path.endswith("token") else "GET"
    body = httpx.request(method, emulator.url + path).json()
    assert ("errorInstanceId" in body) is has_one
    assert not has_one or UUID(body["errorInstanceId"])
