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
    "service_facility_id": "",
    "prior_authorization_number": "",
    "additional_information": "",
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
    "external_id": "",
    "procedure_code": "",
}


def check_parts(asked: Asked, given: Record, *, new: bool) -> None:
    """Check the optional parts of an encounter; of one that is changed, some need not be whole."""
    shapes = _ALIKE | (_NEW if new else {name: {} for name in _LOOSE})
    _check(asked, given, shapes, "")
    for name in _LOOSE:
        part = given.get(name)
        address = part.get("address") if isinstance(part, dict) else None
        if address is not None and not isinstance(address, dict):
            raise unprocessable(asked.endpoint, f"{name}.address", "must be an object")


def check_data(asked: Asked, given: Record) -> None:
    """Check the parts of a charge's data, of which nothing need be there."""
    _check(asked, given, {name: _loose(sample) for name, sample in (_ALIKE | _NEW).items()}, "")
    _check(asked, given, {"patient": {}, "diagnoses": [{}], "service_lines": [{}]}, "")
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
