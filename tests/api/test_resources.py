"""The table of resources agrees with what is known of the API, and every row reads its listing to the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from candid_provider.api.call import Call, pages
from candid_provider.api.client import CandidClient
from candid_provider.api.feeds import Falling, Rising
from candid_provider.api.keyed_paging import KeyedPaging
from candid_provider.api.paging import ScanPaging, TokenPaging, Unpaged
from candid_provider.api.resource import Resource
from candid_provider.api.resources import RESOURCES
from candid_provider.emulator import EmulatorConfig, catalogue, running
from candid_provider.emulator.catalogue import Endpoint, endpoints
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.api.conftest import quick, settings_for
from tests.emulator.conftest import connected
from tests.emulator.judge.office import Office
from tests.emulator.judge.test_styles import TOO_FEW, texts

WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=250, patients=60, days=10, payers=23)
LISTED = {(row.verb, row.path): row for row in endpoints().values() if row.paging}
FACTS = Path(catalogue.__file__).parent / "facts" / "endpoints.json"
INCREMENTAL = {row["id"]: row["incremental"] for row in json.loads(FACTS.read_text())}
# What api.md documents beyond the endpoints' facts.
LARGEST = {
    "events": 100,
    "patient_ar_inventory": 100,
    "contracts": 1000,
    "contracts_v2": 1000,
    "contract_providers": 1000,
    "contract_provider_credentialing": 1000,
    "fee_schedule_rates": 100,
    "fee_schedule_dimension_values": 1000,
    "patient_payments": 999,
    "patient_refunds": 999,
    "insurance_refunds": 999,
    "non_insurance_payer_payments": 999,
    "non_insurance_payer_refunds": 999,
    "write_offs": 999,
    "coverages_list": 1000,
    "patient_merges_search": 1000,
    "tags": 1000,
    "metadata_schemas": 100,
    "patients": 1000,
    "patient_merges": 1000,
    "organization_external_providers": 1000,
}
# A POST's parameters that the facts call required, and what the documentation does.
REQUIRED = {"patient_merges_search": ("mrns",), "visits": ("filters",)}


def endpoint_of(resource: Resource) -> Endpoint:
    return LISTED[resource.verb, resource.path]


every_resource = pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)


# --- the facts


def test_every_listing_is_a_row_once() -> None:
    assert sorted((row.verb, row.path) for row in RESOURCES.values()) == sorted(LISTED)
    assert len(RESOURCES) == 66
    assert all(name == row.name and name.isidentifier() for name, row in RESOURCES.items())


@every_resource
def test_a_row_pages_as_the_facts_have_it(resource: Resource) -> None:
    paging = endpoint_of(resource).paging
    assert paging is not None
    match resource.paging:
        case TokenPaging(items_key=key, token_in=place):
            assert (paging.style, paging.items_key, paging.token_in) == ("page_token", key, place)
        case ScanPaging():
            assert paging.style == "since"
        case KeyedPaging():
            assert paging.style == "page envelope, no page_token parameter"
        case Unpaged(items_key=key):
            assert (paging.style, key) == ("bare list", None)
    assert (resource.size.name if resource.size else None) == paging.limit_param


@every_resource
def test_a_row_asks_for_no_more_than_is_documented(resource: Resource) -> None:
    if resource.size is None:
        assert resource.name not in LARGEST
        return
    assert resource.size.largest == LARGEST.get(resource.name)
    assert resource.size.asked == (resource.size.largest or 100)


@every_resource
def test_a_row_needs_what_the_facts_require(resource: Resource) -> None:
    endpoint = endpoint_of(resource)
    assert resource.placeholders == tuple(row.name for row in endpoint.path_params)
    required = [row.name for row in endpoint.query_params if row.required]
    required += [row["name"] for row in endpoint.body.get("fields", []) if row["required"]]
    wanted = tuple(name for name in required if name not in resource.defaults)
    assert resource.required == REQUIRED.get(resource.name, wanted)


@every_resource
def test_what_a_row_sends_by_itself_is_known(resource: Resource) -> None:
    known = {row.name for row in endpoint_of(resource).query_params}
    assert resource.verb == "POST" or resource.defaults.keys() <= known
    assert resource.ranges is None or {resource.ranges.first, resource.ranges.last} <= known
    if isinstance(resource.feed, Rising | Falling):
        assert resource.feed.fixed.keys() <= known
    if isinstance(resource.feed, Rising):
        assert resource.feed.bound in known


@every_resource
def test_what_the_facts_call_incremental_has_a_feed(resource: Resource) -> None:
    incremental = INCREMENTAL[endpoint_of(resource).id]
    # Patients are scanned; their list says nothing of a filter by time.
    if incremental is None or resource.name == "patients_with_details":
        assert resource.feed is None
    elif resource.name == "encounters":
        assert resource.cursor == "created_at"
    else:
        assert resource.cursor == incremental["cursor_field"]


# --- what is asked for


@pytest.mark.parametrize("resource", [row for row in RESOURCES.values() if row.needs], ids=lambda row: row.name)
def test_what_is_missing_is_named(resource: Resource) -> None:
    with pytest.raises(CandidConfigError) as failure:
        resource.call()
    argument, _, name = resource.needs[0].partition(".")
    assert failure.value.field == argument
    assert f"{name} is missing" in str(failure.value)


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("payers", {"json": {"limit": 3}}, "json"),
        ("claim_dynamic_view", {"params": {"limit": 3}, "path_params": {"claim_dynamic_view_id": "7"}}, "query"),
        ("payers", {"path_params": {"payer_uuid": "7"}}, "path_params"),
        ("contract_providers", {"path_params": {"contract_id": ""}}, "path_params"),
        ("visits", {"params": {"filters": None}}, "query"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(name: str, arguments: Any, field: str) -> None:
    with pytest.raises(CandidConfigError) as failure:
        RESOURCES[name].call(**arguments)
    assert failure.value.field == field


def test_a_listing_by_post_is_a_read_with_its_parameters_in_the_body() -> None:
    call = RESOURCES["charge_captures_by_metadata"].call(json={"metadata": [{"schema_id": "s"}]})
    assert (call.method, call.retry, dict(call.params)) == ("POST", True, {})
    assert call.json == {"limit": 100, "metadata": [{"schema_id": "s"}]}


@pytest.mark.parametrize("resource", [row for row in RESOURCES.values() if not row.feed], ids=lambda row: row.name)
def test_a_listing_without_a_change_feed_says_what_to_do(resource: Resource) -> None:
    with pytest.raises(CandidConfigError, match=r"has no change feed.*Leave incremental out and") as failure:
        resource.changes()
    assert failure.value.field == "incremental"


# --- the emulator


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with running(WORLD) as emulator, connected(emulator) as http:
        yield http


@pytest.fixture(scope="module")
def office(http: httpx.Client) -> Office:
    return Office(http)


@pytest.fixture(scope="module")
def client(http: httpx.Client) -> Iterator[CandidClient]:
    settings = settings_for(str(http.base_url))
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    with CandidClient(settings, source) as client:
        yield client


def read(client: CandidClient, call: Call) -> list[Any]:
    return [item for page in pages(client, call) for item in page.items]


def arguments_of(resource: Resource, office: Office) -> dict[str, Any]:
    for _ in range(4 if endpoint_of(resource).id in TOO_FEW else 0):
        office.made(TOO_FEW[endpoint_of(resource).id])
    asked = office.request(endpoint_of(resource).id)
    named = {"params": asked.query, "path_params": asked.path, "json": asked.body or {}}
    size = resource.size.name if resource.size else None
    return {name: {key: value for key, value in given.items() if key != size} for name, given in named.items()}


def key_of(resource: Resource, row: Any) -> Any:
    for name in (resource.key or "").split("."):
        row = row[name] if name else None
    return row


@every_resource
def test_a_resource_comes_whole_and_nothing_twice(resource: Resource, client: CandidClient, office: Office) -> None:
    arguments = arguments_of(resource, office)
    whole = read(client, resource.call(**arguments))
    assert whole
    assert len(set(texts(whole))) == len(whole)
    keys = [key_of(resource, row) for row in whole]
    assert resource.key is None or len(set(keys)) == len(keys)
    if resource.size and not isinstance(resource.paging, ScanPaging):
        place = "json" if resource.verb == "POST" else "params"
        small = {**arguments, place: {**arguments[place], resource.size.name: 3}}
        assert texts(read(client, resource.call(**small))) == texts(whole)
