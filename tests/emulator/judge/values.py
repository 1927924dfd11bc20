"""What a path, a query or a body holds under a name: an id of a record, or a text that was not used before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .office import Office

Value = Callable[["Office"], Any]
# What the catalogue's sample bodies hold, and what is sent instead: nothing sent may look like a sample or a person.
PLACEHOLDERS: Final = {
    "Jane": "Adaqvexzo",
    "Doe": "Lovelaceqvexzo",
    "1 Main St": "1 Elmqvexzo Street",
    "5550100": "0100QVXZKJ",
    "AETNA12345": "MEMQZX12345",
}
DATE: Final = "2026-03-14"
LONG_AGO: Final = "2000-01-01T00:00:00+00:00"


def made(endpoint_id: str, *way: str | int) -> Value:
    """A part of what creating a record answers."""
    return lambda office: _part(office.made(endpoint_id), way)


def listed(endpoint_id: str, *way: str | int, **query: Any) -> Value:
    """A part of the first row of a listing."""
    return lambda office: _part(office.first(endpoint_id, **query), way)


def _part(record: Any, way: tuple[str | int, ...]) -> Any:
    for name in way:
        record = record[name]
    return record


def fresh(stem: str) -> Value:
    return lambda office: office.fresh(stem)


def always(value: Any) -> Value:
    return lambda _: value


def service_line(office: Office) -> dict[str, Any]:
    """A line of a claim, as it is written."""
    return {
        "procedure_code": "99213",
        "quantity": "1.0",
        "units": "UN",
        "charge_amount_cents": 15_000,
        "date_of_service": DATE,
        "diagnosis_pointers": [0],
        "external_id": office.fresh("line"),
    }


def charge_data(office: Office) -> dict[str, Any]:
    """A charge that is whole: its claim can be made."""
    names = ("patient", "billing_provider", "rendering_provider", "diagnoses", "place_of_service_code")
    encounter = office.request("encounters.v_4.create").body
    lines = [service_line(office) | {"external_id": None}]
    return {name: encounter[name] for name in names} | {"date_of_service": DATE, "service_lines": lines}


def _view(office: Office) -> str:
    return str(office.http.get("/_emulator/views").json()["views"][0]["id"])


_ENCOUNTER: Final = "encounters.v_4.create"
_CLAIM: Final = ("claims", 0)
VALUES: Final[Mapping[str, Value]] = {
    # what belongs to an encounter
    "encounter_id": made(_ENCOUNTER, "encounter_id"),
    "claim_id": made(_ENCOUNTER, *_CLAIM, "claim_id"),
    "service_line_id": made(_ENCOUNTER, *_CLAIM, "service_lines", 0, "service_line_id"),
    "diagnosis_id": made(_ENCOUNTER, "diagnoses", 0, "diagnosis_id"),
    "patient_external_id": made(_ENCOUNTER, "patient", "external_id"),
    "billing_note_id": made("billing_notes.v_2.create", "billing_note_id"),
    "event_id": listed("events.v_1.scan", "id"),
    "charge_capture_claim_creation_id": listed("charge_capture_bundles.v_1.get_all", "id", limit=1),
    "guarantor_id": made("guarantor.v_1.create", "guarantor_id"),
    "charge_capture_id": made("charge_capture.v_1.create", "id"),
    "charge_capture_external_id": made("charge_capture.v_1.create", "charge_external_id"),
    "claim_dynamic_view_id": _view,
    "task_id": made("tasks.v_3.create", "task_id"),
    "work_queue_id": always("queue"),
    # the organization
    "schema_id": made("custom_schemas.v_1.create", "id"),
    "organization_id": listed("pre_encounter.tags.v_1.get_all", "organization_id"),
    "organization_provider_id": made("organization_providers.v_3.create", "organization_provider_id"),
    "organization_billing_provider_id": listed(
        "organization_providers.v_3.get_multi", "organization_provider_id", is_billing="true"
    ),
    "contracting_provider_id": listed(
        "organization_providers.v_3.get_multi", "organization_provider_id", is_billing="true"
    ),
    "provider_id": listed("organization_providers.v_3.get_multi", "organization_provider_id", is_rendering="true"),
    "rendering_provider_id": listed(
        "organization_providers.v_3.get_multi", "organization_provider_id", is_rendering="true"
    ),
    "organization_service_facility_id": made(
        "organization_service_facilities.v_2.create", "organization_service_facility_id"
    ),
    "service_facility_id": listed(
        "organization_service_facilities.v_2.get_multi", "organization_service_facility_id"
    ),
    "attachment_id": made("organization_providers.v_3.upload_attachment"),
    # payers, and what was agreed with them
    "payer_uuid": listed("payers.v_4.get_all", "payer_uuid"),
    "payer_plan_group_id": made("payer_plan_groups.v_1.create", "payer_plan_group_id"),
    "rate_id": listed("fee_schedules.v_3.get_multi", "rate_id"),
    "non_insurance_payer_id": made("non_insurance_payers.v_1.create", "non_insurance_payer_id"),
    "provider_credentialing_id": made("credentialing.v_2.create", "provider_credentialing_span_id"),
    "facility_credentialing_id": made("credentialing.v_2.create_facility", "facility_credentialing_span_id"),
    # money
    "patient_payment_id": made("patient_payments.v_4.create", "patient_payment_id"),
    "patient_refund_id": made("patient_refunds.v_1.create", "patient_refund_id"),
    "insurance_refund_id": made("insurance_refunds.v_1.create", "insurance_refund_id"),
    "non_insurance_payer_payment_id": made(
        "non_insurance_payer_payments.v_1.create", "non_insurance_payer_payment_id"
    ),
    "non_insurance_payer_refund_id": made("non_insurance_payer_refunds.v_1.create", "non_insurance_payer_refund_id"),
    "invoice_id": made("import_invoice.v_1.import_invoice", "id"),
    "external_payment_account_config_id": listed("external_payment_account_config.v_1.get_multi", "id"),
    # pre-encounter
    "patient_id": made("pre_encounter.patients.v_1.create", "id"),
    "patient": made("pre_encounter.patients.v_1.create", "id"),
    "pre_encounter_patient_id": made("pre_encounter.patients.v_1.create", "id"),
    "mrn": made("pre_encounter.patients.v_1.create", "mrn"),
    "mrn_or_id": made("pre_encounter.patients.v_1.create", "mrn"),
    "alternative_patient_mrn": made("pre_encounter.patients.v_1.create", "mrn"),
    "primary_patient_mrn": made("pre_encounter.patients.v_1.create", "mrn"),
    "user_id": listed("pre_encounter.tags.v_1.get_all", "updating_user_id"),
    # texts
    "external_id": fresh("judge"),
    "external_identifier": fresh("judge"),
    "charge_external_id": fresh("charge"),
    "family": fresh("Lovelaceqvexzo"),
    "name": fresh("Qvexzo"),
    "plan_group_name": fresh("Qvexzo plan"),
    "medication_dispense_external_id": fresh("dispensed"),
    "since": always(LONG_AGO),
    "effective_date": always("2026-01-01"),
    "zip_code": lambda _: "62701",
    "cpt_code": always("99213"),
    "file_type": always("W9"),
    "attachment_type": always("OTHER"),
    "search_criteria": always("mar"),
}
