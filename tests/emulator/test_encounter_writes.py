"""Encounters that callers make and change, and the lives of their claims."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from candid_provider.emulator import EmulatorConfig, running
from tests.emulator.conftest import Api, connected
from tests.emulator.test_sdk import client, shape_faults

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
CONFIG = EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=130, days=10, payers=23)
ENCOUNTERS = "/api/encounters/v4"
ADDRESS = {"address1": "1 Clinic Way", "city": "Springfield", "state": "IL", "zip_code": "62701"}
BODY: dict[str, Any] = {
    "external_id": "visit-1",
    "patient_authorized_release": True,
    "benefits_assigned_to_provider": True,
    "provider_accepts_assignment": True,
    "billable_status": "BILLABLE",
    "patient": {
        "first_name": "Adqvexzo",
        "last_name": "Ashqvexzo",
        "gender": "female",
        "external_id": "pat-1",
        "date_of_birth": "1990-01-01",
        "address": ADDRESS,
    },
    "responsible_party": "INSURANCE_PAY",
    "billing_provider": {
        "address": ADDRESS | {"zip_plus_four_code": "0001"},
        "tax_id": "123456789",
        "npi": "1234567893",
        "organization_name": "Clinic",
    },
    "rendering_provider": {"npi": "1234567893", "first_name": "Ada", "last_name": "Marlow"},
    "diagnoses": [{"code_type": "ABK", "code": "F41.1"}, {"code_type": "ABF", "code": "I10"}],
    "place_of_service_code": "11",
    "service_lines": [
        {
            "procedure_code": "99213",
            "quantity": "1.0",
            "units": "UN",
            "charge_amount_cents": 15_000,
            "date_of_service": "2026-03-14",
            "diagnosis_pointers": [0, 1],
            "external_id": "line-a",
        }
    ],
}


class Writer(Api):
    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.http.patch(path, json=body)

    def made(self, path: str = ENCOUNTERS, **changes: Any) -> dict[str, Any]:
        answer = self.post(path, BODY | changes)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def advance(self, days: float) -> None:
        assert self.post("/_emulator/clock", {"advance": days * 86_400}).status_code == 200


def refusal(answer: httpx.Response, status: int, name: str) -> Any:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["errorName"] == name, body
    return body["content"]


@pytest.fixture
def writer() -> Iterator[Writer]:
    with running(CONFIG) as emulator, connected(emulator) as http:
        yield Writer(http)


@pytest.fixture
def sdk() -> Iterator[Any]:
    with running(CONFIG) as emulator, client(emulator) as sdk:
        yield sdk


def a_card(api: Api, number: int = 0) -> dict[str, Any]:
    payer = api.ok("/api/payers/v4", limit=100)["items"][number]
    return {
        "member_id": "MEMQZX1",
        "payer_name": payer["payer_name"],
        "payer_id": payer["payer_ids"]["claims_payer_id"],
    }


def subscriber(card: dict[str, Any]) -> dict[str, Any]:
    return {
        "first_name": "Adqvexzo",
        "last_name": "Ashqvexzo",
        "gender": "female",
        "patient_relationship_to_subscriber_code": "18",
        "insurance_card": card,
    }


def test_a_created_encounter_is_answered_alike_later_and_leads_the_listing(writer: Writer) -> None:
    made = writer.made(subscriber_primary=subscriber(a_card(writer)), tag_ids=["appeal"])
    assert writer.ok(f"{ENCOUNTERS}/{made['encounter_id']}") == made
    assert writer.ok(ENCOUNTERS, limit=1)["items"] == [made]
    assert made["date_of_service"] == "2026-03-14"
    line = made["claims"][0]["service_lines"][0]
    assert line["charge_amount_cents"] == 15_000
    assert [line["diagnosis_id_zero"], line["diagnosis_id_one"]] == [row["diagnosis_id"] for row in made["diagnoses"]]
    assert made["subscriber_primary"]["insurance_card"]["payer_uuid"]


def test_the_sdk_creates_reads_and_changes_encounters(sdk: Any) -> None:
    from candid.resources.encounters.resources.v_4 import EncounterCreate, EncounterUpdate

    made = sdk.encounters.v_4.create(request=EncounterCreate.model_validate(BODY))
    assert shape_faults(made) == []
    changed = sdk.encounters.v_4.update(
        made.encounter_id, request=EncounterUpdate(additional_information="x", tag_ids=["appeal"])
    )
    assert shape_faults(changed) == []
    assert changed.additional_information == "x"
    assert [tag.tag_id for tag in changed.tags] == ["appeal"]
    assert sdk.encounters.v_4.get(made.encounter_id) == changed


def test_the_sdk_raises_the_declared_errors(sdk: Any) -> None:
    from candid.resources.encounters.resources.v_4 import EncounterCreate, EncounterExternalIdUniquenessError

    seeded = BODY | {"external_id": "enc-00000007"}
    with pytest.raises(EncounterExternalIdUniquenessError) as caught:
        sdk.encounters.v_4.create(request=EncounterCreate.model_validate(seeded))
    assert caught.value.body.external_id == "enc-00000007"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"external_id": "enc-00000007"}, "EncounterExternalIdUniquenessError"),
        ({"tag_ids": ["appeal", "nonsense"]}, "InvalidTagNamesError"),
        ({"service_lines": None}, "UnprocessableEntityError"),
        (
            {"subscriber_primary": subscriber({"member_id": "M", "payer_id": "1", "payer_name": "x"})},
            "UnprocessableEntityError",
        ),
        (
            {"subscriber_primary": subscriber({"member_id": "M", "payer_id": "1", "payer_name": "Cash Pay"})},
            "CashPayPayerError",
        ),
        (
            {"guarantor": {"first_name": "A", "last_name": "B", "external_id": "g", "address": ADDRESS}},
            "EncounterGuarantorMissingContactInfoError",
        ),
        ({"billable_status": "MAYBE"}, "HttpRequestValidationsError"),
        ({"date_of_service": "yesterday"}, "HttpRequestValidationsError"),
        ({"diagnoses": [{"code_type": "ABK", "code": "I10"}] * 2}, "HttpRequestValidationsError"),
        (
            {"schema_instances": [{"schema_id": "221d426b-5837-5168-9b0e-185542ffcb62", "content": {}}] * 2},
            "SchemaInstanceValidationHttpFailure",
        ),
    ],
)
def test_what_candid_refuses_is_refused_and_nothing_is_written(
    writer: Writer, changes: dict[str, Any], name: str
) -> None:
    refusal(writer.post(ENCOUNTERS, BODY | changes), 422, name)
    assert writer.ok("/_emulator/stats")["written"] == {}


def test_a_second_create_with_an_external_id_names_it_and_so_does_a_patch(writer: Writer) -> None:
    first, second = writer.made(), writer.made(external_id="visit-2")
    assert refusal(writer.post(ENCOUNTERS, BODY), 422, "EncounterExternalIdUniquenessError") == {
        "external_id": "visit-1"
    }
    path = f"{ENCOUNTERS}/{second['encounter_id']}"
    refusal(writer.patch(path, {"external_id": "visit-1"}), 422, "EncounterExternalIdUniquenessError")
    assert writer.patch(path, {"external_id": "visit-2"}).status_code == 200
    for sort in ("created_at:asc", "date_of_service:desc"):
        rows = writer.rows(ENCOUNTERS, external_id="visit-1", sort=sort)
        assert [row["encounter_id"] for row in rows] == [first["encounter_id"]]


def test_a_patient_control_number_is_used_once(writer: Writer) -> None:
    submission = {
        "claim_created_at": "2026-03-14T00:00:00Z",
        "patient_control_number": "PCN1",
        "submission_records": [],
    }
    made = writer.made(external_claim_submission=submission)
    assert (made["patient_control_number"], made["submission_origin"]) == ("PCN1", "EXTERNAL")
    again = BODY | {"external_id": "visit-2", "external_claim_submission": submission}
    content = refusal(writer.post(ENCOUNTERS, again), 422, "EncounterPatientControlNumberUniquenessError")
    assert content == {"patient_control_number": "PCN1"}


def test_a_universal_encounter_needs_somebody_who_treated(writer: Writer) -> None:
    body = {name: value for name, value in BODY.items() if name not in ("rendering_provider", "diagnoses")}
    body |= {"submission_expectation": "TARGET_INSTITUTIONAL", "service_lines": None, "date_of_service": "2026-03-14"}
    path = f"{ENCOUNTERS}/universal"
    refusal(writer.post(path, body), 422, "EncounterRenderingOrAttendingProviderRequired")
    codes = {"principal_diagnosis_code_qualifier": "ABK", "primary_diagnosis_code": "I10"}
    body |= {"attending_provider": BODY["rendering_provider"]}
    body |= {"health_care_code_information": {"principal_diagnosis": codes}}
    made = writer.post(path, body).json()
    assert [row["code"] for row in made["diagnoses"]] == ["I10"]
    assert made["attending_provider"]["npi"] == made["rendering_provider"]["npi"]


def test_an_encounter_from_pre_encounter_takes_patient_and_coverages_over(writer: Writer) -> None:
    appointment = writer.ok("/appointments/v1/updates/scan", since="2000-01-01T00:00:00Z")[0]
    body = {name: value for name, value in BODY.items() if name not in ("patient", "responsible_party")}
    body |= {"pre_encounter_patient_id": appointment["patient_id"]}
    path = f"{ENCOUNTERS}/create-from-pre-encounter"
    made = writer.post(path, body | {"pre_encounter_appointment_ids": [appointment["id"]]})
    assert made.status_code == 200, made.text
    patient = writer.ok(f"/patients/v1/{appointment['patient_id']}")
    assert made.json()["patient"]["external_id"] == patient["id"]
    assert made.json()["subscriber_primary"]["insurance_card"]["member_id"].startswith("MEMQZX")
    stranger = body | {"external_id": "visit-2", "pre_encounter_appointment_ids": [patient["id"]]}
    assert refusal(writer.post(path, stranger), 404, "EntityNotFoundError") == {"id": patient["id"]}


def test_a_patch_changes_what_is_given_clears_with_null_and_leaves_diagnoses_alone(writer: Writer) -> None:
    made = writer.made(additional_information="x", referral_number="R1")
    path = f"{ENCOUNTERS}/{made['encounter_id']}"
    given: dict[str, Any] = {
        "additional_information": None,
        "patient": {"first_name": "Elqvexzo"},
        "diagnoses": [],
        "service_lines": [],
    }
    changed = writer.patch(path, given).json()
    expected = copy.deepcopy(made) | {"additional_information": None}
    expected["patient"]["first_name"] = "Elqvexzo"
    assert changed == expected == writer.ok(path)


def test_a_seeded_encounter_can_be_changed_and_is_found_by_what_it_is_now(writer: Writer) -> None:
    path = f"{ENCOUNTERS}/{writer.rows(ENCOUNTERS, external_id='enc-00000009')[0]['encounter_id']}"
    writer.patch(path, {"external_id": "renamed", "tag_ids": ["telehealth"], "responsible_party": "SELF_PAY"})
    changed = writer.ok(path)
    for sort in ("created_at:asc", "date_of_service:desc"):
        assert writer.rows(ENCOUNTERS, external_id="renamed", sort=sort) == [changed]
    assert writer.rows(ENCOUNTERS, external_id="enc-00000009") == []
    assert writer.rows(ENCOUNTERS, responsible_party="SELF_PAY") == [changed]
    assert changed in writer.rows(ENCOUNTERS, tag_ids="telehealth")
    assert changed in writer.rows(ENCOUNTERS, sort="date_of_service:asc")
    assert len(writer.rows(ENCOUNTERS, limit=33)) == 420


def test_a_claim_lives_on_as_the_clock_moves_and_the_events_tell(writer: Writer) -> None:
    made = writer.made()
    path = f"{ENCOUNTERS}/{made['encounter_id']}"
    seen = [made["claims"][0]["status"]]
    for _ in range(12):
        writer.advance(0.25)
        seen.append(writer.ok(path)["claims"][0]["status"])
    assert seen[0] == "biller_received"
    assert len(set(seen)) >= 4
    events = [row for row in writer.rows("/api/events/v1", limit=100) if row["payload"]["encounter_id"] in path]
    told = [row["payload"]["claim_status"] for row in reversed(events)]
    distinct = [status for before, status in zip([None, *seen], seen, strict=False) if status != before]
    assert told == distinct
    assert [row["event_type"].rpartition(".")[2] for row in events][-1] == "Created"
    instants = [row["created_at"] for row in writer.rows("/api/events/v1", limit=100)]
    assert instants == sorted(instants, reverse=True)


def test_the_events_of_a_time_that_passed_at_once_are_those_of_one_that_passed_slowly() -> None:
    feeds = []
    for steps in (1, 40):
        with running(CONFIG) as emulator, connected(emulator) as http:
            writer = Writer(http)
            writer.made()
            for _ in range(steps):
                writer.advance(10 / steps)
                writer.ok(ENCOUNTERS, limit=1)
            feeds.append(writer.rows("/api/events/v1", limit=100))
    assert feeds[0] == feeds[1]


def test_what_is_not_to_be_billed_has_no_life_until_it_is(writer: Writer) -> None:
    made = writer.made(billable_status="NOT_BILLABLE")
    path = f"{ENCOUNTERS}/{made['encounter_id']}"
    writer.advance(20)
    assert writer.ok(path)["claims"][0]["status"] == "not_billable"
    assert writer.patch(path, {"billable_status": "BILLABLE"}).json()["claims"][0]["status"] == "biller_received"
    writer.advance(20)
    assert writer.ok(path)["claims"][0]["status"] not in ("not_billable", "biller_received")


def test_there_is_one_primary_diagnosis_and_a_service_line_keeps_one(writer: Writer) -> None:
    made = writer.made()
    first, second = (row["diagnosis_id"] for row in made["diagnoses"])
    path = "/api/diagnoses/v2"
    content = refusal(
        writer.patch(f"{path}/{second}", {"code_type": "ABK"}), 422, "DisallowMultiplePrimaryDiagnosisHTTPError"
    )
    assert (content["existing_primary_diagnosis_id"], content["new_primary_diagnosis_id"]) == (first, second)
    assert writer.patch(f"{path}/{second}", {"code": "I11"}).json()["code"] == "I11"
    assert writer.http.delete(f"{path}/{first}").status_code == 204
    refusal(writer.http.delete(f"{path}/{first}"), 404, "DiagnosisNotFoundHTTPError")
    refusal(writer.http.delete(f"{path}/{second}"), 422, "ServiceLinesMustHaveAtLeastOneDiagnosisHTTPError")
    third = {"code_type": "ABF", "code": "E11.9", "encounter_id": made["encounter_id"]}
    added = writer.post(path, third).json()
    assert writer.ok(f"{ENCOUNTERS}/{made['encounter_id']}")["diagnoses"][-1] == added


def test_encounters_are_found_by_when_their_diagnoses_changed(writer: Writer) -> None:
    old = writer.rows(ENCOUNTERS, external_id="enc-00000004")[0]
    now = writer.ok("/_emulator/clock")["now"]
    assert writer.rows(ENCOUNTERS, diagnoses_updated_since=now) == []
    writer.patch(f"/api/diagnoses/v2/{old['diagnoses'][0]['diagnosis_id']}", {"code": "I11"})
    assert [row["external_id"] for row in writer.rows(ENCOUNTERS, diagnoses_updated_since=now)] == ["enc-00000004"]


def test_service_lines_are_added_changed_and_removed(writer: Writer) -> None:
    made = writer.made()
    claim_id = made["claims"][0]["claim_id"]
    path, line = (
        "/api/service-lines/v2",
        {"claim_id": claim_id, "procedure_code": "93000", "quantity": "2", "units": "UN"},
    )
    added = writer.post(path, line | {"external_id": "b", "charge_amount_cents": 500}).json()
    refusal(writer.post(path, line | {"external_id": "b"}), 409, "EntityConflictError")
    changed = writer.http.put(f"{path}/external-id/b", json=line | {"charge_amount_cents": 700}).json()
    assert changed == added | {"charge_amount_cents": 700, "insurance_balance_cents": 700}
    assert writer.http.put(f"{path}/external-id/c", json=line).json()["external_id"] == "c"
    assert writer.patch(f"{path}/{added['service_line_id']}", {"note": "n"}).json()["note"] == "n"
    assert writer.http.delete(f"{path}/{added['service_line_id']}").status_code == 204
    kept = writer.ok(f"{ENCOUNTERS}/{made['encounter_id']}")["claims"][0]["service_lines"]
    assert [row["external_id"] for row in kept] == ["line-a", "c"]
    refusal(writer.patch(f"{path}/{added['service_line_id']}", {"note": "n"}), 404, "EntityNotFoundError")


def test_a_dispensed_medication_becomes_an_encounter(writer: Writer) -> None:
    patient = writer.ok(ENCOUNTERS, limit=1)["items"][0]["patient"]["external_id"]
    given = {
        "medication_dispense_external_id": "rx-1",
        "patient_external_id": patient,
        "procedure_code": "J1100",
        "quantity": "1.0",
        "units": "UN",
        "date_of_service": "2026-03-15",
    }
    made = writer.post("/api/medication-dispense/v1", given).json()
    assert writer.rows(ENCOUNTERS, external_id="rx-1") == [made]
    assert made["patient"]["external_id"] == patient
    refusal(writer.post("/api/medication-dispense/v1", given), 422, "EncounterExternalIdUniquenessError")
    stranger = given | {"medication_dispense_external_id": "rx-2", "patient_external_id": "nobody"}
    refusal(writer.post("/api/medication-dispense/v1", stranger), 404, "EntityNotFoundError")


@pytest.mark.parametrize(
    ("parameters", "holds"),
    [
        ({"billable_status": "NOT_BILLABLE"}, lambda row: row["billable_status"] == "NOT_BILLABLE"),
        ({"billable_status": "BILLABLE"}, lambda row: row["billable_status"] == "BILLABLE"),
        ({"owner_of_next_action": "CANDID"}, lambda row: row["owner_of_next_action"] == "CANDID"),
        ({"owner_of_next_action": "NONE"}, lambda row: row["owner_of_next_action"] == "NONE"),
        (
            {"tag_ids": ["appeal", "telehealth"]},
            lambda row: {t["tag_id"] for t in row["tags"]} & {"appeal", "telehealth"},
        ),
        ({"search_term": "Birch"}, lambda row: "birch" in row["patient"]["last_name"].lower()),
        ({"search_term": "enc-00000012"}, lambda row: row["external_id"] == "enc-00000012"),
        (
            {"primary_payer_names": "Bluewater Health Plan, Alder Health Plan", "claim_status": "finalized_paid"},
            lambda row: (
                row["subscriber_primary"]["insurance_card"]["payer_name"]
                in ("Bluewater Health Plan", "Alder Health Plan")
                and row["claims"][0]["status"] == "finalized_paid"
            ),
        ),
    ],
)
def test_filters_select_what_looking_at_all_rows_selects(
    api: Api, encounters: list[dict[str, Any]], parameters: dict[str, Any], holds: Any
) -> None:
    expected = [row["encounter_id"] for row in encounters if holds(row)]
    assert expected
    assert [row["encounter_id"] for row in api.rows(ENCOUNTERS, **parameters, limit=7)] == expected


def test_encounters_are_found_by_work_queue_npi_and_the_ids_of_claim_and_patient(
    api: Api, encounters: list[dict[str, Any]]
) -> None:
    queued = next(row for row in encounters if row["work_queue_id"])
    found = api.rows(ENCOUNTERS, work_queue_id=queued["work_queue_id"])
    assert found == [row for row in encounters if row["work_queue_id"] == queued["work_queue_id"]]
    npi = queued["billing_provider"]["npi"]
    assert len(api.rows(ENCOUNTERS, billing_provider_npis=[npi, "1"])) == len(encounters)
    assert api.rows(ENCOUNTERS, billing_provider_npis="1") == []
    assert api.rows(ENCOUNTERS, search_term=queued["claims"][0]["claim_id"]) == [queued]
    patient = queued["patient"]["external_id"]
    assert queued in api.rows(ENCOUNTERS, patient_external_id=patient, include_merged_patient_data="true")
    assert queued in api.rows(ENCOUNTERS, search_term=patient)


def test_the_claim_of_a_seeded_encounter_that_was_changed_lives_on_as_it_would_have() -> None:
    claims = []
    for changes in (False, True):
        with running(CONFIG) as emulator, connected(emulator) as http:
            writer = Writer(http)
            rows = writer.rows(ENCOUNTERS, owner_of_next_action="CODER")
            for row in rows if changes else ():
                writer.patch(f"{ENCOUNTERS}/{row['encounter_id']}", {"referral_number": "R"})
            told = []
            for _ in range(4):
                writer.advance(0.7)
                now = {row["encounter_id"]: row for row in writer.rows(ENCOUNTERS, limit=1000)}
                told.append(
                    [
                        (now[row["encounter_id"]]["claims"], now[row["encounter_id"]]["owner_of_next_action"])
                        for row in rows
                    ]
                )
            assert all(
                row["referral_number"] == ("R" if changes else None) for row in (now[r["encounter_id"]] for r in rows)
            )
            claims.append(told)
    assert claims[0] == claims[1]
    assert claims[0][0] != claims[0][-1]


def test_a_plan_group_must_be_of_the_payer_of_the_card(writer: Writer) -> None:
    group = writer.ok("/api/payer-plan-groups/v1", limit=1)["items"][0]
    cards = [
        a_card(writer, number) | {"payer_plan_group_id": group["payer_plan_group_id"]}
        for number in range(CONFIG.payers)
    ]
    right = next(card for card in cards if card["payer_id"] == group["payer"]["payer_id"])
    wrong = next(card for card in cards if card["payer_id"] != group["payer"]["payer_id"])
    answer = writer.post(ENCOUNTERS, BODY | {"subscriber_primary": subscriber(wrong)})
    content = refusal(answer, 422, "PayerPlanGroupPayerDoesNotMatchInsuranceCardHttpError")
    assert content["payer_plan_group_payer_uuid"] == group["payer"]["payer_uuid"]
    made = writer.made(subscriber_primary=subscriber(right))
    assert made["subscriber_primary"]["insurance_card"]["payer_plan_group_id"] == group["payer_plan_group_id"]
