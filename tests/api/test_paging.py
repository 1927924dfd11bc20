"""Paging: every listing comes whole, nothing twice, and nobody is led in a circle."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.call import Call, Page
from candid_provider.api.paging import Paging, ScanPaging, TokenPaging, Unpaged
from candid_provider.api.resources import RESOURCES, resource_named
from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from tests.api.conftest import Sender
from tests.oauth.scripted import Answer, Scripted, answer

SINCE = "2026-01-01T00:00:00.000Z"


COUNTED = ("encounters", "events", "payers", "patient_ar_inventory", "patients", "appointments", "coverages")
"""Resources of which the emulator says how many records it has."""


def listing(paging: Paging, method: str = "GET", path: str = "/api/payers/v4", **fields: Any) -> Call:
    return Call(method=method, path=path, paging=paging, **fields)


def scan(page_size: int = 3) -> Call:
    return listing(ScanPaging(page_size), path="/patients/v1/updates/scan", params={"since": SINCE})


def row(identifier: str, second: int, version: int = 1) -> dict[str, Any]:
    return {"id": identifier, "version": version, "updated_at": f"2026-01-01T00:00:{second:02}.000Z"}


def rows_of(pages: list[Page]) -> list[Any]:
    return [item for page in pages for item in page.items]


# --- the resources, against the emulator


@pytest.mark.parametrize("name", COUNTED)
def test_a_resource_comes_whole_and_nothing_twice(candid: Sender, emulator: Emulator, name: str) -> None:
    resource = RESOURCES[name]
    keys = [item[resource.key or ""] for item in rows_of(candid.pages(resource.call()))]
    assert len(keys) == len(set(keys)) == emulator.stats()["records"][name] > 100


@pytest.mark.parametrize("name", ["encounters", "events", "payers", "patient_ar_inventory"])
def test_small_pages_bring_the_same_records(candid: Sender, emulator: Emulator, name: str) -> None:
    pages = candid.pages(RESOURCES[name].call({"limit": 37}))
    assert max(len(page.rows) for page in pages) == 37
    assert len(rows_of(pages)) == emulator.stats()["records"][name]


def test_a_small_scan_brings_the_same_records(candid: Sender, emulator: Emulator) -> None:
    keys = [item["id"] for item in rows_of(candid.pages(RESOURCES["patients"].call({"maxResults": 50})))]
    assert len(keys) == len(set(keys)) == emulator.stats()["records"]["patients"]


@pytest.mark.parametrize("name", COUNTED)
def test_any_pages_next_call_is_a_place_to_go_on_from(candid: Sender, emulator: Emulator, name: str) -> None:
    resource = RESOURCES[name]
    (first,) = candid.pages(resource.call(), most=1)
    rest = candid.pages(first.next) if first.next else []
    assert len(first.rows) + len(rows_of(rest)) == emulator.stats()["records"][name]


def test_a_misspelled_resource_gets_a_suggestion() -> None:
    with pytest.raises(CandidConfigError, match=r"Did you mean 'encounters'.*\?.*candid resources") as failure:
        resource_named("encuonters")
    assert failure.value.field == "resource"


def test_a_resource_is_found_by_name() -> None:
    assert {name: resource_named(name).name for name in RESOURCES} == {name: name for name in RESOURCES}


@pytest.mark.parametrize("size", ["many-Jane", "", -1, 0, [1]])
def test_a_page_size_that_is_none_is_a_config_error(size: Any) -> None:
    with pytest.raises(CandidConfigError) as failure:
        RESOURCES["patients"].call({"maxResults": size})
    assert "Jane" not in str(failure.value)


def test_without_a_page_size_the_apis_own_counts() -> None:
    assert RESOURCES["patients"].call({"maxResults": None}).paging == ScanPaging(100)


def test_a_page_size_beyond_the_apis_is_refused() -> None:
    with pytest.raises(CandidConfigError, match="from 1 to 1000"):
        RESOURCES["patients"].call({"maxResults": 1001})


def test_times_with_and_without_a_fraction_are_compared_as_times(sender: Sender, server: Scripted) -> None:
    def row(number: int, time: str) -> dict[str, Any]:
        return {"id": str(number), "version": 1, "updated_at": time}

    whole, half = "2026-01-15T12:00:00Z", "2026-01-15T12:00:00.500Z"
    server.answers = [answer([row(1, whole)]), answer([row(1, whole), row(2, half)]), answer([row(2, half)])]
    assert len(rows_of(sender.pages(RESOURCES["appointments"].call()))) == 2


def test_a_scan_of_fixed_pages_takes_no_page_size() -> None:
    # Else a full page of 100 records would not count as full, and what lies behind it would be lost.
    try:
        paging = RESOURCES["appointments"].call({"maxResults": 500}).paging
    except CandidConfigError:
        return
    assert paging == ScanPaging(100)


# --- tokens


def test_pages_are_followed_by_their_token(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"items": [1], "next_page_token": "b&c"}), answer({"items": [2, 3]})]
    pages = sender.pages(listing(TokenPaging(), params={"limit": 2, "page_token": None}))
    assert [page.items for page in pages] == [[1], [2, 3]]
    assert [request.target for request in server.requests] == [
        "/api/payers/v4?limit=2",
        "/api/payers/v4?limit=2&page_token=b%26c",
    ]


def test_the_token_may_travel_in_the_body(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"items": [1], "next_page_token": "b"}), answer({"items": [2]})]
    call = listing(TokenPaging(token_in="body"), "POST", "/patient-merge/v1/search", json={"mrn": "7"})
    assert rows_of(sender.pages(call)) == [1, 2]
    assert [json.loads(request.body) for request in server.requests] == [
        {"mrn": "7"},
        {"mrn": "7", "page_token": "b"},
    ]


def test_the_list_may_have_another_key(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"rates": [1], "next_page_token": "b"}), answer({"rates": []})]
    assert rows_of(sender.pages(listing(TokenPaging("rates")))) == [1]


@pytest.mark.parametrize("end", [{}, {"next_page_token": None}, {"next_page_token": ""}])
def test_a_listing_ends_without_a_token(sender: Sender, server: Scripted, end: dict[str, Any]) -> None:
    server.answers = [answer({"items": [], "total": 0, "prev_page_token": "x", **end})]
    assert len(sender.pages(listing(TokenPaging()))) == 1


def test_an_empty_page_with_a_token_is_not_the_end(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"items": [], "next_page_token": "b"}), answer({"items": [1]})]
    assert rows_of(sender.pages(listing(TokenPaging()))) == [1]


@pytest.mark.parametrize("token_in", ["query", "body"])
@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_server_that_leads_in_a_circle_is_stopped(
    sender: Sender, server: Scripted, tokens: list[str], token_in: Any
) -> None:
    server.answers = [answer({"items": [1], "next_page_token": token}) for token in tokens]
    error = sender.fails(listing(TokenPaging(token_in=token_in), "POST", read_only=True))
    assert isinstance(error, CandidUnavailableError)
    assert (error.retryable, error.route, len(server.requests)) == (False, "POST /api/payers/v4", len(tokens))


def test_a_circle_back_to_the_starting_token_is_noticed(sender: Sender, server: Scripted) -> None:
    server.answers = [answer({"items": [1], "next_page_token": "start"})]
    assert not sender.fails(listing(TokenPaging(), params={"page_token": "start"})).retryable
    assert len(server.requests) == 1


def test_a_page_knows_its_size(sender: Sender, server: Scripted) -> None:
    server.answers = [Answer(body=b'{"items": [ {"a":  1} ]}')]
    (page,) = sender.pages(listing(TokenPaging()))
    assert (page.nbytes, bytes(page.rows[0])) == (24, b'{"a":  1}')


# --- unreadable pages


@pytest.mark.parametrize("paging", [TokenPaging(), ScanPaging(), Unpaged(), Unpaged("schemas")], ids=repr)
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Jane</html>",
        b"",
        b'"Jane"',
        b'{"records": ["Jane"]}',
        b'{"items": "Jane"}',
        b'{"items": [], "next_page_token": 7, "x": "Jane',
        b'["Jane',
        b'[{"id": "Jane"}, 7',
        b'["Jane \xff',
        b"[" * 20_000,
    ],
)
def test_a_page_that_cannot_be_read_is_not_shown(
    hasty: Sender, server: Scripted, paging: Paging, body: bytes
) -> None:
    server.answers = [Answer(body=body)]
    error = hasty.fails(listing(paging))
    assert isinstance(error, CandidUnavailableError)
    assert error.route == "GET /api/payers/v4"


@pytest.mark.parametrize("rows", [[{"name": "Jane"}], ["Jane"], [{**row("Jane", 1), "version": "Jane"}]])
def test_a_scanned_record_without_its_version_is_not_shown(
    hasty: Sender, server: Scripted, rows: list[dict[str, Any]]
) -> None:
    server.answers = [answer(rows)]
    assert isinstance(hasty.fails(scan()), CandidUnavailableError)


def test_a_record_that_is_no_utf_8_never_leaves_as_another_error(hasty: Sender, server: Scripted) -> None:
    server.answers = [Answer(body=b'{"items": [{"name": "Jane \xff"}]}')]
    error = hasty.fails(listing(TokenPaging()))
    assert isinstance(error, CandidUnavailableError)


# --- scans


class Table:
    """Records as the pre-encounter API scans them: ascending, from ``since`` on, inclusive."""

    def __init__(self, rows: list[dict[str, Any]], page_size: int) -> None:
        self.rows, self.page_size = sorted(rows, key=lambda row: str(row["updated_at"])), page_size

    def scan(self) -> list[Any]:
        """All that a scan brings, page after page, without a server in between."""
        call: Call | None = scan(self.page_size)
        found: list[Any] = []
        while call and call.paging:
            later = [row for row in self.rows if row["updated_at"] >= call.params["since"]]
            page = call.paging.read(call, json.dumps(later[: self.page_size]).encode())
            found += page.items
            call = page.next
        return found


def most_shared(seconds: list[int]) -> int:
    return max(map(seconds.count, seconds), default=0)


@given(st.lists(st.integers(0, 30), max_size=60).filter(lambda seconds: most_shared(seconds) < 5))
def test_a_scan_loses_and_doubles_nothing_however_timestamps_are_shared(seconds: list[int]) -> None:
    table = Table([row(str(number), second) for number, second in enumerate(seconds)], page_size=5)
    assert table.scan() == table.rows


@given(st.lists(st.integers(0, 3), max_size=40))
def test_a_scan_brings_everything_or_says_that_it_cannot(seconds: list[int]) -> None:
    table = Table([row(str(number), second) for number, second in enumerate(seconds)], page_size=5)
    try:
        assert table.scan() == table.rows
    except CandidUnavailableError:
        assert most_shared(seconds) >= 5


def test_a_timestamp_shared_across_a_page_border(sender: Sender, server: Scripted) -> None:
    a, b, c, d = row("a", 1), row("b", 2), row("c", 2), row("d", 3)
    server.answers = [answer([a, b]), answer([b, c]), answer([b, c, d]), answer([d])]
    assert rows_of(sender.pages(scan())) == [a, b, c, d]
    assert server.requests[1].target.endswith("since=2026-01-01T00%3A00%3A02.000Z")


def test_a_new_version_of_a_record_is_delivered_again(sender: Sender, server: Scripted) -> None:
    old, new = row("a", 1), row("a", 2, version=2)
    server.answers = [answer([old]), answer([old, new]), answer([new])]
    assert rows_of(sender.pages(scan())) == [old, new]


def test_an_empty_scan_is_one_page(sender: Sender, server: Scripted) -> None:
    server.answers = [answer([])]
    assert rows_of(sender.pages(scan())) == []
    assert len(server.requests) == 1


def test_a_full_page_of_one_timestamp_is_reported(sender: Sender, server: Scripted) -> None:
    server.answers = [answer([row(name, 1) for name in ("Jane", "b", "c")])]
    error = sender.fails(scan(page_size=3))
    assert isinstance(error, CandidUnavailableError)
    assert "shares one updated_at" in str(error)
    assert (error.retryable, len(server.requests)) == (False, 1)


def test_a_full_page_of_one_timestamp_is_asked_for_again_in_full_size(sender: Sender, server: Scripted) -> None:
    rows = [row(name, 1) for name in ("a", "b", "c", "d")]
    server.answers = [answer(rows[:3]), answer(rows), answer(rows)]
    call = RESOURCES["patients"].call({"maxResults": 3, "since": SINCE})
    assert rows_of(sender.pages(call)) == rows
    assert ["maxResults=1000" in request.target for request in server.requests] == [False, True, True]


def test_a_short_page_of_one_timestamp_is_the_end(sender: Sender, server: Scripted) -> None:
    server.answers = [answer([row("a", 1), row("b", 1)])]
    assert len(rows_of(sender.pages(scan(page_size=3)))) == 2
    assert len(server.requests) == 2


def test_a_server_that_overlooks_since_is_stopped(sender: Sender, server: Scripted) -> None:
    server.answers = [answer([row("a", 1), row("b", 2)])]
    try:
        pages = sender.pages(scan(page_size=2), most=6)
    except CandidUnavailableError:
        return
    assert len(pages) < 6


# --- unpaged


@pytest.mark.parametrize(("key", "body"), [(None, [{"a": 1}]), ("schemas", {"schemas": [{"a": 1}]})])
def test_a_listing_that_comes_whole(sender: Sender, server: Scripted, key: str | None, body: Any) -> None:
    server.answers = [answer(body)]
    assert rows_of(sender.pages(listing(Unpaged(key)))) == [{"a": 1}]
    assert len(server.requests) == 1


@given(st.lists(st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.none())))
def test_records_are_cut_out_byte_for_byte(records: list[dict[str, Any]]) -> None:
    texts = [msgspec.json.encode(record) for record in records]
    page = Unpaged().read(listing(Unpaged()), b"[" + b", ".join(texts) + b"]")
    assert [bytes(row) for row in page.rows] == texts
    assert page.items == records
