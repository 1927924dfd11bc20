"""Contracts, credentialing spans and plan groups: what the organization agreed on with payers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from candid_provider.emulator import running

from .conftest import SMALL, Api, connected

NOWHERE = "00000000-0000-4000-8000-000000000000"
V2, V3, GROUPS = "/api/contracts/v2", "/api/contracts/v3", "/api/payer-plan-groups/v1"
SPANS = "/api/provider-credentialing-span/v2"


@pytest.fixture(scope="module")
def own() -> Iterator[Api]:
    """An emulator of this module's own, to be written to."""
    with running(SMALL) as emulator, connected(emulator) as http:
        yield Api(http)


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorName"]


def terms(api: Api, payer: int = 20) -> dict[str, Any]:
    """A new contract with a payer for whom there are no rates."""
    known = api.rows(V3)[0]
    clinicians = api.rows(f"{V3}/{api.rows(V2)[0]['contract_id']}/providers")
    return {
        "contracting_provider_id": known["contracting_provider"]["organization_provider_id"],
        "rendering_provider_ids": [row["organization_provider_id"] for row in clinicians[:2]],
        "payer_uuid": api.rows("/api/payers/v3")[payer]["payer_uuid"],
        "effective_date": "2026-01-01",
        "regions": {"type": "states", "states": ["WA"]},
        "commercial_insurance_types": {"type": "allApply"},
        "medicare_insurance_types": {"type": "noneApply"},
        "medicaid_insurance_types": {"type": "theseApply", "value": ["MC"]},
    }


# --- contracts


def test_version_two_lists_the_professional_contracts_of_version_three(api: Api) -> None:
    rows = api.rows(V3)
    kinds = {row["type"] for row in rows}
    assert kinds == {"professional", "institutional"}
    professional = [row["contract_id"] for row in rows if row["type"] == "professional"]
    assert [row["contract_id"] for row in api.rows(V2, limit=5)] == professional
    institutional = next(row for row in rows if row["type"] == "institutional")
    assert refused(api.get(f"{V2}/{institutional['contract_id']}")) == (404, "EntityNotFoundError")
    assert api.ok(f"{V3}/{institutional['contract_id']}")["contract_service_facilities"]


def test_contracts_are_found_by_every_filter_and_sorted_by_every_field(api: Api) -> None:
    rows = api.rows(V3)
    row = rows[4]
    name, provider = row["payer"]["payer_name"], row["contracting_provider"]["organization_provider_id"]
    assert row in api.rows(V3, payer_names=[name, "nobody"])
    assert len(api.rows(V3, contracting_provider_id=provider)) == len(rows)
    assert api.rows(V3, contracting_provider_id=NOWHERE) == []
    rendering = api.ok(f"{V2}/{api.rows(V2)[0]['contract_id']}")["rendering_provider_ids"][0]
    assert api.rows(V3, rendering_provider_ids=rendering)
    assert api.rows(V3, rendering_provider_ids=NOWHERE) == []
    national = [one for one in rows if one["regions"]["type"] == "national"]
    assert api.rows(V3, states="WA") == national
    assert api.rows(V3, contract_status="pending") == [one for one in rows if one["contract_status"] == "pending"]
    assert api.rows(V3, type="institutional") == [one for one in rows if one["type"] == "institutional"]
    for field in ("effective_date", "contract_status"):
        found = api.rows(V3, sort=field, sort_direction="asc", limit=4)
        assert found == sorted(found, key=lambda one: str(one[field]))
    names = [one["payer"]["payer_name"] for one in api.rows(V3, sort="payer_name")]
    assert names == sorted(names, reverse=True)


@pytest.mark.parametrize("path", [V2, V3])
def test_a_contract_is_made_changed_and_ended(own: Api, path: str) -> None:
    kind = {"type": "professional", "contract_type": "professional"} if path == V3 else {}
    made = own.http.post(path, json=terms(own) | kind).json()
    where = f"{path}/{made['contract_id']}"
    assert (made["contract_status"], made["provider_count"]) == ("pending", 2)
    assert own.ok(where) == made
    assert own.rows(path)[0]["contract_id"] == made["contract_id"]
    change = {"expiration_date": {"type": "set", "value": "2027-01-01"}, "contract_status": "effective"}
    signatory = {"type": "set", "first_name": "Ada"}
    changed = own.http.patch(where, json=kind | change | {"authorized_signatory": signatory}).json()
    assert own.ok(where) == changed
    assert (changed["expiration_date"], changed["authorized_signatory"]["first_name"]) == ("2027-01-01", "Ada")
    too_early = {"expiration_date": {"type": "set", "value": "2025-01-01"}}
    answer = own.http.patch(where, json=kind | too_early)
    assert refused(answer) == (422, "ContractInvalidExpirationDateHttpError")
    unknown = {"rendering_provider_ids": [NOWHERE]}
    assert refused(own.http.patch(where, json=kind | unknown)) == (422, "UnprocessableEntityError")
    assert own.http.delete(where).status_code == 204
    assert refused(own.get(where)) == (404, "EntityNotFoundError")


@pytest.mark.parametrize("path", [V2, V3])
def test_a_contract_with_rates_in_the_fee_schedule_cannot_be_deleted(own: Api, path: str) -> None:
    payers = {row["dimensions"]["payer_uuid"] for page in own.pages("/api/fee-schedules/v3") for row in page["rates"]}
    row = next(row for row in own.rows(path) if row["payer"]["payer_uuid"] in payers)
    answer = own.http.delete(f"{path}/{row['contract_id']}")
    assert refused(answer) == (422, "ContractIsLinkedToFeeScheduleHttpError")


def test_rendering_providers_are_added_and_taken_out(own: Api) -> None:
    contract = own.http.post(V2, json=terms(own, 19)).json()
    where = f"{V3}/{contract['contract_id']}/providers"
    assert [row["organization_provider_id"] for row in own.rows(where)] == contract["rendering_provider_ids"]
    clinicians = own.rows(f"{V3}/{own.rows(V2)[-1]['contract_id']}/providers")
    ids = [row["organization_provider_id"] for row in clinicians]
    added = own.http.post(where, json={"rendering_provider_ids": ids}).json()
    assert added["added_count"] + added["ignored_count"] == len(ids)
    assert added["provider_count"] == len(own.rows(where, limit=3))
    out = {"rendering_provider_ids": ids[:1]}
    assert own.http.request("DELETE", where, json=out).json() == {"provider_count": added["provider_count"] - 1}
    assert refused(own.http.request("DELETE", where, json=out)) == (404, "EntityNotFoundError")
    bad = own.http.post(where, json={"rendering_provider_ids": [NOWHERE]})
    assert refused(bad) == (422, "UnprocessableEntityError")


def test_credentialing_of_a_contracts_providers_is_that_of_its_payer(api: Api) -> None:
    contract = api.rows(V2, sort_direction="asc")[0]
    rows = api.rows(f"{V3}/{contract['contract_id']}/providers/credentialing")
    assert len(rows) == contract["provider_count"]
    payers = {span["payer"]["payer_uuid"] for row in rows for span in row["credentialing_spans"]}
    assert payers == {contract["payer"]["payer_uuid"]}
    last = api.rows(V2)[0]
    assert not any(
        row["credentialing_spans"] for row in api.rows(f"{V3}/{last['contract_id']}/providers/credentialing")
    )
    assert refused(api.get(f"{V3}/{NOWHERE}/providers/credentialing")) == (404, "EntityNotFoundError")


def test_an_institutions_contract_holds_in_facilities(own: Api) -> None:
    known = own.ok(f"{V3}/{own.rows(V3, type='institutional')[0]['contract_id']}")["contract_service_facilities"]
    first, second = ({name: row[name] for name in ("service_facility_id", "provider_ids")} for row in known[:2])
    body = terms(own) | {"type": "institutional", "contract_type": "institutional"}
    made = own.http.post(V3, json=body | {"contract_service_facilities": [first]}).json()
    where = f"{V3}/{made['contract_id']}"
    added = own.http.post(f"{where}/service-facilities", json=second).json()
    assert own.ok(where)["contract_service_facilities"] == [*made["contract_service_facilities"], added]
    assert own.http.post(f"{where}/service-facilities", json=second).status_code == 422
    one = f"{where}/service-facilities/{added['contract_service_facility_id']}"
    changed = own.http.patch(one, json={"provider_ids": first["provider_ids"]}).json()
    assert changed == added | {"provider_ids": first["provider_ids"]}
    assert refused(own.http.patch(one, json={"service_facility_id": NOWHERE})) == (422, "UnprocessableEntityError")
    kept = {"type": "institutional", "contract_service_facility_ids": [added["contract_service_facility_id"]]}
    assert own.http.patch(where, json=kept).json()["contract_service_facilities"] == [changed]
    assert own.http.patch(where, json={"type": "professional"}).status_code == 422


# --- credentialing


@pytest.mark.parametrize(("suffix", "noun"), [("", "provider"), ("/facility", "facility")])
def test_a_span_is_made_changed_and_deleted_and_its_status_follows_its_dates(
    own: Api, suffix: str, noun: str
) -> None:
    path = SPANS + suffix
    rows = own.rows(path)
    assert {row["credentialing_status"] for row in rows} == {"effective", "expired", "pending"}
    row, name = rows[0], f"{noun}_credentialing_span_id"
    body: dict[str, Any] = {
        "contracting_provider_id": row["contracting_provider"]["organization_provider_id"],
        "payer_uuid": own.rows("/api/payers/v3")[9]["payer_uuid"],
    }
    if noun == "provider":
        body |= {"rendering_provider_id": row["rendering_provider"]["organization_provider_id"]}
        body |= {"regions": {"type": "national"}}
    else:
        body |= {"service_facility_id": row["service_facility"]["organization_service_facility_id"]}
    made = own.http.post(path, json=body).json()
    assert made["credentialing_status"] == "work_in_progress"
    assert own.ok(f"{path}/{made[name]}") == made
    assert own.rows(path, payer_uuid=body["payer_uuid"]) == [made]
    change = {"contracting_provider_id": body["contracting_provider_id"], "start_date": "2026-01-01"}
    changed = own.http.patch(f"{path}/{made[name]}", json=change).json()
    assert changed["credentialing_status"] == "effective"
    late = change | {"end_date": "2025-01-01"}
    assert refused(own.http.patch(f"{path}/{made[name]}", json=late)) == (422, "UnprocessableEntityError")
    assert refused(own.http.post(path, json=body | {"payer_uuid": NOWHERE})) == (422, "HttpRequestValidationsError")
    assert own.http.delete(f"{path}/{made[name]}").status_code == 204
    assert refused(own.http.delete(f"{path}/{made[name]}")) == (404, "EntityNotFoundError")


def test_spans_are_found_by_what_a_provider_is_in_them(api: Api) -> None:
    rows = api.rows(SPANS)
    rendering = rows[0]["rendering_provider"]["organization_provider_id"]
    contracting = rows[0]["contracting_provider"]["organization_provider_id"]
    of_one = [row for row in rows if row["rendering_provider"]["organization_provider_id"] == rendering]
    assert api.rows(SPANS, provider_id=rendering, as_rendering_provider="true") == of_one
    assert api.rows(SPANS, provider_id=rendering, as_contracting_provider="true") == []
    assert api.rows(SPANS, provider_id=contracting) == rows
    assert refused(api.get(SPANS, as_rendering_provider="true")) == (422, "UnprocessableEntityError")
    sites = api.rows(SPANS + "/facility")
    site = sites[0]["service_facility"]["organization_service_facility_id"]
    assert 0 < len(api.rows(SPANS + "/facility", service_facility_id=site)) < len(sites)
    assert api.rows(SPANS + "/facility", contracting_provider_id=contracting) == sites


# --- plan groups


def test_plan_groups_are_found_by_every_filter_and_sorted_by_every_field(api: Api) -> None:
    rows = api.rows(GROUPS)
    assert rows == sorted(rows, key=lambda row: str(row["plan_group_name"]))
    row = rows[5]
    assert api.rows(GROUPS, plan_group_name=row["plan_group_name"]) == [row]
    assert api.rows(GROUPS, payer_plan_group_id=[row["payer_plan_group_id"], NOWHERE]) == [row]
    assert row in api.rows(GROUPS, payer_uuid=row["payer_uuid"], plan_type=row["plan_type"])
    assert row in api.rows(GROUPS, payer_id=row["payer"]["payer_id"])
    assert api.rows(GROUPS, is_active="false") == [one for one in rows if not one["is_active"]]
    assert api.rows(GROUPS, payer_group_id=NOWHERE) == []
    assert api.rows(GROUPS, sort_by_similarity=row["plan_group_name"])[0] == row
    for field in ("plan_type", "created_at"):
        assert len(api.rows(GROUPS, sort=field, sort_direction="desc", limit=7)) == len(rows)
    assert refused(api.get(GROUPS, organization_id=NOWHERE)) == (403, "UnauthorizedError")


def test_a_plan_group_is_made_changed_and_deactivated_and_its_name_is_its_payers_own(own: Api) -> None:
    first, second = own.rows(GROUPS)[:2]
    body = {"plan_group_name": "Gold", "payer_uuid": first["payer_uuid"], "plan_type": "CI"}
    made = own.http.post(GROUPS, json=body).json()
    where = f"{GROUPS}/{made['payer_plan_group_id']}"
    assert own.ok(where) == made
    answer = own.http.post(GROUPS, json=body)
    assert refused(answer) == (422, "PayerPlanGroupAlreadyExistsHttpError")
    assert answer.json()["content"]["id"] == made["payer_plan_group_id"]
    taken = {name: second[name] for name in body}
    assert refused(own.http.put(where, json=taken))[1] == "PayerPlanGroupAlreadyExistsHttpError"
    assert own.http.put(where, json=body | {"plan_type": "HM"}).json() == made | {"plan_type": "HM"}
    assert own.http.patch(where, json={}).json()["is_active"] is False
    assert refused(own.http.post(GROUPS, json=body | {"payer_uuid": NOWHERE})) == (404, "EntityNotFoundError")
    assert own.http.post(GROUPS, json=body | {"plan_group_name": "x", "plan_type": "??"}).status_code == 422
