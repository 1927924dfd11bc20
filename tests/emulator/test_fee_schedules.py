"""The fee schedule: uploads are whole or refused, versions follow each other, and a service line finds its rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running

from .conftest import SMALL, Api, connected

NOWHERE = "00000000-0000-4000-8000-000000000000"
FEES = "/api/fee-schedules/v3"


@pytest.fixture(scope="module")
def own() -> Iterator[Api]:
    """An emulator of this module's own, to be written to."""
    with running(SMALL) as emulator, connected(emulator) as http:
        yield Api(http)


def rates(api: Api, **params: Any) -> list[dict[str, Any]]:
    return [row for page in api.pages(FEES, **params) for row in page["rates"]]


def entry(start: str, end: str | None = None, cents: int = 5_000) -> dict[str, Any]:
    return {"start_date": start, "end_date": end, "rate_cents": cents, "is_deactivated": False}


def new(api: Api, code: str, **dimensions: Any) -> dict[str, Any]:
    """A rate that is not there yet."""
    known = rates(api)[0]["dimensions"]
    return {
        "type": "new_rate",
        "dimensions": known | {"cpt_code": code} | dimensions,
        "entries": [entry("2026-01-01")],
    }


def upload(api: Api, *rows: dict[str, Any], dry_run: bool = False) -> Any:
    return api.http.post(FEES, json={"dry_run": dry_run, "rates": list(rows)})


def problems(answer: Any) -> list[list[str]]:
    assert (answer.status_code, answer.json()["errorName"]) == (422, "FeeScheduleValidationHttpError")
    return [[error["type"] for error in row["possible_errors"]] for row in answer.json()["content"]]


def test_rates_are_found_by_their_dimensions_and_the_day(api: Api) -> None:
    rows = rates(api, limit=30)
    one = rows[9]["dimensions"]
    assert rates(api, payer_uuid=one["payer_uuid"], cpt_code=one["cpt_code"]) == [rows[9]]
    assert rates(api, organization_billing_provider_id=NOWHERE) == []
    assert rates(api, active_date="2019-12-31") == []
    assert rates(api, active_date="2026-01-01") == rows
    assert rates(api, states="WA") == []
    assert api.get(FEES, limit=101).status_code == 422


def test_unique_values_of_a_dimension_are_listed_with_the_criteria(api: Api) -> None:
    payer = rates(api)[0]["dimensions"]["payer_uuid"]
    rows = api.ok(f"{FEES}/unique-dimension-values", pivot_dimension="cpt_code", payer_uuid=payer)["dimensions"]
    assert [row["cpt_code"] for row in rows] == sorted({row["dimensions"]["cpt_code"] for row in rates(api)})
    assert {row["payer_uuid"] for row in rows} == {payer}
    api.refuses(f"{FEES}/unique-dimension-values", "pivot_dimension", "states")


def test_a_dry_run_says_what_would_be_and_saves_nothing(own: Api) -> None:
    before = rates(own)
    [would] = upload(own, new(own, "A0001"), dry_run=True).json()
    assert would["version"] == 1
    assert rates(own) == before
    assert own.get(f"{FEES}/{would['rate_id']}/history").status_code == 404


def test_versions_follow_each_other_and_only_the_latest_can_be_deleted(own: Api) -> None:
    [first] = upload(own, new(own, "A0002")).json()
    where = f"{FEES}/{first['rate_id']}"
    change = {"type": "new_version", "rate_id": first["rate_id"], "entries": [entry("2026-02-01", cents=1)]}
    assert problems(upload(own, change | {"previous_version": 2})) == [["version_conflict"]]
    [second] = upload(own, change | {"previous_version": 1}).json()
    assert second["version"] == 2
    assert own.ok(f"{where}/history") == [second, first]
    assert rates(own, cpt_code="A0002") == [second]
    answer = own.http.delete(f"{where}/1")
    assert (answer.status_code, answer.json()["errorName"]) == (409, "EntityConflictError")
    assert own.http.delete(f"{where}/2").status_code == 204
    assert own.http.delete(f"{where}/2").status_code == 404
    assert rates(own, cpt_code="A0002") == []
    assert own.ok(f"{where}/history") == [second, first]


def test_one_wrong_rate_keeps_all_of_an_upload_out_and_each_is_told_why(own: Api) -> None:
    groups = own.rows("/api/payer-plan-groups/v1")
    good = new(own, "A0003")
    other = next(row for row in groups if row["payer_uuid"] != good["dimensions"]["payer_uuid"])
    mine = next(row for row in groups if row["payer_uuid"] == good["dimensions"]["payer_uuid"])
    wrong = [
        new(own, rates(own)[0]["dimensions"]["cpt_code"]),
        good | {"entries": []},
        new(own, "A0004") | {"entries": [entry("2026-01-01"), entry("2026-03-01")]},
        new(own, "A0005", organization_billing_provider_id=NOWHERE),
        new(own, "A0006", payer_plan_group_ids=[NOWHERE]),
        new(own, "A0007", payer_plan_group_ids=[other["payer_plan_group_id"]]),
        new(own, "A0008", payer_plan_group_ids=[mine["payer_plan_group_id"]], network_types=["12"]),
    ]
    assert problems(upload(own, *wrong, new(own, "A0009"))) == [
        ["duplicate_rate"],
        ["empty_entries"],
        ["overlapping_rate_entries"],
        ["organization_provider_not_found"],
        ["payer_plan_group_not_found"],
        ["payer_plan_group_does_not_match_rate_payer"],
        ["payer_plan_group_network_type_mutual_exclusion"],
        [],
    ]
    assert rates(own, cpt_code="A0009") == []


def test_a_service_line_finds_its_rate_and_is_told_why_another_does_not_fit(own: Api) -> None:
    known = {(row["dimensions"]["payer_uuid"], row["dimensions"]["cpt_code"]): row for row in rates(own)}
    encounters = own.rows("/api/encounters/v4", limit=1000)
    matches = []
    for encounter in encounters[:60]:
        payer = encounter["subscriber_primary"]["insurance_card"]["payer_uuid"]
        line = encounter["claims"][0]["service_lines"][0]
        rate = known.get((payer, line["procedure_code"]))
        match = own.ok(f"{FEES}/service-line/{line['service_line_id']}/match")
        assert (match and match["rate_id"]) == (rate and rate["rate_id"])
        matches.append((line, rate))
    line, rate = next((line, rate) for line, rate in matches if rate is not None)
    told = own.ok(f"{FEES}/service-line/{line['service_line_id']}/match/{rate['rate_id']}")["dimensions"]
    assert all(row["match"] for row in told.values())
    other = next(row for row in known.values() if row["dimensions"]["cpt_code"] != line["procedure_code"])
    told = own.ok(f"{FEES}/service-line/{line['service_line_id']}/match/{other['rate_id']}")["dimensions"]
    assert not told["cpt_code"]["match"]
    assert own.get(f"{FEES}/service-line/{NOWHERE}/match").status_code == 404
    assert own.get(f"{FEES}/service-line/{line['service_line_id']}/match/{NOWHERE}").status_code == 404


def test_points_are_matched_in_their_order_whatever_the_case_and_the_closest_rate_wins(own: Api) -> None:
    general, special = new(own, "B0001"), new(own, "B0001", states=["WA"], zip_codes=["98101"])
    special["entries"] = [entry("2026-01-01", cents=333)]
    _, close = upload(own, general, special).json()
    point = {name: general["dimensions"][name] for name in ("payer_uuid", "organization_billing_provider_id")}
    point |= {"cpt_code": "b0001", "date_of_service": "2026-05-05"}
    here = point | {"state": "WA", "zip_code": "98101-1234", "quantity": "2.5"}
    plain, exact, none = own.http.post(f"{FEES}/batch-match", json=[point, here, point | {"cpt_code": "none"}]).json()
    assert plain["match"]["total_cents"] == 5_000
    assert (exact["match"]["rate_id"], exact["match"]["total_cents"]) == (close["rate_id"], 832)
    assert none["match"] is None


def test_thresholds_are_the_default_until_they_are_set(own: Api) -> None:
    one, other = (row["payer_uuid"] for row in own.rows("/api/payers/v3")[:2])
    default = own.ok(f"{FEES}/payer-threshold/default")
    wanted = {"upper_threshold_cents": 7, "lower_threshold_cents": None, "disable_paid_incorrectly": True}
    assert own.http.put(f"{FEES}/payer-threshold/{one}", json=wanted).json() == wanted
    found = own.ok(f"{FEES}/payer-threshold", payer_uuids=[one, other])["payer_thresholds"]
    assert found == {one: wanted, other: default}
    answer = own.http.put(f"{FEES}/payer-threshold/{NOWHERE}", json=wanted)
    assert (answer.status_code, answer.json()["errorName"]) == (404, "EntityNotFoundError")


def test_rates_are_deleted_for_good_by_id_and_by_dimensions() -> None:
    with running(SMALL) as emulator, connected(emulator) as http:
        api = Api(http)
        rows = rates(api)
        by_ids = {"rate_ids": [rows[0]["rate_id"], rows[1]["rate_id"], NOWHERE]}
        assert http.post(f"{FEES}/hard-delete-by-ids", json=by_ids).json() == 2
        assert api.get(f"{FEES}/{rows[0]['rate_id']}/history").status_code == 404
        any_of = dict.fromkeys(rows[0]["dimensions"], None) | {
            name: [] for name, value in rows[0]["dimensions"].items() if isinstance(value, list)
        }
        some = any_of | {"cpt_code": rows[5]["dimensions"]["cpt_code"]}
        payers = {row["dimensions"]["payer_uuid"] for row in rows}
        assert http.post(f"{FEES}/hard-delete", json=some).json() == len(payers)
        left = len(rates(api))
        assert http.post(f"{FEES}/hard-delete", json=any_of).json() == left
        assert rates(api) == []
        too_many = {"rate_ids": [NOWHERE] * 101}
        assert http.post(f"{FEES}/hard-delete-by-ids", json=too_many).status_code == 422
