"""Making an encounter of what was sent: by a caller, from pre-encounter records, or by bundling charge captures."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.catalogue import template
from candid_provider.emulator.endpoints.encounters import claim_lives, encounter_checks
from candid_provider.emulator.endpoints.encounters import encounter_parts as parts
from candid_provider.emulator.endpoints.encounters.encounter_kinds import (
    CONTROL_NUMBERS,
    ENCOUNTERS,
    new_claim_id,
    tag,
)
from candid_provider.emulator.endpoints.encounters.encounter_lines import diagnosis, line
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import microseconds

PROVIDERS: Final = (
    *("referring_provider", "initial_referring_provider", "supervising_provider", "attending_provider"),
    *("operating_provider", "other_operating_provider"),
)
# Fields that are answered as they were given.
PLAIN: Final = (
    *("external_id", "date_of_service", "end_date_of_service", "patient_authorized_release"),
    *("benefits_assigned_to_provider", "provider_accepts_assignment", "appointment_type", "interventions"),
    *("synchronicity", "billable_status", "additional_information", "outside_lab"),
    *("outside_lab_charges_amount_cents", "purchased_service_provider_npi", "admission_date"),
    *("service_authorization_exception_code", "discharge_date", "onset_of_current_illness_or_symptom_date"),
    *("last_menstrual_period_date", "delay_reason_code", "accident_state_or_province_code"),
    *("admission_hour", "admission_type_code", "admission_source_code", "discharge_hour"),
    *("discharge_status", "property_casualty_claim_number", "accident_date", "initial_treatment_date"),
    *("property_casualty_patient_identifier", "related_causes_information", "submission_expectation"),
    *("prior_authorization_number", "responsible_party", "place_of_service_code", "referral_number"),
    *("epsdt_referral", "claim_supplemental_information", "secondary_payer_carrier_code"),
    *("place_of_service_code_as_submitted",),
)


class Order:
    """What an encounter is to be made of, checked: nothing of it can fail any more.

    `given` is in the shape of an encounter's creation; `payers` says whose insurance card is of which payer.
    """

    def __init__(self, given: Record, payers: dict[str, str], facility: Record | None = None) -> None:
        self.given, self.payers, self.facility = given, payers, facility
        self.patient: Record | None = None
        self.claim_creation_id: str | None = None


def served(given: Record) -> str | None:
    """The date of service: the encounter's own, or the first of its service lines'."""
    dates = [row.get("date_of_service") for row in given.get("service_lines") or []]
    return given.get("date_of_service") or min((day for day in dates if day), default=None)


def order(asked: Asked, given: Record, *, itself: str | None = None) -> Order:
    """An order for what a caller sent; refused for what the caller has to mend."""
    encounter_checks.check_references(asked, given)
    encounter_checks.check_unique(asked, given["external_id"], itself)
    encounter_checks.check_control_number(asked, given.get("external_claim_submission"))
    payers = encounter_checks.payers_of(asked, given)
    encounter_checks.check_guarantor(asked, given.get("guarantor"))
    facility = encounter_checks.facility_of(asked, given.get("service_facility_id"))
    if served(given) is None:
        raise encounter_checks.refused(asked, "date_of_service is required when there are no service lines with one")
    return Order(given, payers, facility)


def make(state: State, ordered: Order, at: int | None = None) -> Record:
    """Make an encounter, whose claim lives from now on, or from an instant."""
    rows, at = state.of(ENCOUNTERS), state.clock.tick() if at is None else at
    now = microseconds(at)
    record = _body(state, ordered, rows.new_id(), now)
    given, claim = ordered.given, _claim(new_claim_id(state))
    encounter_id = record["encounter_id"]
    record["diagnoses"] = [diagnosis(state, item, encounter_id, at, now) for item in given.get("diagnoses") or []]
    record["claims"] = [claim]
    for item in given.get("service_lines") or []:
        claim["service_lines"].append(line(state, item, claim["claim_id"], record, at, now))
    record["url"] = f"https://app.joincandidhealth.com/claims/{claim['claim_id']}"
    if record["billable_status"] == "NOT_BILLABLE":
        claim["status"] = "not_billable"
        record |= {"owner_of_next_action": "NONE", "next_responsible_party": "none"}
    _submitted_elsewhere(state, record, given.get("external_claim_submission"), at)
    rows.add(record, at)
    claim_lives.begin(state, record, at)
    return record


def _claim(claim_id: str) -> Record:
    unset = dict.fromkeys(("clearinghouse", "clearinghouse_claim_id", "payer_claim_id", "clia_number"))
    return {**unset, "claim_id": claim_id, "status": "biller_received", "service_lines": [], "eras": []}


def _submitted_elsewhere(state: State, record: Record, submission: Record | None, at: int) -> None:
    number = (submission or {}).get("patient_control_number") or record["claims"][0]["claim_id"].replace("-", "")[:20]
    record["patient_control_number"] = number
    record["submission_origin"] = "CANDID" if submission is None else "EXTERNAL"
    if submission is not None:
        sent = [row["submitted_at"] for row in submission.get("submission_records") or []]
        record["last_submitted_at"] = max(sent, default=None)
    state.of(CONTROL_NUMBERS).add({"encounter_id": record["encounter_id"], "patient_control_number": number}, at)


def _body(state: State, ordered: Order, encounter_id: str, now: str) -> Record:
    given = ordered.given
    made: Record = template("encounters.v_4.get") | {name: given.get(name) for name in PLAIN}
    for name, value in _ASSUMED.items():
        made[name] = value if made[name] is None else made[name]
    billing = parts.provider(state, given["billing_provider"], None)
    assert billing is not None
    made["billing_provider"], place = billing, billing["address"]
    for name in PROVIDERS:
        made[name] = parts.provider(state, given.get(name), place)
    rendering = given.get("rendering_provider") or given.get("attending_provider") or given["billing_provider"]
    made["rendering_provider"] = parts.provider(state, rendering, place)
    made["treating_provider"] = parts.treating_provider(state, given.get("treating_provider"))
    made["service_facility"] = parts.facility(state, ordered.facility or given.get("service_facility"), billing)
    made["patient"] = ordered.patient or parts.patient(state, given["patient"])
    for name in encounter_checks.SUBSCRIBERS:
        made[name] = parts.subscriber(state, given.get(name), ordered.payers.get(name))
    if given.get("guarantor") is not None:
        made["guarantor"] = parts.guarantor(state, given["guarantor"])
    made["type_of_bill"] = parts.type_of_bill(given.get("type_of_bill"))
    made |= _notes(state, given, encounter_id, now) | _own(state, ordered, encounter_id, now)
    return made | {"date_of_service": served(given)}


_ASSUMED: Final[Record] = {
    "patient_authorized_release": True,
    "benefits_assigned_to_provider": True,
    "provider_accepts_assignment": True,
    "billable_status": "BILLABLE",
    "responsible_party": "INSURANCE_PAY",
}


def _notes(state: State, given: Record, encounter_id: str, now: str) -> Record:
    vitals, histories = given.get("vitals"), given.get("patient_histories")
    return {
        "vitals": None if vitals is None else parts.filled(parts.VITALS, vitals),
        "existing_medications": parts.medications(given.get("existing_medications")),
        "pay_to_address": parts.address(given.get("pay_to_address")),
        "clinical_notes": parts.clinical_notes(given.get("clinical_notes")),
        "billing_notes": parts.billing_notes(state, given.get("billing_notes"), encounter_id, now),
        "patient_histories": histories or [],
        "schema_instances": given.get("schema_instances") or [],
        "tags": tags(state, given.get("tag_ids")),
    }


def tags(state: State, names: Any) -> list[Record]:
    return [tag(state, name) for name in dict.fromkeys(names or [])]


def _own(state: State, ordered: Order, encounter_id: str, now: str) -> Record:
    return {
        "encounter_id": encounter_id,
        "created_at": now,
        "organization_id": state.organization.id,
        "claim_creation_id": ordered.claim_creation_id,
        "patient_payments": [],
        "owner_of_next_action": "CODER",
        "next_responsible_party": "primary" if ordered.given.get("subscriber_primary") else "patient",
        "last_submitted_at": None,
        "work_queue_id": None,
        "coding_attribution": None,
    }
