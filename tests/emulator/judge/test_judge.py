"""The official SDK judges every emulated endpoint: it calls each, in both of its ways, and reads what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.catalogue import Endpoint, endpoints
from candid_provider.emulator.endpoints import HANDLERS, emulated
from candid_provider.emulator.exchange.routing import Router
from tests.emulator.conftest import connected, sign_in
from tests.emulator.test_sdk import pytestmark, shape_faults

from .clients import Caller, async_caller, sync_caller
from .office import Office
from .rules import examples, lacking, sample_of, unmarked
from .styles import PAGED, listings

__all__ = ["pytestmark"]
WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=300, patients=100, days=10, payers=23)
EMULATED = [endpoint.id for endpoint in emulated()]
ROUTER = Router(endpoints().values())


def route_of(endpoint: Endpoint) -> str:
    """Verb and path; two endpoints differ in the name of the parameter only."""
    return re.sub(r"{.*?}", "{}", endpoint.route)


@pytest.fixture(scope="module")
def judged() -> Iterator[Emulator]:
    with running(WORLD) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def office(judged: Emulator) -> Iterator[Office]:
    with connected(judged) as http:
        yield Office(http)


@pytest.fixture(scope="module", params=[sync_caller, async_caller], ids=["sync", "async"])
def sdk(request: pytest.FixtureRequest, judged: Emulator) -> Iterator[Caller]:
    with request.param(judged, sign_in(judged)) as caller:
        yield caller


@pytest.mark.parametrize("endpoint_id", EMULATED)
def test_the_sdk_finds_an_answer_whole_and_knows_all_of_it(sdk: Caller, office: Office, endpoint_id: str) -> None:
    arguments = office.request(endpoint_id).arguments(sdk.method(endpoint_id))
    model, response = sdk.call(endpoint_id, arguments)
    match = ROUTER.match(response.request.method, response.request.url.raw_path.partition(b"?")[0])
    assert match is not None
    assert match.endpoint is not None
    assert route_of(match.endpoint) == route_of(endpoints()[endpoint_id])
    sample = sample_of(endpoint_id)
    if sample is None:
        assert (response.status_code, response.content, model) == (204, b"", None)
        return
    assert response.status_code == 200
    answer: Any = response.json()
    assert lacking(sample, answer) == []
    assert shape_faults(model) == []
    assert examples(sample, answer) == []
    assert unmarked(endpoint_id, answer) == []
    assert answer not in ([], {})
    paging = endpoints()[endpoint_id].paging
    assert paging is None or paging.items_key is None or answer[paging.items_key]


def siblings() -> Iterator[tuple[str, str]]:
    """Listings, and the endpoints that give one of their rows by its id."""
    for listing in (*PAGED, *listings("since")):
        get = f"{listing.rpartition('.')[0]}.get"
        if get in HANDLERS:
            parent = endpoints()[listing].path.removesuffix("/updates/scan").rstrip("/")
            (parameter,) = endpoints()[get].path_params
            if endpoints()[get].path == f"{parent}/{{{parameter.name}}}":
                yield listing, get


@pytest.mark.parametrize(("listing", "by_id"), list(siblings()))
def test_what_is_listed_is_found_by_its_id_and_read_by_the_sdk(
    sdk: Caller, office: Office, listing: str, by_id: str
) -> None:
    get = endpoints()[by_id]
    (parameter,) = (row.name for row in get.path_params)
    for row in office.rows(listing)[-2:]:
        identifier = next(row[name] for name in (parameter, "id", "provider_credentialing_span_id") if name in row)
        model, response = sdk.call(get.id, {parameter: identifier})
        answer = response.json()
        assert {name: value for name, value in row.items() if name in answer} == {
            name: value for name, value in answer.items() if name in row
        }
        assert lacking(sample_of(get.id), answer) == []
        assert shape_faults(model) == []
        assert unmarked(get.id, answer) == []
