"""What other endpoints write into encounters: GET encounter shows it, and it is changed and deleted by its id."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, running
from tests.emulator.conftest import SMALL, Api, connected
from tests.emulator.test_sdk import client, shape_faults

NOBODY = "00000000-0000-4000-8000-000000000000"
ADDRESS = {
    "address1": "1 Main St",
    "city": "Springfield",
    "state": "IL",
    "zip_code": "62701",
    "zip_plus_four_code": "0001",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Emulator]:
    with running(SMALL) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def own(world: Emulator) -> Iterator[Api]:
    with connected(world) as http:
        yield Api(http)


@pytest.fixture(scope="module")
def own_sdk(world: Emulator) -> Iterator[Any]:
    with client(world) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def unused(own: Api) -> Iterator[str]:
    return iter([row["encounter_id"] for row in own.rows("/api/encounters/v4", limit=50)])


@pytest.fixture
def encounter_id(unused: Iterator[str]) -> str:
    return next(unused)


def encounter(own: Api, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = own.ok(f"/api/encounters/v4/{identifier}")
    return found


def send(own: Api, verb: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = own.http.request(verb, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


# --- billing notes


def test_a_billing_note_is_shown_changed_and_deleted(own: Api, own_sdk: Any, encounter_id: str) -> None:
    before = encounter(own, encounter_id)
    notes = own_sdk.billing_notes.v_2
    note = notes.create(encounter_id=encounter_id, text="called the payer")
    second = notes.create(encounter_id=encounter_id, text="called again")
    assert shape_faults(note) == []
    changed = notes.update(note.billing_note_id, text="wrote to the payer")
    assert own_sdk.encounters.v_4.get(encounter_id).billing_notes == [changed, second]
    notes.delete(note.billing_note_id)
    assert own_sdk.encounters.v_4.get(encounter_id).billing_notes == [second]
    notes.delete(second.billing_note_id)
    assert encounter(own, encounter_id) == before | {"billing_notes": []}


def test_a_billing_note_needs_a_text_and_an_encounter(own: Api, own_sdk: Any, encounter_id: str) -> None:
    from candid.resources.commons.errors import EntityNotFoundError, HttpRequestValidationError

    note = own_sdk.billing_notes.v_2.create(encounter_id=encounter_id, text="x")
    with pytest.raises(HttpRequestValidationError):
        own_sdk.billing_notes.v_2.update(note.billing_note_id, text=" ")
    refused = send(own, "PATCH", f"/api/billing_notes/v2/{note.billing_note_id}", {}, 422)
    assert refused["errorName"] == "HttpRequestValidationsError"
    with pytest.raises(EntityNotFoundError):
        own_sdk.billing_notes.v_2.delete(NOBODY)
    with pytest.raises(EntityNotFoundError):
        own_sdk.billing_notes.v_2.update(NOBODY, text="x")
    send(own, "POST", "/api/billing_notes/v2", {"encounter_id": NOBODY, "text": "x"}, 404)
    send(own, "POST", "/api/billing_notes/v2", {"encounter_id": encounter_id, "text": ""}, 422)


# --- attachments


def test_an_attachment_is_listed_downloaded_without_a_bearer_and_deleted(own_sdk: Any, encounter_id: str) -> None:
    attachments = own_sdk.encounter_attachments.v_1
    content = bytes(range(256)) * 1000
    made = attachments.create_with_description(
        encounter_id,
        attachment_file=("op note.pdf", content, "application/pdf"),
        attachment_type="OPERATIVE_NOTE",
        description="scanned",
    )
    attachments.create(encounter_id, attachment_file=("b.txt", b"", "text/plain"), attachment_type="OTHER")
    first, second = attachments.get(encounter_id)
    assert shape_faults([first, second]) == []
    assert (str(first.attachment_id), first.file_name, first.description) == (str(made), "op note.pdf", "scanned")
    answer = httpx.get(first.authed_url)
    assert (answer.content == content, answer.headers["content-type"]) == (True, "application/pdf")
    assert httpx.get(first.authed_url, headers={"authorization": "Bearer x"}).status_code == 400
    assert httpx.get(second.authed_url).content == b""
    attachments.delete(encounter_id, attachment_id=first.attachment_id)
    assert [row.attachment_id for row in attachments.get(encounter_id)] == [second.attachment_id]


def test_an_attachment_of_a_charge_is_listed_by_the_charge_only(own_sdk: Any, encounter_id: str) -> None:
    attachments = own_sdk.encounter_attachments.v_1
    file = ("eob.pdf", b"%PDF", "application/pdf")
    made = attachments.create_with_charge_capture_external_id(
        charge_capture_external_id="charge/7 ä", attachment_file=file, attachment_type="EOB"
    )
    other = attachments.create_with_charge_capture_external_id(
        charge_capture_external_id="charge-8", attachment_file=file, attachment_type="EOB"
    )
    row = attachments.get_by_charge_capture_external_id("charge-8")[0]
    assert shape_faults(row) == []
    assert (str(row.attachment_id), httpx.get(row.authed_url).content) == (str(other), b"%PDF")
    assert [
        str(row.attachment_id) for row in attachments.get_by_charge_capture_external_id("charge%2F7%20%C3%A4")
    ] == [str(made)]
    assert attachments.get(encounter_id) == []
    attachments.delete_by_charge_capture_external_id("charge-8", attachment_id=other)
    assert attachments.get_by_charge_capture_external_id("charge-8") == []


def test_attachments_are_refused_where_they_do_not_belong(own: Api, encounter_id: str) -> None:
    path = f"/api/encounter-attachments/v1/{encounter_id}"
    file = {"attachment_file": ("a.txt", b"x", "text/plain")}
    made = own.http.put(f"{path}/v2", data={"attachment_type": "OTHER"}, files=file).json()
    assert own.http.put(path, data={"attachment_type": "SELFIE"}, files=file).status_code == 422
    assert own.http.put(path, files={"attachment_type": (None, "OTHER")}).status_code == 422
    assert own.http.put(path, data={"attachment_type": "OTHER"}).status_code == 415
    elsewhere = path.replace(encounter_id, NOBODY)
    assert own.http.put(elsewhere, data={"attachment_type": "OTHER"}, files=file).status_code == 404
    send(own, "DELETE", elsewhere, {"attachment_id": made}, 404)
    send(own, "DELETE", path, {"attachment_id": NOBODY}, 404)
    assert len(own.ok(path)) == 1


# --- supplemental information


def test_supplemental_information_is_shown_on_the_encounter(own: Api, own_sdk: Any, encounter_id: str) -> None:
    from candid.resources.commons.errors import EntityNotFoundError

    types: Any = import_module("candid.resources.encounter_supplemental_information.resources.v_1")
    supplements = own_sdk.encounter_supplemental_information.v_1
    order = {
        "attachment_report_type_code": "03",
        "attachment_transmission_code": "AA",
        "attachment_inclusion": "not_included",
    }
    made = supplements.create(encounter_id, request=types.CreateSupplementalInformationRequest(**order))
    assert shape_faults(made) == []
    assert supplements.get(encounter_id) == [made]
    change = types.UpdateSupplementalInformationRequest(attachment_control_number="77")
    changed = supplements.update(encounter_id, made.supplemental_information_id, request=change)
    assert supplements.get(encounter_id) == [changed]
    rows = own_sdk.encounters.v_4.get(encounter_id).claim_supplemental_information
    assert [(row.attachment_control_number, row.attachment_report_type_code) for row in rows] == [("77", "03")]
    assert shape_faults(rows) == []
    missing = types.CreateSupplementalInformationRequest(**order, attachment_id=NOBODY)
    with pytest.raises(EntityNotFoundError):
        supplements.create(encounter_id, request=missing)
    with pytest.raises(EntityNotFoundError):
        supplements.update(encounter_id, NOBODY, request=change)
    supplements.delete(encounter_id, made.supplemental_information_id)
    assert supplements.get(encounter_id) == []
    assert encounter(own, encounter_id)["claim_supplemental_information"] is None
    path = f"/api/encounter-supplemental-information/v1/{encounter_id}"
    send(own, "PUT", path, order | {"attachment_transmission_code": "ZZ"}, 422)


# --- providers


@pytest.mark.parametrize("role", ["referring", "supervising"])
def test_a_provider_of_an_encounter_is_created_changed_and_deleted(
    own: Api, own_sdk: Any, encounter_id: str, role: str
) -> None:
    from candid.resources.commons.errors import EntityConflictError, EntityNotFoundError, HttpRequestValidationsError
    from candid.resources.encounter_providers.resources import v_2

    providers, kind = own_sdk.encounter_providers.v_2, f"{role.capitalize()}Provider"
    create, update = getattr(providers, f"create_{role}_provider"), getattr(providers, f"update_{role}_provider")
    delete = getattr(providers, f"delete_{role}_provider")
    with pytest.raises(EntityNotFoundError):
        delete(encounter_id)
    order = getattr(v_2, kind)(npi="1234567893", first_name="Ada")
    made = create(encounter_id, request=order)
    assert shape_faults(made) == []
    with pytest.raises(EntityConflictError):
        create(encounter_id, request=order)
    changed = update(encounter_id, request=getattr(v_2, f"{kind}Update")(last_name="Marlow"))
    assert (changed.first_name, changed.last_name, changed.provider_id) == ("Ada", "Marlow", made.provider_id)
    assert getattr(own_sdk.encounters.v_4.get(encounter_id), f"{role}_provider") == changed
    with pytest.raises(HttpRequestValidationsError):
        update(encounter_id, request=getattr(v_2, f"{kind}Update")(npi="12"))
    delete(encounter_id)
    assert encounter(own, encounter_id)[f"{role}_provider"] is None
    with pytest.raises(EntityNotFoundError):
        update(encounter_id, request=getattr(v_2, f"{kind}Update")(npi="1234567893"))


def test_an_initial_referring_provider_goes_with_a_referring_one(own_sdk: Any, encounter_id: str) -> None:
    from candid.resources.commons.errors import EntityConflictError, UnprocessableEntityError
    from candid.resources.encounter_providers.resources.v_2 import (
        InitialReferringProvider,
        InitialReferringProviderUpdate,
        ReferringProvider,
    )

    providers = own_sdk.encounter_providers.v_2
    initial = InitialReferringProvider(npi="1234567893")
    with pytest.raises(UnprocessableEntityError):
        providers.create_initial_referring_provider(encounter_id, request=initial)
    providers.create_referring_provider(encounter_id, request=ReferringProvider(npi="1234567893"))
    assert shape_faults(providers.create_initial_referring_provider(encounter_id, request=initial)) == []
    with pytest.raises(EntityConflictError):
        providers.delete_referring_provider(encounter_id)
    change = InitialReferringProviderUpdate(organization_name="Clinic")
    assert providers.update_initial_referring_provider(encounter_id, request=change).organization_name == "Clinic"
    providers.delete_initial_referring_provider(encounter_id)
    providers.delete_referring_provider(encounter_id)


def test_an_ordering_provider_is_that_of_a_service_line(own: Api, own_sdk: Any, encounter_id: str) -> None:
    from candid.resources.commons.errors import EntityConflictError, EntityNotFoundError
    from candid.resources.encounter_providers.resources.v_2 import OrderingProvider, OrderingProviderUpdate

    line = encounter(own, encounter_id)["claims"][0]["service_lines"][0]["service_line_id"]
    providers = own_sdk.encounter_providers.v_2
    order = OrderingProvider(npi="1234567893")
    assert shape_faults(providers.create_ordering_provider(line, request=order)) == []
    with pytest.raises(EntityConflictError):
        providers.create_ordering_provider(line, request=order)
    providers.update_ordering_provider(line, request=OrderingProviderUpdate(first_name="Ada"))
    row = encounter(own, encounter_id)["claims"][0]["service_lines"][0]
    assert row["ordering_provider"]["first_name"] == "Ada"
    providers.delete_ordering_provider(line)
    assert encounter(own, encounter_id)["claims"][0]["service_lines"][0]["ordering_provider"] is None
    for gone in (NOBODY, line):
        with pytest.raises(EntityNotFoundError):
            providers.delete_ordering_provider(gone)
    with pytest.raises(EntityNotFoundError):
        providers.create_ordering_provider(NOBODY, request=order)


# --- guarantors


def test_an_encounter_has_one_guarantor(own: Api, own_sdk: Any, encounter_id: str) -> None:
    from candid.resources.guarantor.resources.v_1 import GuarantorCreate, GuarantorUpdate
    from candid.resources.guarantor.resources.v_1.errors import EncounterHasExistingGuarantorError

    short: Any = import_module("candid.resources.commons").StreetAddressShortZip
    street = {name: value for name, value in ADDRESS.items() if name != "zip_plus_four_code"}
    order = GuarantorCreate(first_name="Ada", last_name="Marlow", external_id="g-1", address=short(**street))
    made = own_sdk.guarantor.v_1.create(encounter_id, request=order)
    assert shape_faults(made) == []
    assert own_sdk.guarantor.v_1.get(made.guarantor_id) == made
    with pytest.raises(EncounterHasExistingGuarantorError):
        own_sdk.guarantor.v_1.create(encounter_id, request=order)
    changed = own_sdk.guarantor.v_1.update(made.guarantor_id, request=GuarantorUpdate(email="a@example.com"))
    assert (changed.email, changed.last_name) == ("a@example.com", "Marlow")
    assert own_sdk.encounters.v_4.get(encounter_id).guarantor == changed
    path = f"/api/guarantors/v1/{made.guarantor_id}"
    assert send(own, "PATCH", path, {"email": None})["email"] is None
    send(own, "PATCH", path, {"address": None}, 422)
    send(own, "PATCH", path, {"date_of_birth": "old"}, 422)
    send(own, "GET", f"/api/guarantors/v1/{NOBODY}", None, 404)
    body = {"first_name": "A", "last_name": "B", "external_id": "g", "address": street}
    refused = send(own, "POST", f"/api/guarantors/v1/{next_free(own)}", body | {"phone_consent": "yes"}, 422)
    assert refused["errorName"] == "HttpRequestValidationsError"


def next_free(own: Api) -> str:
    free: str = next(row for row in own.rows("/api/encounters/v4") if row["guarantor"] is None)["encounter_id"]
    return free


# --- codes


CODES = "/api/health-care-code-informations/v1/"


def test_codes_begin_with_the_diagnoses_of_the_encounter(own: Api, own_sdk: Any, encounter_id: str) -> None:
    codes = own_sdk.health_care_code_information.v_1.get_all_for_encounter(encounter_id)
    assert shape_faults(codes) == []
    main, *others = encounter(own, encounter_id)["diagnoses"]
    assert (str(codes.principal_diagnosis.id), codes.principal_diagnosis.primary_diagnosis_code) == (
        main["diagnosis_id"],
        main["code"],
    )
    assert [row.other_diagnosis for row in codes.other_diagnosis_information] == [row["code"] for row in others]
    send(own, "GET", CODES + NOBODY, None, 404)


def test_an_update_of_codes_replaces_what_it_names(own: Api, own_sdk: Any, encounter_id: str) -> None:
    path = CODES + encounter_id
    other = {"other_diagnosis_code_qualifier": "ABF", "other_diagnosis": "I10"}
    condition = {"condition_code_qualifier": "BG", "condition_code": "01"}
    first = send(own, "PUT", path, {"other_diagnosis_information": [other], "condition_information": [condition]})
    row = first["other_diagnosis_information"][0]
    assert (row["other_diagnosis"], row["encounter_id"]) == ("I10", encounter_id)
    assert own_sdk.health_care_code_information.v_1.get_all_for_encounter(encounter_id).condition_information
    kept = {**row, "present_on_admission_indicator": "W"}
    second = send(own, "PUT", path, {"other_diagnosis_information": [kept, {**other, "other_diagnosis": "E11.9"}]})
    assert second["other_diagnosis_information"][0] == kept
    assert second["condition_information"] == first["condition_information"]
    assert own.ok(path) == second
    codes = [row["code"] for row in encounter(own, encounter_id)["diagnoses"] if row["code_type"] == "ABF"]
    assert codes == ["I10", "E11.9"]
    assert send(own, "PUT", path, {"condition_information": []})["condition_information"] == []


def test_a_diagnosis_that_is_cleared_leaves_the_service_lines(own: Api, own_sdk: Any, encounter_id: str) -> None:
    main = encounter(own, encounter_id)["diagnoses"][0]["diagnosis_id"]
    answer = send(own, "PUT", CODES + encounter_id, {"principal_diagnosis": {"value": None}})
    assert answer["principal_diagnosis"] is None
    after = encounter(own, encounter_id)
    assert main not in [row["diagnosis_id"] for row in after["diagnoses"]]
    assert main not in str(after["claims"])
    assert own_sdk.encounters.v_4.get(encounter_id)


def test_codes_that_do_not_fit_are_refused_and_nothing_is_written(own: Api, own_sdk: Any, encounter_id: str) -> None:
    path, before = CODES + encounter_id, own.ok(CODES + encounter_id)
    condition = {"condition_code_qualifier": "BG", "condition_code": "01"}
    bad = {"condition_information": [condition], "treatment_code_information": [{"treatment_code": "x"}]}
    assert send(own, "PUT", path, bad, 422)["errorName"] == "HttpRequestValidationError"
    unknown = {"condition_information": [{**condition, "id": NOBODY}]}
    assert send(own, "PUT", path, unknown, 404)["content"] == {"id": NOBODY}
    wrong = {
        "principal_diagnosis": {"value": {"principal_diagnosis_code_qualifier": "X", "primary_diagnosis_code": "I10"}}
    }
    send(own, "PUT", path, wrong, 422)
    assert own.ok(path) == before
