"""A claim in one line, as Candid's views show it (Candid: EncounterSummary)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.world import nulls

_UNSET: Final = nulls(
    """
    optional_rendering_provider_npi optional_rendering_provider_name primary_payer_plan_group_name
    secondary_payer_plan_group_name sum_insurance_adjustment_amount_cents sum_patient_paid_amount_cents
    sum_patient_write_off_amount_cents sum_non_insurance_paid_cents rejection_reason
    timely_filing_deadline work_queue_name task_category task_type active_snooze days_since_unsnoozed
    task_assignees task_assignees_by_name task_description non_insurance_payer_categories
    non_insurance_payer_names clinical_trial_phases
    """
)
_SAME: Final = (
    *("encounter_id", "patient_control_number", "prior_authorization_number", "date_of_service"),
    *("end_date_of_service", "place_of_service_code", "billable_status", "responsible_party"),
    *("work_queue_id", "work_queue_membership_activated_at", "owner_of_next_action"),
    *("next_responsible_party", "submission_expectation", "type_of_bill", "organization_id"),
)


def summary(record: Record, updated_at: str) -> Record:
    """An encounter's row in a view."""
    claim = record["claims"][0]
    return {
        **_UNSET,
        **{name: record[name] for name in _SAME},
        "claim_id": claim["claim_id"],
        "claim_status": claim["status"],
        "claim_updated_at": updated_at,
        "encounter_external_id": record["external_id"],
        "service_facility": record["service_facility"],
        "tag_ids": [tag["tag_id"] for tag in record["tags"]],
        "diagnosis_codes": [row["code"] for row in record["diagnoses"]],
        # A claim that was sent off and has no answer is being worked on.
        "has_active_job": claim["status"] == "submitted_to_payer",
        **_people(record),
        **_provider(record, "billing_provider"),
        **_provider(record, "rendering_provider"),
        **_provider(record, "attending_provider"),
        **_payer(record, "primary"),
        **_payer(record, "secondary"),
        **_money(claim["service_lines"]),
        **_codes(claim["service_lines"]),
    }


def _people(record: Record) -> Record:
    patient = record["patient"]
    card = (record["subscriber_primary"] or {}).get("insurance_card") or {}
    return {
        "patient_first_name": patient["first_name"],
        "patient_last_name": patient["last_name"],
        "patient_external_id": patient["external_id"],
        "patient_state": patient["address"]["state"],
        "primary_member_id": card.get("member_id"),
    }


def _provider(record: Record, name: str) -> Record:
    found = record[name]
    row: Record = (msgspec.json.decode(found) if isinstance(found, msgspec.Raw) else found) or {}
    full = " ".join(filter(None, (row.get("first_name"), row.get("last_name")))) or row.get("organization_name")
    made: Record = {f"{name}_npi": row.get("npi"), f"{name}_name": full or ("" if row else None)}
    return made if name.startswith("attending") else made | {f"{name}_tin": row.get("tax_id")}


def _payer(record: Record, rank: str) -> Record:
    card = (record[f"subscriber_{rank}"] or {}).get("insurance_card") or {}
    return {
        f"{rank}_payer_id": card.get("payer_id"),
        f"{rank}_payer_name": card.get("payer_name"),
        f"{rank}_payer_plan_name": card.get("plan_name"),
        f"{rank}_plan_type": card.get("plan_type"),
        f"{rank}_group_number": card.get("group_number"),
    }


def _money(lines: list[Record]) -> Record:
    def total(name: str) -> int:
        return sum(line[name] or 0 for line in lines)

    insurance, patient = total("insurance_balance_cents"), total("patient_balance_cents")
    return {
        "sum_allowed_amount_cents": total("allowed_amount_cents"),
        "sum_charge_amount_cents": total("charge_amount_cents"),
        "sum_paid_amount_cents": total("paid_amount_cents"),
        "sum_patient_responsibility_cents": total("patient_responsibility_cents"),
        "primary_insurance_paid_cents": total("primary_paid_amount_cents"),
        "secondary_insurance_paid_cents": total("secondary_paid_amount_cents"),
        "tertiary_insurance_paid_cents": total("tertiary_paid_amount_cents"),
        "sum_insurance_balance_amount_cents": insurance,
        "sum_patient_balance_amount_cents": patient,
        "sum_total_balance_amount_cents": insurance + patient,
        "claim_balance_amount_cents": insurance + patient,
    }


def _codes(lines: list[Record]) -> Record:
    eras = [line["service_line_era_data"] for line in lines if line["service_line_era_data"]]
    adjustments = [row for era in eras for row in era["service_line_adjustments"]]
    denials = _distinct((line["denial_reason"] or {}).get("reason") for line in lines)
    return {
        "procedure_codes": _distinct(line["procedure_code"] for line in lines),
        "procedure_modifiers": _distinct(code for line in lines for code in line["modifiers"] or []),
        "carcs": _distinct(row["adjustment_reason_code"] for row in adjustments),
        "rarcs": _distinct(code for era in eras for code in era["remittance_advice_remark_codes"]),
        "denial_reasons": denials,
        "revenue_codes": _distinct(line["revenue_code"] for line in lines),
        "service_line_place_of_service_codes": _distinct(line["place_of_service_code"] for line in lines),
        "service_line_total_quantity": sum(float(line["quantity"]) for line in lines),
    }


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value))
