"""Encounters of the seeded world, and what Candid derives from them: events and the patient AR inventory."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.world.claims import claim, path, standing_of
from candid_provider.emulator.world.lives import Standing
from candid_provider.emulator.world.organization import CLINICIANS, FACILITIES, Organization, payer_id, payer_name
from candid_provider.emulator.world.people import Person, member_id, person
from candid_provider.emulator.world.world import World, microseconds, nulls

CREATED: Final = "CandidApi.Encounter.Created"
STATUS_UPDATED: Final = "CandidApi.Encounter.StatusUpdated"
_EXTERNAL: Final = "enc-"
_DIAGNOSES: Final = ("Z00.00", "F41.1", "M54.50", "E11.9", "I10", "J06.9", "K21.9", "F33.1")

_UNSET: Final[dict[str, Any]] = nulls(
    """
    end_date_of_service appointment_type existing_medications interventions pay_to_address vitals
    additional_information outside_lab outside_lab_charges_amount_cents purchased_service_provider_npi
    service_authorization_exception_code admission_date discharge_date
    onset_of_current_illness_or_symptom_date last_menstrual_period_date delay_reason_code
    accident_state_or_province_code claim_creation_id patient_control_number guarantor
    attending_provider admission_hour admission_type_code admission_source_code discharge_hour
    discharge_status operating_provider other_operating_provider treating_provider
    related_causes_information property_casualty_claim_number accident_date initial_treatment_date
    property_casualty_patient_identifier submission_expectation type_of_bill referring_provider
    initial_referring_provider supervising_provider subscriber_tertiary prior_authorization_number
    billing_notes place_of_service_code_as_submitted coding_attribution work_queue_id
    work_queue_membership_activated_at referral_number epsdt_referral claim_supplemental_information
    secondary_payer_carrier_code
    """
)
_CONSTANT: Final[dict[str, Any]] = {
    **_UNSET,
    "patient_authorized_release": True,
    "benefits_assigned_to_provider": True,
    "provider_accepts_assignment": True,
    "synchronicity": "Synchronous",
    "responsible_party": "INSURANCE_PAY",
    "place_of_service_code": "11",
    "submission_origin": "CANDID",
    **{name: [] for name in ("clinical_notes", "patient_histories", "patient_payments", "tags", "schema_instances")},
}


def external_id(encounter: int) -> str:
    """The id under which the customer's own system knows an encounter."""
    return f"{_EXTERNAL}{encounter:08d}"


def index_of_external_id(text: str) -> int | None:
    """The encounter that `external_id` would call `text`."""
    digits = text.removeprefix(_EXTERNAL)
    index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
    return index if index is not None and external_id(index) == text else None


def encounter(world: World, organization: Organization, index: int) -> dict[str, Any]:
    """Encounter `index` (Candid: GET /api/encounters/v4/{encounter_id})."""
    encounter_id = world.ids.uuid("encounter", index)
    created = microseconds(world.created(index))
    diagnoses = _diagnoses(world, index, encounter_id, created)
    known = standing_of(world, index)
    filed = claim(world, index, [row["diagnosis_id"] for row in diagnoses], known)
    bits = world.ids.draw("encounter", index)
    return {
        **_CONSTANT,
        **_parties(world, index),
        "external_id": external_id(index),
        "date_of_service": world.date_of_service(index).isoformat(),
        "billable_status": "NOT_BILLABLE" if known.status == "not_billable" else "BILLABLE",
        "encounter_id": encounter_id,
        "claims": [filed],
        "billing_provider": organization.billing_provider,
        "rendering_provider": organization.clinicians[bits % CLINICIANS],
        "service_facility": organization.facilities[(bits >> 8) % FACILITIES],
        "url": f"https://app.joincandidhealth.com/claims/{filed['claim_id']}",
        "diagnoses": diagnoses,
        "owner_of_next_action": known.owner,
        "last_submitted_at": None if known.submitted is None else microseconds(world.reached(index, known.submitted)),
        "created_at": created,
        "next_responsible_party": _next_party(world, index, known),
        "organization_id": organization.id,
    }


def _next_party(world: World, index: int, known: Standing) -> str:
    if known.eras and world.owing(index):
        return "patient"
    return "none" if known.eras or known.status == "not_billable" else "primary"


def _diagnoses(world: World, index: int, encounter_id: str, created: str) -> list[dict[str, Any]]:
    bits = world.ids.draw("diagnoses", index)
    return [
        {
            "name": None,
            "code_type": "ABF" if number else "ABK",
            "code": _DIAGNOSES[(bits + 3 * number) % len(_DIAGNOSES)],
            "present_on_admission_indicator": None,
            "encounter_id": encounter_id,
            "diagnosis_id": world.ids.uuid("diagnosis", 2 * index + number),
            "created_at": created,
            "updated_at": created,
        }
        for number in range(1 + (bits >> 8) % 2)
    ]


def _parties(world: World, index: int) -> dict[str, Any]:
    number = world.patient_of(index)
    who = person(number, world.ids.draw("person", number))
    address = {
        "address1": who.street,
        "address2": None,
        "city": who.city,
        "state": who.state,
        "zip_code": who.zip_code,
        "zip_plus_four_code": None,
    }
    cards = [_subscriber(world, number, coverage, who, address) for coverage in world.coverages_of(number)]
    return {
        "patient": _patient(world, number, who, address),
        "subscriber_primary": cards[0],
        "subscriber_secondary": cards[1] if len(cards) > 1 else None,
    }


def _patient(world: World, number: int, who: Person, address: dict[str, Any]) -> dict[str, Any]:
    return {
        "first_name": who.given,
        "last_name": who.family,
        "gender": "female" if who.female else "male",
        "external_id": world.ids.uuid("patient", number),
        "date_of_birth": who.birth_date,
        "address": address,
        "individual_id": world.ids.uuid("individual", number),
        "phone_numbers": [{"number": who.phone, "type": "Mobile"}],
        "phone_consent": True,
        "email": who.email,
        "email_consent": True,
        "auto_charge_consent": False,
        "non_insurance_payers": [],
        "non_insurance_payers_info": [],
    }


def _subscriber(world: World, number: int, coverage: int, who: Person, address: dict[str, Any]) -> dict[str, Any]:
    payer = world.payer_of(coverage)
    unset = dict.fromkeys(("plan_type", "payer_plan_group_id", "payer_address", "rx_bin", "rx_pcn"))
    card = {
        **unset,
        "group_number": f"GRP{payer:05d}",
        "plan_name": payer_name(payer),
        "insurance_type": None,
        "insurance_card_id": world.ids.uuid("card", coverage),
        "member_id": member_id(coverage),
        "payer_name": payer_name(payer),
        "payer_id": payer_id(payer),
        "image_url_front": None,
        "image_url_back": None,
        "payer_uuid": world.ids.uuid("payer", payer),
    }
    return {
        "first_name": who.given,
        "last_name": who.family,
        "gender": "female" if who.female else "male",
        "patient_relationship_to_subscriber_code": "18",
        "date_of_birth": who.birth_date,
        "address": address,
        "individual_id": world.ids.uuid("individual", number),
        "insurance_card": card,
    }


def event(world: World, index: int) -> dict[str, Any] | None:
    """Event `index` (Candid: GET /api/events/v1/{event_id}), if there is one; the payload's keys are invented."""
    known = world.event(index)
    if known is None:
        return None
    subject, stage = known
    return {
        "id": world.ids.uuid("event", index),
        "created_at": microseconds(world.event_recorded(index)),
        "timestamp": microseconds(world.event_happened(index)),
        "event_type": STATUS_UPDATED if stage else CREATED,
        "schema_version": "1",
        "payload": {
            "encounter_id": world.ids.uuid("encounter", subject),
            "claim_id": world.ids.uuid("claim", subject),
            "claim_status": path(world, subject)[stage],
        },
    }


def inventory_row(world: World, index: int) -> dict[str, Any]:
    """A claim that left its patient a balance (Candid: GET /api/patient-ar/v1/inventory)."""
    settled = world.ids.draw("settled", index) % 4 == 0
    return {
        "claim_id": world.ids.uuid("claim", index),
        "encounter_id": world.ids.uuid("encounter", index),
        "timestamp": microseconds(world.adjudicated(index)),
        "patient_external_id": world.ids.uuid("patient", world.patient_of(index)),
        "patient_ar_status": "non_invoiceable" if settled else "invoiceable",
    }
