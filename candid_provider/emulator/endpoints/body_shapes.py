"""What the optional parts of an encounter must be like; the required ones are checked for every endpoint."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.answers import unprocessable
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.bodies import check_shape
from candid_provider.emulator.collection import Record

_NAMED: Final = {"first_name": "", "last_name": ""}
_ADDRESS: Final = {"address1": "", "city": "", "state": "", "zip_code": ""}
_CARD: Final = {"member_id": "", "payer_name": "", "payer_id": ""}
_SUBSCRIBER: Final = {**_NAMED, "gender": "", "patient_relationship_to_subscriber_code": "", "insurance_card": _CARD}
_PROVIDERS: Final = (
    *("billing_provider", "rendering_provider", "referring_provider", "initial_referring_provider"),
    *("supervising_provider", "attending_provider", "operating_provider", "other_operating_provider"),
)
_TRUTHS: Final = (
    *("patient_authorized_release", "benefits_assigned_to_provider", "provider_accepts_assignment"),
    "outside_lab",
)
_NUMBERS: Final = ("outside_lab_charges_amount_cents", "admission_hour", "discharge_hour")
_TEXTS: Final = (
    *("service_facility_id", "prior_authorization_number", "additional_information", "appointment_type"),
    *("purchased_service_provider_npi", "service_authorization_exception_code", "delay_reason_code"),
    *("place_of_service_code", "place_of_service_code_as_submitted", "referral_number", "external_id"),
    *("secondary_payer_carrier_code", "property_casualty_claim_number", "admission_type_code"),
    *("admission_source_code", "discharge_status", "accident_state_or_province_code"),
)
_PERSON: Final[Record] = {
    **dict.fromkeys(("first_name", "last_name", "external_id", "email"), ""),
    "phone_numbers": [{"number": "", "type": ""}],
    **dict.fromkeys(("phone_consent", "email_consent", "auto_charge_consent"), True),
}
_PROVIDER: Final[Record] = dict.fromkeys(("first_name", "last_name", "organization_name", "npi", "tax_id"), "")
_ALIKE: Final[Record] = {
    "tag_ids": [""],
    "diagnosis_ids": [""],
    "schema_instances": [{"schema_id": ""}],
    "clinical_notes": [{"category": "", "notes": [{"text": ""}]}],
    "billing_notes": [{"text": ""}],
    "existing_medications": [{"name": ""}],
    "patient_histories": [{"category": "", "questions": [{}]}],
    **dict.fromkeys(("subscriber_primary", "subscriber_secondary", "subscriber_tertiary"), _SUBSCRIBER),
    "pay_to_address": _ADDRESS,
    "type_of_bill": {"type": ""},
    "external_claim_submission": {"patient_control_number": "", "submission_records": [{"submitted_at": ""}]},
    "health_care_code_information": {},
    "vitals": {},
    **dict.fromkeys(_TRUTHS, True),
    **dict.fromkeys(_NUMBERS, 0),
    **dict.fromkeys(_TEXTS, ""),
    "epsdt_referral": {"condition_indicator1": ""},
    "related_causes_information": {"related_causes_code_1": ""},
    "property_casualty_patient_identifier": {"property_casualty_patient_identifier": ""},
    "claim_supplemental_information": [{}],
    "interventions": [{}],
}
_NEW: Final[Record] = {
    **{name: {"npi": ""} for name in _PROVIDERS},
    "treating_provider": _NAMED,
    "guarantor": {**_NAMED, "external_id": "", "address": _ADDRESS},
    "service_facility": {"organization_name": "", "address": _ADDRESS},
}
_LOOSE: Final = ("patient", "service_facility", "guarantor", "treating_provider", *_PROVIDERS)
_LINE: Final[Record] = {
    "modifiers": [""],
    "diagnosis_pointers": [0],
    "drug_identification": {},
    "ordering_provider": {"npi": ""},
    "denial_reason": {},
    "test_results": [{"value": 0.5, "result_type": ""}],
    **dict.fromkeys(("has_epsdt_indicator", "has_family_planning_indicator"), True),
    **dict.fromkeys(("external_id", "procedure_code", "place_of_service_code", "revenue_code", "note"), ""),
    **dict.fromkeys(("description", "custom_procedure_code", "prior_authorization_number"), ""),
}


def check_parts(asked: Asked, given: Record, *, new: bool) -> None:
    """Check the optional parts of an encounter; of one that is changed, some need not be whole."""
    shapes = _ALIKE | (_NEW if new else {name: {} for name in _LOOSE})
    _check(asked, given, shapes, "")
    _check_inside(asked, given)
    for name in _LOOSE:
        part = given.get(name)
        address = part.get("address") if isinstance(part, dict) else None
        if address is not None and not isinstance(address, dict):
            raise unprocessable(asked.endpoint, f"{name}.address", "must be an object")


def _check_inside(asked: Asked, given: Record) -> None:
    for name in _LOOSE:
        fields = _PERSON if name in ("patient", "guarantor") else _PROVIDER
        if isinstance(given.get(name), dict):
            _check(asked, given[name], fields, f"{name}.")


def check_data(asked: Asked, given: Record) -> None:
    """Check the parts of a charge's data, of which nothing need be there."""
    _check(asked, given, {name: _loose(sample) for name, sample in (_ALIKE | _NEW).items()}, "")
    _check(asked, given, {"patient": {}, "diagnoses": [{}], "service_lines": [{}]}, "")
    _check_inside(asked, given)
    for line in given.get("service_lines") or []:
        check_line_parts(asked, line, "service_lines.")


def check_line_parts(asked: Asked, given: Record, where: str) -> None:
    _check(asked, given, _LINE, where)


def _loose(sample: Any) -> Any:
    if isinstance(sample, list):
        return [_loose(sample[0])]
    return {} if isinstance(sample, dict) else sample


def _check(asked: Asked, given: Record, shapes: Record, where: str) -> None:
    for name, sample in shapes.items():
        if given.get(name) is not None:
            check_shape(asked.endpoint, sample, given[name], f"{where}{name}")
