"""Eligibility, insurance discovery and pre-service rules, as the official SDK meets them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.emulator.conftest import connected
from tests.emulator.test_sdk import client, pages, pytestmark, scanned, shape_faults

__all__ = ["pytestmark"]
WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=120, patients=60, days=10, payers=23)
NPI = "1999999984"
DAY = date(2026, 3, 16)
HOUR = 3600.0


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(WORLD) as emulator:
        yield emulator


@pytest.fixture
def sdk(emulator: Emulator) -> Iterator[Any]:
    with client(emulator) as sdk:
        yield sdk


@pytest.fixture
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    with connected(emulator) as http:
        yield http


def later(emulator: Emulator, seconds: float) -> None:
    httpx.post(f"{emulator.url}/_emulator/clock", json={"advance": seconds}).raise_for_status()


def asking(member: str | None, payer: str = "60054", **more: Any) -> dict[str, Any]:
    subscriber = {"first_name": "Test", "last_name": "Person", "member_id": member, "date_of_birth": "1990-01-01"}
    return {"payer_id": payer, "provider": {"npi": NPI}, "subscriber": subscriber} | more


def faults(model: Any) -> list[str]:
    """As `shape_faults`, but for the names that the SDK's own model of Stedi's errors gets wrong."""
    return [fault for fault in shape_faults(model) if "EligibilityCheckErrorDetails" not in fault]


def check(sdk: Any, request: dict[str, Any]) -> Any:
    from candid.resources.pre_encounter.resources.eligibility_checks.resources.v_1 import EligibilityRequest

    return sdk.pre_encounter.eligibility_checks.v_1.post(request=EligibilityRequest(**request))


def submit(sdk: Any, requests: list[dict[str, Any]]) -> Any:
    from candid.resources.pre_encounter.resources.eligibility_checks.resources.v_1 import EligibilityRequest

    return sdk.pre_encounter.eligibility_checks.v_1.batch(request=[EligibilityRequest(**each) for each in requests])


# --- in real time


@pytest.mark.parametrize("member", ["AETNA12345", "AETNA9wcSu"])
def test_the_members_that_candid_publishes_for_staging_are_covered(sdk: Any, member: str) -> None:
    answer = check(sdk, asking(member))
    assert answer.parsed_response.eligibility_status == "ACTIVE"
    assert answer.parsed_response.plan_metadata.payer_name == "Aetna"
    assert answer.parsed_response.benefits.plan_coverage.in_network.deductible.individual > 0
    assert answer.errors is None
    assert {fault for fault in faults(answer) if "Provider" not in fault} == set()


@pytest.mark.parametrize("code", ["42", "43", "72", "73", "75", "79"])
def test_the_members_that_candid_publishes_as_rejected_are_rejected(http: httpx.Client, code: str) -> None:
    answer = http.post("/eligibility-checks/v1", json=asking(f"UHCAAA{code}", "87726")).json()
    assert [(error["source"], error["errorDetails"]["code"]) for error in answer["errors"]] == [("STEDI", code)]
    assert answer["parsed_response"] is None


def test_a_payer_that_the_clearinghouse_does_not_know_is_a_bad_request(sdk: Any) -> None:
    from candid.core.api_error import ApiError

    with pytest.raises(ApiError) as refused:
        check(sdk, asking("X", "BAD_PAYER_ID"))
    assert refused.value.status_code == 400


def test_other_members_are_active_inactive_unknown_or_not_found_as_the_seed_has_it(http: httpx.Client) -> None:
    answers = [http.post("/eligibility-checks/v1", json=asking(f"M{number}")) for number in range(60)]
    parsed = [answer.json()["parsed_response"] for answer in answers]
    seen = {each["eligibility_status"] if each else "error" for each in parsed}
    assert seen == {"ACTIVE", "INACTIVE", "UNKNOWN", "error"}
    with running(WORLD) as same, connected(same) as again:
        assert again.post("/eligibility-checks/v1", json=asking("M0")).content == answers[0].content


def test_candid_itself_finds_fault_with_an_npi(http: httpx.Client) -> None:
    answer = http.post("/eligibility-checks/v1", json=asking("X") | {"provider": {"npi": "12"}}).json()
    assert answer["errors"][0]["source"] == "CANDID"


def test_an_existing_check_is_reused_when_that_is_asked_for(http: httpx.Client, emulator: Emulator) -> None:
    since = {"get_existing_check_initiated_after": "2026-03-15T00:00:00Z"}
    first = http.post("/eligibility-checks/v1", json=asking("AETNA12345")).json()
    reused = http.post("/eligibility-checks/v1", json=asking("AETNA12345", **since)).json()
    other = http.post("/eligibility-checks/v1", json=asking("AETNA9wcSu", **since)).json()
    fresh = http.post("/eligibility-checks/v1", json=asking("AETNA12345")).json()
    numbers = [answer["response"]["controlNumber"] for answer in (first, reused, other, fresh)]
    assert numbers == ["000000001", "000000001", "000000002", "000000003"]


@pytest.mark.parametrize(
    "broken",
    [
        {"encounter": "tomorrow"},
        {"encounter": {"date_of_service": "tomorrow"}},
        {"subscriber": {"first_name": "A", "last_name": "B", "member_id": 7}},
        {"get_existing_check_initiated_after": "2026-03-15T00:00:00"},
    ],
)
def test_a_field_that_does_not_fit_is_refused(http: httpx.Client, broken: dict[str, Any]) -> None:
    answer = http.post("/eligibility-checks/v1", json=asking("X") | broken)
    assert answer.status_code == 422


# --- in batches


def test_results_of_a_batch_arrive_over_time_and_hold_what_was_submitted(sdk: Any, emulator: Emulator) -> None:
    poll = sdk.pre_encounter.eligibility_checks.v_1.poll_batch
    batch = submit(sdk, [asking(f"M{n}", submitter_transaction_identifier=f"row-{n}") for n in range(200)])
    assert poll(batch.batch_id).total == 0
    totals = []
    for _ in range(5):
        later(emulator, 60)
        totals.append(poll(batch.batch_id).total)
    assert totals == sorted(set(totals))
    assert 0 < totals[0] < 100 < totals[-1] < 200
    later(emulator, 6 * HOUR)
    done = pages(poll_each(poll, batch.batch_id))
    items = [item for page in done for item in page.items]
    assert [len(page.items) for page in done] == [10] * 20
    assert {item.request.submitter_transaction_identifier for item in items} == {f"row-{n}" for n in range(200)}
    assert {item.batch_id for item in items} == {batch.batch_id}
    assert {fault for fault in faults(items) if "Provider" not in fault} == set()


def poll_each(poll: Any, batch_id: str) -> Any:
    return lambda **params: poll(batch_id, **params)


def test_a_page_of_results_stays_where_it_is_while_others_arrive(sdk: Any, emulator: Emulator) -> None:
    poll = sdk.pre_encounter.eligibility_checks.v_1.poll_batch
    batch = submit(sdk, [asking(f"M{n}", submitter_transaction_identifier=str(n)) for n in range(100)])
    later(emulator, 120)
    first = poll(batch.batch_id)
    second = poll(batch.batch_id, page_token=first.next_page_token)
    later(emulator, 120)
    assert poll(batch.batch_id).items == first.items
    assert poll(batch.batch_id, page_token=first.next_page_token).items == second.items


def test_a_payer_that_does_not_answer_is_given_up_after_eight_hours(sdk: Any, emulator: Emulator) -> None:
    poll = sdk.pre_encounter.eligibility_checks.v_1.poll_batch
    batch = submit(sdk, [asking("UHCAAA42", "87726"), asking("X", "BAD_PAYER_ID")])
    later(emulator, 7 * HOUR)
    assert poll(batch.batch_id).total == 1
    later(emulator, HOUR)
    assert [item.errors[0].source for item in poll(batch.batch_id).items] == ["STEDI", "STEDI"]


def test_a_batch_takes_up_to_ten_thousand_checks_and_its_last_page_costs_what_its_first_does(
    http: httpx.Client, emulator: Emulator
) -> None:
    each = asking("M1")
    assert http.post("/eligibility-checks/v1/batch", json=[each] * 10_001).status_code == 422
    assert http.post("/eligibility-checks/v1/batch", json=[]).status_code == 422
    batch = http.post("/eligibility-checks/v1/batch", json=[each] * 10_000, timeout=30).json()["batch_id"]
    later(emulator, 9 * HOUR)
    page = http.get(f"/eligibility-checks/v1/batch/{batch}").json()
    assert (page["total"], len(page["items"])) == (10_000, 10)


def test_nobody_knows_another_emulators_batch(sdk: Any) -> None:
    from candid.core.api_error import ApiError

    with running(EmulatorConfig(seed=2, encounters=1)) as other, client(other) as stranger:
        batch = submit(stranger, [asking("X")])
    with pytest.raises(ApiError) as refused:
        sdk.pre_encounter.eligibility_checks.v_1.poll_batch(batch.batch_id)
    assert refused.value.status_code == 404


# --- payers, recommendations, coordination of benefits


def test_payers_are_searched_by_name_and_number_the_best_first(sdk: Any) -> None:
    search = sdk.pre_encounter.eligibility_checks.v_1.payer_search
    everyone = [item for page in pages(search, page_size=7) for item in page.items]
    assert len(everyone) == search().total == 25
    assert search(query="60054").items[0].payer.display_name == "Aetna"
    found = search(query="summit health").items
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)
    assert "Summit Ridge Health Plan" in found[0].payer.display_name
    assert search(query="zzz").items == []
    assert shape_faults(everyone) == []


def test_recommendations_are_filtered_as_the_documentation_writes_filters(sdk: Any) -> None:
    listing = sdk.pre_encounter.eligibility_checks.v_1.recommendation
    rows = listing()
    assert shape_faults(rows) == []
    assert len({row.recommendation.type for row in rows}) == 5
    one = rows[3]
    assert listing(filters=f"patientId|eq|{one.patient.id},type|eq|{one.recommendation.type}") == [one]
    assert listing(filters="version|gt|1") == []


def ballot(value: str) -> Any:
    from candid.resources.pre_encounter.resources.eligibility_checks.resources.v_1 import Vote

    return Vote.model_validate({"user_id": "u", "value": value})


def test_a_vote_needs_the_next_version_and_replaces_the_voters_last(sdk: Any) -> None:
    from candid.resources.pre_encounter.resources.common.errors import NotFoundError, VersionConflictError

    area = sdk.pre_encounter.eligibility_checks.v_1
    row = area.recommendation()[0]
    voted = area.vote_recommendation(row.id, "2", request=ballot("UPVOTE"))
    assert (voted.version, [vote.value for vote in voted.votes]) == (2, ["UPVOTE"])
    with pytest.raises(VersionConflictError) as conflict:
        area.vote_recommendation(row.id, "2", request=ballot("UPVOTE"))
    assert conflict.value.body.latest_version == 2
    changed = area.vote_recommendation(row.id, "3", request=ballot("DOWNVOTE"))
    assert [vote.value for vote in changed.votes] == ["DOWNVOTE"]
    assert changed in area.recommendation()
    with pytest.raises(NotFoundError):
        area.vote_recommendation("nobody", "2", request=ballot("UPVOTE"))


def cob(member: str | None, **encounter: str) -> dict[str, Any]:
    subscriber = {"first_name": "A", "last_name": "B", "date_of_birth": "1990-01-01", "member_id": member}
    known = {"trading_partner_service_id": "60054", "provider": {"npi": NPI}}
    return known | {"subscriber": subscriber, "encounter": encounter}


def test_coordination_of_benefits_tells_whether_plans_overlap(sdk: Any) -> None:
    from candid.resources.pre_encounter.resources.eligibility_checks.resources.v_1 import (
        CoordinationOfBenefitsRequest,
    )

    found = []
    for number in range(20):
        request = CoordinationOfBenefitsRequest(**cob(f"M{number}", date_of_service="2026-03-01"))
        found.append(sdk.pre_encounter.eligibility_checks.v_1.coordination_of_benefits(request=request))
    assert {fault for fault in faults(found) if "Address" not in fault} == set()
    assert len({each.coordination_of_benefits.classification for each in found if not each.errors}) > 1


@pytest.mark.parametrize(
    "broken",
    [cob(None), cob("M", date_of_service="2030-01-01"), cob("M", beginning_date_of_service="2026-03-01")],
)
def test_coordination_of_benefits_needs_a_member_and_a_past_service(http: httpx.Client, broken: Any) -> None:
    assert http.post("/eligibility-checks/v1/coordination-of-benefits", json=broken).status_code == 422


# --- one coverage


def test_every_coverages_check_is_pending_and_then_completed_or_failed(sdk: Any, emulator: Emulator) -> None:
    area = sdk.pre_encounter.coverages.v_1
    coverages = scanned(area.scan)
    begun = [
        (row, area.check_eligibility(row.id, service_code="30", date_of_service=DAY, npi=NPI)) for row in coverages
    ]
    assert {check.status for _, check in begun} == {"PENDING"}
    assert area.get_eligibility(begun[-1][0].id, begun[-1][1].check_id).check is None
    later(emulator, 61)
    ended = [area.get_eligibility(row.id, check.check_id) for row, check in begun]
    assert {each.metadata.status for each in ended} == {"COMPLETED", "FAILED"}
    for (row, _), each in zip(begun, ended, strict=True):
        assert each.check.request.subscriber.member_id == row.insurance_plan.member_id
        assert bool(each.check.errors) == (each.metadata.status == "FAILED")
    assert {fault for fault in faults(ended) if "Provider" not in fault} == set()


def test_a_coverage_lists_the_checks_that_were_begun_on_it(sdk: Any, emulator: Emulator) -> None:
    area = sdk.pre_encounter.coverages.v_1
    coverage = area.get_multi_paginated(limit=1).items[0]
    before = len(area.get(coverage.id).eligibility_checks or [])
    begun = [area.check_eligibility(coverage.id, service_code="30", date_of_service=DAY, npi=NPI) for _ in range(2)]
    listed = area.get(coverage.id).eligibility_checks[before:]
    assert [check.check_id for check in listed] == [check.check_id for check in begun]
    assert shape_faults(listed) == []


def test_a_check_needs_a_coverage_and_a_known_service(http: httpx.Client, sdk: Any) -> None:
    body = {"service_code": "30", "date_of_service": "2026-03-16", "npi": NPI}
    nobody = "/coverages/v1/00000000-0000-4000-8000-000000000000/eligibility"
    coverage = sdk.pre_encounter.coverages.v_1.scan(since=datetime(2000, 1, 1, tzinfo=UTC))[0].id
    assert http.post(nobody, json=body).status_code == 404
    assert http.post(f"/coverages/v1/{coverage}/eligibility", json=body | {"service_code": "29"}).status_code == 422
    assert http.get(f"/coverages/v1/{coverage}/eligibility/unheard-of").status_code == 404


def test_service_codes_are_those_of_the_sdk() -> None:
    from candid.resources.pre_encounter.resources.coverages.resources.v_1 import ServiceTypeCode

    from candid_provider.emulator.world.benefits import SERVICE_CODES

    codes: Any = ServiceTypeCode
    assert set(SERVICE_CODES) == {code.value for code in codes} - {"__SERVICETYPECODE_UNKNOWN__"}


def test_a_patients_timeline_tells_the_newest_first(sdk: Any, emulator: Emulator) -> None:
    coverage = scanned(sdk.pre_encounter.coverages.v_1.scan)[0]
    timeline = sdk.pre_encounter.patients.v_1.get_eligibility_timeline
    before = timeline(coverage.patient)
    sdk.pre_encounter.coverages.v_1.check_eligibility(coverage.id, service_code="30", date_of_service=DAY, npi=NPI)
    assert timeline(coverage.patient) == before
    later(emulator, 61)
    after = timeline(coverage.patient)
    assert (after.total, after.items[0].event_type) == (before.total + 1, "ELIG_CHECK_COMPLETED")
    assert [row.timestamp for row in after.items] == sorted((row.timestamp for row in after.items), reverse=True)
    assert shape_faults(after.items) == []
    assert timeline(coverage.patient, event_types=["ELIG_CHECK_COMPLETED"]).items == after.items[:1]
    assert {row.coverage_id for row in timeline(coverage.patient, coverage_id=coverage.id).items} == {coverage.id}
    each = [row for page in pages(paged(timeline, coverage.patient), limit=1) for row in page.items]
    assert each == after.items


def paged(listing: Any, *path: str) -> Any:
    return lambda **params: listing(*path, **params)


# --- insurance discovery


def test_discovery_finds_a_patients_own_coverages(sdk: Any, emulator: Emulator) -> None:
    area = sdk.pre_encounter.coverages.v_1
    patients = sdk.pre_encounter.patients.v_1.scan(since=datetime(2000, 1, 1, tzinfo=UTC))
    begun = {
        row.id: area.check_insurance_discovery(patient_id=row.id, date_of_service=DAY, npi=NPI) for row in patients
    }
    assert {each.status for each in begun.values()} == {"PENDING"}
    later(emulator, 601)
    found = {patient: area.get_insurance_discovery(check.check_id) for patient, check in begun.items()}
    assert {each.metadata.status for each in found.values()} == {"COMPLETE", "ERROR"}
    for patient in patients:
        each, own = (
            found[patient.id],
            {area.get(row).insurance_plan.member_id for row in patient.filing_order.coverages},
        )
        listed = area.get_insurance_discovery_check_metadata(patient_id=patient.id)
        assert listed == [each.metadata]
        members = {item.plan_metadata.member_id for item in each.response.parsed_items or ()}
        assert members == (own if each.metadata.status == "COMPLETE" else set())
    assert {fault for fault in faults(list(found.values())) if "items" not in fault} == set()


def test_anyone_may_be_looked_for(sdk: Any, emulator: Emulator) -> None:
    from candid.resources.pre_encounter.resources.eligibility_checks.resources.v_1 import InsuranceDiscoveryRequest

    counts, statuses = set(), set()
    for number in range(40):
        who: Any = {"first_name": "A", "last_name": f"B{number}"}
        provider: Any = {"npi": NPI}
        request = InsuranceDiscoveryRequest(provider=provider, subscriber=who)
        begun = sdk.pre_encounter.coverages.v_1.check_insurance_discovery_passthrough(request=request)
        later(emulator, 601)
        answer = sdk.pre_encounter.coverages.v_1.get_insurance_discovery(begun.check_id)
        counts.add(answer.response.coverages_found)
        statuses.add(sdk.pre_encounter.eligibility_checks.v_1.insurance_discovery(request=request).status)
    assert counts == {0, 1, 2, None}
    assert statuses == {"PENDING", "COMPLETE", "ERROR"}


def test_discovery_needs_a_patient(http: httpx.Client) -> None:
    body = {"patient_id": "nobody", "date_of_service": "2026-03-16", "npi": NPI}
    assert http.post("/coverages/v1/insurance-discovery", json=body).status_code == 404
    assert http.get("/coverages/v1/insurance-discovery/unheard-of").status_code == 404
    assert http.get("/coverages/v1/insurance-discovery/check-metadata").status_code == 422


# --- pre-service rules


def a_run(sdk: Any, key: str, **changes: Any) -> dict[str, Any]:
    from candid_provider.emulator.catalogue import required_body

    pipeline = sdk.pre_service_rules.v_1.get_pipelines()[0]
    body: dict[str, Any] = required_body("pre_service_rules.v_1.create_encounter_run")
    return body | {"pipeline_id": pipeline.id, "idempotency_key": key} | changes


def test_a_run_is_pending_and_then_done(sdk: Any, http: httpx.Client, emulator: Emulator) -> None:
    runs = [http.post("/api/pre-service/v1/runs/encounter", json=a_run(sdk, f"k{n}")).json() for n in range(40)]
    get_run = sdk.pre_service_rules.v_1.get_run
    assert (get_run(runs[-1]).edits, get_run(runs[-1]).error) == (None, None)
    later(emulator, 60)
    ended = [get_run(run) for run in runs]
    assert all((each.edits is None) != (each.error is None) for each in ended)
    assert {each.error is None for each in ended} == {True, False}
    assert shape_faults(ended) == []
    assert get_run(runs[0]).initial_entity_state is None
    assert get_run(runs[0], include_initial_entity_state=True).initial_entity_state["external_id"] == "enc-0001"


def test_one_idempotency_key_begins_one_run(sdk: Any, http: httpx.Client) -> None:
    first, again, other = (
        http.post("/api/pre-service/v1/runs/encounter", json=a_run(sdk, key)).json() for key in ("a", "a", "b")
    )
    assert first == again != other


def test_a_run_needs_a_pipeline_for_encounters(sdk: Any, http: httpx.Client) -> None:
    from candid.resources.commons.errors import EntityNotFoundError

    for pipeline in ("unheard-of", sdk.pre_service_rules.v_1.get_pipelines()[2].id):
        refused = http.post("/api/pre-service/v1/runs/encounter", json=a_run(sdk, "k", pipeline_id=pipeline))
        assert (refused.status_code, refused.json()["errorName"]) == (422, "UnprocessableEntityError")
    with pytest.raises(EntityNotFoundError):
        sdk.pre_service_rules.v_1.get_run("00000000-0000-4000-8000-000000000000")


# --- Availity


def test_an_availity_check_is_found_again_and_gets_its_answer(sdk: Any, emulator: Emulator) -> None:
    from candid.resources.eligibility.resources.v_2 import EligibilityRequest, FindAvailityEligibilityResultsRequest

    area, when = sdk.eligibility.v_2, datetime(2026, 3, 16, 9, tzinfo=UTC)
    key: Any = {"member_id": "AETNA12345", "payer_id": "60054", "date_of_service": when, "provider_npi": NPI}
    request = EligibilityRequest(payer_name="Aetna", service_type_codes=["30"], **key)
    identifier = area.create_availity_eligibility_check(request=request)
    assert area.get_by_id(identifier).status == "UNKNOWN"
    later(emulator, 62)
    assert area.get_by_id(identifier).status == "ACTIVE"
    found = area.find_availity_eligibility_results(request=FindAvailityEligibilityResultsRequest(**key))
    assert found.results == [area.get_by_id(identifier)]
    assert shape_faults(found) == []


def test_availitys_own_answer_is_handed_through(sdk: Any, http: httpx.Client) -> None:
    from candid.resources.commons.errors import HttpRequestValidationError

    area = sdk.eligibility.v_2
    asked = {"payerId": "60054", "memberId": "AETNA12345"}
    assert area.submit_eligibility_check_availity_post(request=asked)["plans"] == [{"status": "Active Coverage"}]
    assert http.get("/api/eligibility/v2/availity", params=asked).json()["subscriber"] == {"memberId": "AETNA12345"}
    assert area.submit_eligibility_check_availity()["status"] == "Complete"
    with pytest.raises(HttpRequestValidationError):
        area.submit_eligibility_check_availity_post(request={"payerId": "BAD_PAYER_ID"})
