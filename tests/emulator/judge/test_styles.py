"""Every listing pages in its own style: keys, tokens, total, sizes; no row is lost, and none comes twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from candid_provider.emulator import EmulatorConfig, running
from candid_provider.emulator.catalogue import endpoints, template
from tests.emulator.conftest import connected

from .office import Office
from .styles import LISTINGS, PAGED, SIZED, Listing, listings, paging_of, sizes_of

WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=250, patients=60, days=10, payers=23)
# Of a few kinds of record there are too few to fill pages: some more are created.
TOO_FEW = {
    name: name.rpartition(".")[0] + ".create"
    for name in (
        *("patient_refunds.v_1.get_multi", "insurance_refunds.v_1.get_multi"),
        *("non_insurance_payer_payments.v_1.get_multi", "non_insurance_payer_refunds.v_1.get_multi"),
        *("pre_encounter.patient_merges.v_1.scan", "pre_encounter.metadata_schemas.v_1.get_all"),
    )
}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with running(WORLD) as emulator, connected(emulator) as http:
        yield http


@pytest.fixture(scope="module")
def office(http: httpx.Client) -> Office:
    return Office(http)


@pytest.fixture
def listing(request: pytest.FixtureRequest, http: httpx.Client, office: Office) -> Listing:
    name: str = request.param
    for _ in range(4 if name in TOO_FEW else 0):
        office.made(TOO_FEW[name])
    asked = office.request(name)
    limit = paging_of(asked.endpoint).limit_param
    asked.query = {key: value for key, value in asked.query.items() if key != limit}
    return Listing(http, asked)


def texts(rows: list[Any]) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in rows]


def test_66_listings_have_a_paging_style() -> None:
    assert sum(endpoint.paging is not None for endpoint in endpoints().values()) == 66
    assert len(LISTINGS) == 66


@pytest.mark.parametrize("listing", PAGED, indirect=True)
def test_a_page_has_its_rows_and_tokens_under_their_names(listing: Listing) -> None:
    page, paging = listing.page(), listing.paging
    names = {paging.items_key or "items", "next_page_token"}
    names |= {name for name, has in (("prev_page_token", paging.prev), ("total", paging.total)) if has}
    assert page.keys() == names | template(listing.endpoint.id).keys()
    assert {"prev_page_token", "total"} & page.keys() == {"prev_page_token", "total"} & names
    assert not paging.prev or page["prev_page_token"] is None


@pytest.mark.parametrize("listing", SIZED, indirect=True)
def test_pages_of_three_bring_what_one_page_brings(listing: Listing) -> None:
    most = sizes_of(listing.endpoint.id)[1]
    whole = [row for page in listing.pages(most) for row in listing.rows(page)]
    found: list[Any] = []
    for page in listing.pages(3):
        rows = listing.rows(page)
        assert len(rows) == 3 or page["next_page_token"] is None
        found += rows
        if listing.paging.total:
            assert page["total"] == len(whole)
    assert texts(found) == texts(whole)
    assert len(set(texts(whole))) == len(whole)


@pytest.mark.parametrize("listing", [name for name in SIZED if paging_of(endpoints()[name]).prev], indirect=True)
def test_the_token_of_the_page_before_leads_back(listing: Listing) -> None:
    first = listing.page(1)
    second = listing.page(1, page_token=first["next_page_token"])
    back = listing.page(1, page_token=second["prev_page_token"])
    assert listing.rows(back) == listing.rows(first)


@pytest.mark.parametrize("listing", SIZED, indirect=True)
def test_sizes_are_the_documented_ones(listing: Listing) -> None:
    default, most = sizes_of(listing.endpoint.id)
    rows = listing.rows(listing.page(most))
    assert listing.rows(listing.page()) == rows[:default]
    for size in (0, most + 1):
        refused = listing.ask(size)
        assert refused.status_code in (400, 422)
        assert str(listing.paging.limit_param) in refused.text


@pytest.mark.parametrize("listing", PAGED, indirect=True)
@pytest.mark.parametrize("token", ["made up", "of another listing"])
def test_a_token_that_was_not_issued_for_it_is_refused(listing: Listing, http: httpx.Client, token: str) -> None:
    other = "/api/payers/v4" if listing.endpoint.id != "payers.v_4.get_all" else "/api/payers/v3"
    issued = http.get(other, params={"limit": 3}).json()["next_page_token"]
    refused = listing.ask(page_token=issued if token == "of another listing" else token)
    assert refused.status_code in (400, 422)


@pytest.mark.parametrize("listing", [name for name in PAGED if name in SIZED], indirect=True)
def test_a_token_counts_only_where_the_listing_takes_it(listing: Listing, http: httpx.Client) -> None:
    request = listing.request
    if listing.paging.token_in == "body":
        request.query = {"page_token": "x"}
        assert request.send(http).status_code == 501
    else:
        assert "page_token" in {row.name for row in listing.endpoint.query_params}


@pytest.mark.parametrize("listing", listings("since"), indirect=True)
def test_a_scan_is_a_bare_list_that_goes_on_where_it_ended(listing: Listing) -> None:
    whole = listing.ask(1000).json()
    assert [row["updated_at"] for row in whole] == sorted(row["updated_at"] for row in whole)
    if listing.paging.limit_param is None:
        assert 0 < len(whole) <= 100
        return
    assert len(listing.ask().json()) == min(100, len(whole))
    seen: dict[str, Any] = {}
    since = "2000-01-01T00:00:00Z"
    while fresh := [row for row in listing.ask(20, since=since).json() if row["id"] not in seen]:
        seen |= {row["id"]: row for row in fresh}
        since = fresh[-1]["updated_at"]
    assert list(seen.values()) == whole
    assert [listing.ask(size).status_code for size in (0, 1001)] == [422, 422]


@pytest.mark.parametrize("listing", listings("since", "bare list"), indirect=True)
def test_a_bare_list_takes_no_token(listing: Listing) -> None:
    assert isinstance(listing.ask().json(), list)
    assert listing.ask(page_token="x").status_code == 501


def test_thresholds_come_whole_in_the_envelope_of_a_page(office: Office) -> None:
    (name,) = set(endpoint.id for endpoint in LISTINGS) - {*PAGED, *listings("since", "bare list")}
    page = office.made(name)
    assert page["payer_thresholds"].keys() == set(office.request(name).query["payer_uuids"])
    assert (page["next_page_token"], page["prev_page_token"]) == (None, None)
