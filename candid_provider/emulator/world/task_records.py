"""Tasks of the seeded world: one for every twentieth encounter, about what its claim waits for."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.encounters import external_id
from candid_provider.emulator.world.organization import payer_id, payer_name
from candid_provider.emulator.world.people import person
from candid_provider.emulator.world.world import microseconds

EVERY: Final = 20
USERS: Final = 5
STATUSES: Final = (
    *("open", "blocked", "in_progress", "waiting_for_review", "finished"),
    *("sent_to_provider_group", "addressed_by_provider_group"),
)
TYPES: Final = (
    *("CUSTOMER_DATA_REQUEST", "CLAIM_SUBMISSION_RUN_VALIDATIONS_FAILURE", "CLAIM_SUBMISSION_SUBMIT_CLAIM_FAILURE"),
    *("CLAIM_SUBMISSION_TRANSFORM_FAILURE", "CODE_CLAIM", "CODE_CLAIM_REVIEW", "ELIGIBILITY", "CLAIM_FOLLOW_UP"),
    *("REJECTION_RESOLUTION", "PAYER_CONFIGURATION_ERROR", "DENIAL_RESOLUTION", "MISSING_ENROLLMENT"),
    "CHARGE_CAPTURE_UPDATE",
)
_CATEGORIES: Final = """
    other provider_credentialing authorization_required inactive_coverage unknown_eligibility_or_patient_not_found
    incorrect_member_id documentation_addendum_request coordination_of_benefits missing_or_incorrect_gender
    incorrect_date_of_birth incorrect_payer incorrect_name invalid_diagnosis_code non_covered_diagnosis_codes
    information_requested_from_patient incorrect_rendering_provider_info missing_or_incorrect_modifier
    coding_frequency_error incorrect_patient_address multiple_em_claims missing_or_incorrect_charge_amount
    medical_records_request provider_enrollment_or_contracting missing_or_incorrect_group_number
    missing_diagnosis_codes missing_patient_authorization incorrect_billing_provider_info incorrect_procedure_code
    incorrect_quantity incorrect_place_of_service_code incorrect_service_facility_info incorrect_date_of_service
    missing_or_incorrect_ndc patient_collections submit_to_secondary transient_server_error
    missing_remittance_enrollment missing_claims_enrollment held_by_customer pending_manual_remit_posting
    incorrect_referring_provider_info payer_configuration_error downcoding_review
"""
CATEGORIES: Final = tuple(_CATEGORIES.split())
_STATUSES: Final = (*("finished",) * 8, *("open",) * 4, "in_progress", "in_progress", "blocked", "waiting_for_review")
_WORK: Final = (
    ("ELIGIBILITY", "inactive_coverage", "The coverage was not active on the date of service."),
    ("DENIAL_RESOLUTION", "authorization_required", "The payer asks for an authorization."),
    ("CUSTOMER_DATA_REQUEST", "incorrect_member_id", "The payer does not know the member id."),
    ("CODE_CLAIM", "missing_diagnosis_codes", "The claim needs a diagnosis."),
    ("REJECTION_RESOLUTION", "incorrect_payer", "The claim was rejected: another payer is responsible."),
)
_TAKES: Final = 6 * 3_600_000_000
_NOTED: Final = 1_800_000_000


def encounter_of(index: int) -> int:
    """The encounter that task `index` is about."""
    return index * EVERY


def created(state: State, index: int) -> int:
    return state.world.created(encounter_of(index))


def updated(state: State, index: int) -> int:
    """When a task last changed: after its creation, but never in the future of the seeded world."""
    return min(created(state, index) + _TAKES, state.config.starts_at)


def task(state: State, index: int) -> dict[str, Any]:
    """Task `index` (Candid: GET /api/tasks/v3/{task_id})."""
    ids, encounter = state.world.ids, encounter_of(index)
    bits, changed = ids.draw("task", index), updated(state, index)
    kind, category, text = _WORK[bits % len(_WORK)]
    assignee = ids.uuid("user", (bits >> 16) % USERS) if bits >> 12 & 1 else None
    notes = [_note(state, index, changed)] if bits >> 13 & 3 == 0 else []
    return {
        **_subject(state, encounter),
        "task_id": ids.uuid("task", index),
        "task_type": kind,
        "description": text,
        "blocks_claim_submission": bool(bits >> 11 & 1),
        "status": _STATUSES[(bits >> 4) % len(_STATUSES)],
        "notes": notes,
        "created_at": microseconds(created(state, index)),
        "updated_at": microseconds(changed),
        "agg_updated_at": notes[0]["created_at"] if notes else microseconds(changed),
        "assignments": [{"task_assignment_id": ids.uuid("task_assignment", index), "assignee_user_id": assignee}],
        "category": category,
        "configurable_rule_id": None,
        "persisted_rule_id": None,
        "organization_id": state.organization.id,
    }


def _subject(state: State, encounter: int) -> dict[str, Any]:
    world = state.world
    patient = world.patient_of(encounter)
    who, payer = person(patient, world.ids.draw("person", patient)), world.payer_of(world.coverages_of(patient)[0])
    return {
        "encounter_id": world.ids.uuid("encounter", encounter),
        "external_id": external_id(encounter),
        "patient_name": f"{who.given} {who.family}",
        "patient_external_id": world.ids.uuid("patient", patient),
        "payer_name": payer_name(payer),
        "payer_id": payer_id(payer),
        "date_of_service": world.date_of_service(encounter).isoformat(),
    }


def subject_of(encounter: dict[str, Any], today: str) -> dict[str, Any]:
    """What a task says of the encounter it is about; one without service lines may have no date of service."""
    card = (encounter.get("subscriber_primary") or {}).get("insurance_card") or {}
    patient = encounter["patient"]
    return {
        "encounter_id": encounter["encounter_id"],
        "external_id": encounter["external_id"],
        "patient_name": f"{patient['first_name']} {patient['last_name']}",
        "patient_external_id": patient["external_id"],
        "payer_name": card.get("payer_name"),
        "payer_id": card.get("payer_id"),
        "date_of_service": encounter.get("date_of_service") or today,
    }


def _note(state: State, index: int, changed: int) -> dict[str, Any]:
    return {
        "task_note_id": state.world.ids.uuid("task_note", index),
        "text": "Asked the practice.",
        "created_at": microseconds(min(changed + _NOTED, state.config.starts_at)),
        "author_name": "Emulated Biller",
        "author_organization_name": "Emulated Clinic",
    }
