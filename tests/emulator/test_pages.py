from __future__ import annotations

from itertools import pairwise

import pytest

from candid_provider.emulator import Emulator

from .conftest import SMALL, Api, rows_in

ENCOUNTERS, EVENTS, PAYERS = "/api/encounters/v4", "/api/events/v1/", "/api/payers/v4"
INVENTORY = "/api/patient-ar/v1/inventory"


@pytest.mark.parametrize(
    ("path", "kind", "limit"),
    [
        (ENCOUNTERS, "encounters", 50),
        (EVENTS, "events", 100),
        (PAYERS, "payers", 7),
        (INVENTORY, "patient_ar_inventory", 9),
    ],
)
def test_pages_hold_every_record_once(api: Api, emulator: Emulator, path: str, kind: str, limit: int) -> None:
    rows = api.rows(path, limit=limit)
    assert len(rows) == emulator.stats()["records"][kind] > limit
    assert len({repr(row) for row in rows}) == len(rows)


@pytest.mark.parametrize(("path", "default"), [(ENCOUNTERS, 100), (EVENTS, 10), (INVENTORY, 100)])
def test_the_documented_default_page_size_holds(api: Api, path: str, default: int) -> None:
    assert len(rows_in(api.ok(path))) == default


@pytest.mark.parametrize(
    ("path", "filters"),
    [(ENCOUNTERS, {}), (ENCOUNTERS, {"claim_status": "denied"}), (PAYERS, {}), (PAYERS, {"search_term": "health"})],
)
def test_previous_page_tokens_lead_back_the_same_way(api: Api, path: str, filters: dict[str, str]) -> None:
    pages = api.pages(path, limit=3, **filters)[:6]
    assert pages[0]["prev_page_token"] is None
    for before, page in pairwise(pages):
        assert api.ok(path, limit=3, **filters, page_token=page["prev_page_token"])["items"] == before["items"]


def test_the_ends_are_explicit_nulls(api: Api) -> None:
    only = api.ok(PAYERS)
    assert (only["next_page_token"], only["prev_page_token"]) == (None, None)
    assert api.rows(EVENTS, limit=100)
    assert "prev_page_token" not in api.ok(EVENTS)


def test_a_full_last_page_is_the_end(api: Api) -> None:
    assert len(api.pages(ENCOUNTERS, limit=SMALL.encounters // 2)) == 2


@pytest.mark.parametrize("token", ["", "x", "garbage garbage", "AAAAAAAAAAAAAAAAAAAA", "ÿ"])
@pytest.mark.parametrize("path", [ENCOUNTERS, EVENTS, PAYERS])
def test_a_made_up_page_token_is_422(api: Api, path: str, token: str) -> None:
    answer = api.get(path, page_token=token)
    assert (answer.status_code, answer.json()["errorName"]) == (422, "UnprocessableEntityError")


def test_a_page_token_belongs_to_its_listing_and_filters(api: Api) -> None:
    token = api.ok(ENCOUNTERS, limit=5, claim_status="denied")["next_page_token"]
    assert api.get(ENCOUNTERS, limit=5, claim_status="denied", page_token=token).status_code == 200
    assert api.get(ENCOUNTERS, limit=5, page_token=token).status_code == 422
    assert api.get(ENCOUNTERS, limit=5, claim_status="rejected", page_token=token).status_code == 422
    assert api.get(PAYERS, page_token=token).status_code == 422


def test_a_page_token_can_be_used_again_and_with_another_size(api: Api) -> None:
    token = api.ok(ENCOUNTERS, limit=5)["next_page_token"]
    five, nine = api.ok(ENCOUNTERS, limit=5, page_token=token), api.ok(ENCOUNTERS, limit=9, page_token=token)
    assert nine["items"][:5] == five["items"]


@pytest.mark.parametrize(
    ("path", "name", "most"),
    [(ENCOUNTERS, "limit", 1000), (EVENTS, "limit", 100), (PAYERS, "limit", 1000)],
)
@pytest.mark.parametrize("size", ["0", "-1", "x", "", "1.5", "9" * 5000, None])
def test_a_page_size_out_of_range_is_422_and_named(
    api: Api, path: str, name: str, most: int, size: str | None
) -> None:
    api.refuses(path, name, size if size is not None else str(most + 1))
    assert api.get(path, **{name: most}).status_code == 200


# --- what is not emulated


@pytest.mark.parametrize("name", ["lmit", "limit[]"])
def test_a_parameter_that_candid_does_not_have_is_501_never_ignored(api: Api, name: str) -> None:
    answer = api.get(ENCOUNTERS, limit=5, **{name: "secret-value"})
    route = "encounters.v_4.get_all (GET /api/encounters/v4)"
    assert answer.status_code == 501
    assert answer.json() == {"detail": f"query parameter '{name}' of {route} is not emulated"}


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/api/encounters/v5"), ("GET", "/api/x/v1/1")])
def test_a_route_that_candid_does_not_have_is_501_without_its_query(api: Api, method: str, path: str) -> None:
    answer = api.http.request(method, path, params={"name": "secret-value"})
    detail = f"{method} {path}, which is no route of Candid's, is not emulated"
    assert (answer.status_code, answer.json()) == (501, {"detail": detail})


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/patients/v1/updates/scan"), ("GET", "/api/auth/v2/token"), ("PUT", ENCOUNTERS)]
)
def test_a_route_asked_in_another_way_is_405(api: Api, method: str, path: str) -> None:
    assert api.http.request(method, path).status_code == 405


def test_a_control_route_that_does_not_exist_is_404(api: Api) -> None:
    assert api.get("/_emulator/unknown").status_code == 404


def test_the_double_slash_of_the_published_openapi_works(api: Api) -> None:
    row = api.scan("/coverages/v1/updates/scan")[0]
    assert api.ok(f"/coverages/v1//{row['id']}") == row
