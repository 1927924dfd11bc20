"""Scans by `since`: what they promise, and the two traps of the loop that Candid documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from .pre_encounter import LONG_AGO, SMALL, Desk, desk, patient

SCANS = {
    "/patients/v1/updates/scan": True,
    "/organization-external-providers/v1/updates/scan": True,
    "/patient-merge/v1/updates/scan": True,
    "/appointments/v1/updates/scan": False,
    "/coverages/v1/updates/scan": False,
}
GROUP = "11111111-1111-4111-8111-111111111111"
COVERAGES = "/coverages/v1/updates/scan"


@pytest.fixture
def api() -> Iterator[Desk]:
    with desk() as api:
        yield api


def documented_loop(api: Desk, path: str, since: str) -> Iterator[list[dict[str, Any]]]:
    """Candid's: go on from the last row's updated_at until an empty list comes."""
    while page := api.ok(path, since=since):
        yield page
        since = page[-1]["updated_at"]


def grouped(api: Desk, number: int) -> set[str]:
    """Coverages of a payer plan group whose fields then change, which Candid writes at one instant."""
    who = api.patient()["id"]
    made = {str(api.coverage(who, payer_plan_group_id=GROUP)["id"]) for _ in range(number)}
    fields = {"payer_plan_group_id": GROUP, "payer_id": "10001", "payer_name": "Summit Ridge", "plan_type": "12"}
    api.done("POST", f"/coverages/v1/batch-update-ppg/{GROUP}", fields)
    return made


@pytest.mark.parametrize("path", SCANS)
def test_pages_are_a_hundred_rows_and_some_scans_can_ask_for_more(api: Desk, path: str) -> None:
    page = api.ok(path, since=LONG_AGO)
    assert len(page) <= 100
    if not SCANS[path]:
        assert len(page) == 100
        assert api.get(path, since=LONG_AGO, maxResults=5).status_code == 501
        return
    assert api.ok(path, since=LONG_AGO, maxResults=1) == page[:1]
    assert api.ok(path, since=LONG_AGO, maxResults=1000)[: len(page)] == page
    api.refuses(path, "maxResults", "1001", since=LONG_AGO)


def test_a_row_comes_once_as_it_is_now_and_since_is_inclusive(api: Desk) -> None:
    path = "/patients/v1/updates/scan"
    first, second = api.patient(), api.patient()
    assert api.ok(path, since=first["updated_at"]) == [first, second]
    moment = datetime.fromisoformat(second["updated_at"])
    assert api.ok(path, since=(moment - timedelta(microseconds=999)).isoformat()) == [second]
    assert api.ok(path, since=(moment + timedelta(microseconds=1)).isoformat()) == []
    first = api.done("PUT", f"/patients/v1/{first['id']}/2", patient())
    assert api.ok(path, since=second["updated_at"]) == [second, first]
    api.done("DELETE", f"/patients/v1/{second['id']}/2")
    rows = api.ok(path, since=first["updated_at"])
    assert [(row["id"], row["deactivated"]) for row in rows] == [(first["id"], False), (second["id"], True)]
    assert len(api.scan(path)) == SMALL.patients + 2


def test_trap_1_the_documented_loop_never_ends(api: Desk) -> None:
    loop = documented_loop(api, COVERAGES, "2026-03-15T00:00:00Z")
    pages = [next(loop) for _ in range(12)]
    assert pages[-1] == pages[-2] == pages[-3] != []


def test_trap_2_a_full_page_of_one_instant_stops_every_loop(api: Desk) -> None:
    made = grouped(api, 130)
    everything = {row["id"] for row in api.ok("/coverages/v1")}
    seen = {row["id"] for row in api.scan(COVERAGES)}
    page = api.ok(COVERAGES, since=api.ok(f"/coverages/v1/{min(made)}")["updated_at"])
    assert {row["updated_at"] for row in page} == {page[0]["updated_at"]}
    assert len(page) == 100
    assert len(made - seen) == 30
    assert not everything - seen - made
    assert made <= {row["id"] for row in api.rows("/coverages/v1/get-multi-paginated", payer_plan_group_id=GROUP)}


def test_a_plan_group_is_updated_in_all_its_coverages_and_in_no_other(api: Desk) -> None:
    made = grouped(api, 3)
    rows = api.ok("/coverages/v1/get-multi-paginated", payer_plan_group_id=GROUP)["items"]
    assert {row["id"] for row in rows} == made
    assert {(row["version"], row["insurance_plan"]["payer_name"]) for row in rows} == {(2, "Summit Ridge")}
    assert {row["insurance_plan"]["member_id"] for row in rows} == {"MEMQZX1"}
    assert [row["version"] for row in api.ok(f"/coverages/v1/{rows[0]['id']}/history")] == [1, 2]
    types = [row["event_type"] for row in api.ok("/api/events/v1", limit=3)["items"]]
    assert types == ["PreEncounter.Coverage.Updated"] * 3


def test_two_worlds_with_one_history_are_the_same_to_the_byte() -> None:
    body = patient()

    def bytes_of() -> list[bytes]:
        with desk() as api:
            who = api.done("POST", "/patients/v1", body)
            api.coverage(who["id"])
            return [api.get(path, since="2026-03-12T00:00:00Z").content for path in SCANS]

    assert bytes_of() == bytes_of()
