"""Charge captures and the claim creations that bundle them: the seeded ones, and what is kept of written ones."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from candid_provider.emulator.endpoints.encounters.encounter_kinds import BUNDLED, bundle_status
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters
from candid_provider.emulator.world.world import nulls

# Each seeded claim creation bundles two charges; a third of its patient and day was left out.
CHARGES_EACH: Final = 3
STATUSES: Final = ("planned", "not-billable", "billable", "aborted", "entered-in-error")
_LEFT_OUT: Final = ("not-billable", "aborted", "entered-in-error", "planned")
_EXTERNAL: Final = "chg-"


def bundles(state: State) -> int:
    return -(-state.world.encounters // BUNDLED)


def encounter_of(bundle: int) -> int:
    """The seeded encounter that a claim creation is about: it made it, or would have."""
    return bundle * BUNDLED


def charge_status(index: int) -> str:
    """Status of a seeded charge; a claim creation is held by one that is planned."""
    bundle, place = divmod(index, CHARGES_EACH)
    if place < CHARGES_EACH - 1:
        return "billable"
    return "planned" if bundle_status(bundle) == "held" else _LEFT_OUT[bundle % 3]


def is_linked(index: int) -> bool:
    """Whether a seeded charge is part of a claim creation."""
    return index % CHARGES_EACH < CHARGES_EACH - 1


def index_of_charge(text: str) -> int | None:
    """The seeded charge with an external id."""
    digits = text.removeprefix(_EXTERNAL)
    index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
    return index if index is not None and f"{_EXTERNAL}{index:08d}" == text else None


def _error(state: State, bundle: int) -> Record | None:
    if bundle_status(bundle) != "in-error":
        return None
    return {
        "id": state.world.ids.uuid("charge_error", bundle),
        "charge_capture_id": state.world.ids.uuid("charge_capture", bundle * CHARGES_EACH),
        "message": "diagnoses is required",
        "resolved": False,
        "resolved_by": None,
        "resolution_reason": None,
        "field_in_error": "diagnoses",
        "claim_creation_id": state.world.ids.uuid("claim_creation", bundle),
    }


def _charge(state: State, index: int) -> Record:
    bundle, ids = index // CHARGES_EACH, state.world.ids
    data = _data(state, bundle, index)
    return {
        "id": ids.uuid("charge_capture", index),
        "status": charge_status(index),
        "charge_capture_data": data,
        "date_of_service": data["date_of_service"],
        "patient_external_id": data["patient"]["external_id"],
        "charge_external_id": f"{_EXTERNAL}{index:08d}",
        **dict.fromkeys(("ehr_source_url", "claim_creation_category", "metadata")),
        "originating_system": "EHR",
        "error": _error(state, bundle) if index % CHARGES_EACH == 0 else None,
        "updates": [],
        "claim_creation_id": ids.uuid("claim_creation", bundle) if is_linked(index) else None,
    }


def _data(state: State, bundle: int, index: int) -> Record:
    number = encounter_of(bundle)
    whole = encounters.encounter(state.world, state.organization, number)
    lines = whole["claims"][0]["service_lines"]
    line = lines[index % len(lines)]
    in_error = bundle_status(bundle) == "in-error"
    data: Record = dict(DATA_FIELDS)
    data |= {name: _as_given(whole[name]) for name in _COPIED}
    for name in ("billing_provider", "rendering_provider", "service_facility"):
        data[name] = _as_given(msgspec.json.decode(whole[name]))
    data["external_id"] = whole["external_id"]
    data["diagnoses"] = [] if in_error else [_diagnosis(row) for row in whole["diagnoses"]]
    data["service_lines"] = [_UNSET_LINE | {name: line[name] for name in _LINE} | {"diagnosis_pointers": [0]}]
    data["patient"] |= dict.fromkeys(("non_insurance_payers", "non_insurance_payers_info"))
    for name in ("tax_id", "provider_commercial_license_type"):
        del data["rendering_provider"][name]
    for name in ("subscriber_primary", "subscriber_secondary"):
        if data[name] is not None:
            data[name]["insurance_card"] |= dict.fromkeys(("emr_payer_crosswalk", "payer_plan_group_name"))
    return data


def _as_given(value: Any) -> Any:
    """A part of an encounter without what Candid added to it."""
    if not isinstance(value, dict):
        return value
    return {name: _as_given(part) for name, part in value.items() if name not in _ADDED}


def _diagnosis(row: Record) -> Record:
    return {name: row[name] for name in ("name", "code_type", "code", "present_on_admission_indicator")}


def _bundle(state: State, bundle: int) -> Record:
    world, number, status = state.world, encounter_of(bundle), bundle_status(bundle)
    patient = world.ids.uuid("patient", world.patient_of(number))
    error = _error(state, bundle)
    return {
        "id": world.ids.uuid("claim_creation", bundle),
        "created_encounter_id": world.ids.uuid("encounter", number) if status == "successful" else None,
        "status": status,
        "characteristics": characteristics(patient, world.date_of_service(number).isoformat(), None),
        "errors": [] if error is None else [error],
        "encounter_creation_input": None if status in ("held", "aborted") else _data(state, bundle, 0),
        "most_recent_claim_preview_id": None,
    }


def characteristics(patient: str, served: str | None, category: str | None) -> dict[str, Any]:
    """What the charges of one claim have in common."""
    return {"patient_external_id": patient, "date_of_service": served, "claim_creation_category": category}


_ADDED: Final = frozenset(
    {
        *("individual_id", "insurance_card_id", "payer_uuid", "provider_id", "qualifier"),
        *("service_facility_id", "non_insurance_payers", "non_insurance_payers_info"),
    }
)
_LINE: Final = (
    *("modifiers", "procedure_code", "quantity", "units", "charge_amount_cents", "place_of_service_code"),
    *("date_of_service", "external_id"),
)
_UNSET_LINE: Final = nulls(
    """
    has_epsdt_indicator has_family_planning_indicator drug_identification description
    end_date_of_service ordering_provider test_results note revenue_code prior_authorization_number
    """
)
_COPIED: Final = (
    *("benefits_assigned_to_provider", "date_of_service", "billable_status", "responsible_party"),
    *("provider_accepts_assignment", "synchronicity", "place_of_service_code", "patient_authorized_release"),
    *("patient", "subscriber_primary", "subscriber_secondary"),
)
DATA_FIELDS: Final = nulls(
    """
    benefits_assigned_to_provider prior_authorization_number external_id date_of_service billable_status
    responsible_party provider_accepts_assignment synchronicity place_of_service_code appointment_type
    end_date_of_service additional_information outside_lab outside_lab_charges_amount_cents
    purchased_service_provider_npi service_authorization_exception_code admission_date discharge_date
    onset_of_current_illness_or_symptom_date last_menstrual_period_date delay_reason_code
    patient_authorized_release referral_number secondary_payer_carrier_code tag_ids vitals diagnoses
    clinical_notes claim_supplemental_information epsdt_referral existing_medications guarantor
    subscriber_primary subscriber_secondary subscriber_tertiary interventions schema_instances
    external_claim_submission service_lines patient_histories billing_notes patient service_facility
    service_facility_id rendering_provider initial_referring_provider referring_provider
    supervising_provider treating_provider billing_provider pay_to_address related_causes_information
    property_casualty_claim_number accident_date initial_treatment_date
    property_casualty_patient_identifier
    """
)

CHARGES: Final = Kind(
    "charge_capture",
    "id",
    count=lambda state: CHARGES_EACH * bundles(state),
    make=_charge,
    created=lambda state, index: state.world.created(encounter_of(index // CHARGES_EACH)),
    unique="charge_external_id",
    seeded=lambda state, text: index_of_charge(text),
)
BUNDLES: Final = Kind(
    "claim_creation",
    "id",
    count=bundles,
    make=_bundle,
    created=lambda state, index: state.world.created(encounter_of(index)),
)
# Charges that may go on one claim, by what they have in common: those in it so far, and those that hold it up.
GATHERED: Final = Kind("gathered_charges", "key")
ERRORS: Final = Kind("written_charge_error", "id")
CHANGES: Final = Kind("post_billed_change", "id")
