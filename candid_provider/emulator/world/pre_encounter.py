"""Rows of Candid's pre-encounter service: patients, appointments and coverages of the seeded world."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.world.organization import Organization, payer_id, payer_name
from candid_provider.emulator.world.people import Person, member_id, mrn, person
from candid_provider.emulator.world.world import World, milliseconds, nulls

_MINUTE: Final = 60_000_000

_PATIENT_UNSET: Final[dict[str, Any]] = nulls(
    """
    other_identifiers gender social_security_number sexual_orientation pronouns race ethnicity
    disability_status marital_status deceased multiple_birth electronic_communication_opt_in
    electronic_communication_consent photo language external_provenance coverages_for_related_causes
    non_insurance_payers non_insurance_payer_associations guarantor self_pay authorizations referrals
    primary_service_facility_id service_facilities do_not_invoice_reason note_ids tag_ids
    origination_detail inferred_patient_metadata orcon advanced_directives hipaa_code custom_metadata
    """
)
_APPOINTMENT_UNSET: Final[dict[str, Any]] = nulls(
    """
    not_ready_reason ready_source placer_system_name attending_doctor estimated_copay_cents
    estimated_patient_responsibility_cents patient_deposit_cents appointment_details
    checked_in_timestamp checked_out_timestamp appointment_reason_detail medical_necessity_verified
    prior_authorization_status notes location_resource_id automated_eligibility_check_complete
    work_queue cancellation_reason
    """
)
_COVERAGE_UNSET: Final[dict[str, Any]] = nulls(
    """
    eligibility_checks latest_eligibility_check benefits orcon auto_update_enabled
    previous_appointment_copays
    """
)
_PLAN_UNSET: Final[dict[str, Any]] = nulls(
    """
    additional_payer_information name plan_type type period insurance_card_image_locator address
    payer_plan_group_id carve_outs
    """
)


def deactivated_rows(count: int) -> range:
    """Those of the first `count` rows of a kind that are deactivated."""
    return range(10, count, 21)


def _row(world: World, organization: Organization, kind: str, index: int) -> dict[str, Any]:
    # Deactivated rows stay in the scans; each change raised the version.
    deactivated = index in deactivated_rows(index + 1)
    version = 3 if deactivated else 1 + world.ids.draw(f"{kind}-version", index) % 3
    return {
        "organization_id": organization.id,
        "deactivated": deactivated,
        "version": version,
        "updated_at": milliseconds(world.updated(kind, index)),
        "updating_user_id": organization.user_id,
        "id": world.ids.uuid(kind, index),
    }


def _name(who: Person) -> dict[str, Any]:
    return {"family": who.family, "given": [who.given], "use": "USUAL", "period": None, "suffix": None}


def _address(who: Person) -> dict[str, Any]:
    return {
        "use": "HOME",
        "line": [who.street],
        "city": who.city,
        "state": who.state,
        "administrative_area": None,
        "postal_code": who.zip_code,
        "country": "US",
        "county": None,
        "period": None,
    }


def patient(world: World, organization: Organization, index: int) -> dict[str, Any]:
    """Patient `index` (Candid: GET /patients/v1/{id}); its id is `patient.external_id` in encounters."""
    who = person(index, world.ids.draw("person", index))
    lists = ("other_names", "other_addresses", "other_telecoms", "contacts", "general_practitioners")
    return {
        **_PATIENT_UNSET,
        **_row(world, organization, "patient", index),
        **{name: [] for name in lists},
        "mrn": mrn(index),
        "name": _name(who),
        "birth_date": who.birth_date,
        "biological_sex": "FEMALE" if who.female else "MALE",
        "primary_address": _address(who),
        "primary_telecom": {"value": who.phone, "use": "MOBILE", "period": None},
        "email": who.email,
        "filing_order": {"coverages": [world.ids.uuid("coverage", n) for n in world.coverages_of(index)]},
    }


def appointment(world: World, organization: Organization, index: int) -> dict[str, Any]:
    """Appointment `index`, of an encounter or of a visit still to come (Candid: GET /appointments/v1/{id})."""
    bits, visit = world.ids.draw("appointment", index), world.visit_of(index)
    return {
        **_APPOINTMENT_UNSET,
        **_row(world, organization, "appointment", index),
        "patient_id": world.ids.uuid("patient", world.patient_of(visit)),
        "start_timestamp": milliseconds(_start(world, visit)),
        "status": _status(world, visit, bits),
        "service_duration": (15, 30, 45, 60)[bits >> 8 & 3],
        "services": [{"universal_service_identifier": "MD_Visit", "start_timestamp": None}],
        "placer_appointment_id": f"appt-{index:08d}",
    }


def _start(world: World, visit: int) -> int:
    # The quarter of an hour before the encounter was created, or the first one of the future.
    quarter = 15 * _MINUTE
    return (world.created(visit) // quarter + (visit >= world.encounters)) * quarter


def _status(world: World, visit: int, bits: int) -> str:
    if visit >= world.encounters:
        return "PENDING"
    return "NO_SHOW" if bits % 20 == 0 else "CHECKED_OUT"


def coverage(world: World, organization: Organization, index: int) -> dict[str, Any]:
    """Coverage `index` (Candid: GET /coverages/v1/{id}); the subscriber is the patient."""
    number = world.patient_covered(index)
    who = person(number, world.ids.draw("person", number))
    payer = world.payer_of(index)
    return {
        **_COVERAGE_UNSET,
        **_row(world, organization, "coverage", index),
        "status": "ACTIVE",
        "subscriber": {
            "name": _name(who),
            "date_of_birth": who.birth_date,
            "biological_sex": "FEMALE" if who.female else "MALE",
            "address": _address(who),
            "employer_name": None,
        },
        "relationship": "SELF",
        "patient": world.ids.uuid("patient", number),
        "insurance_plan": {
            **_PLAN_UNSET,
            "member_id": member_id(index),
            "payer_id": payer_id(payer),
            "payer_name": payer_name(payer),
            "group_number": f"GRP{payer:05d}",
        },
        "verified": world.ids.draw("verified", index) % 4 != 0,
    }
