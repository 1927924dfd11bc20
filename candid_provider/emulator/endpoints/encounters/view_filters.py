"""The structured filters and sorts of a dynamic view, on the rows that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from candid_provider.emulator.exchange.answers import Refusal, declared, not_emulated
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.records.collection import Record

Values = Callable[[Record], Any]


def _field(name: str) -> Values:
    return lambda row: row[name]


def _facility(name: str) -> Values:
    def value(row: Record) -> Any:
        found = row["service_facility"]
        facility = msgspec.json.decode(found) if isinstance(found, msgspec.Raw) else found
        return facility[name] if name in facility else facility["address"][name]

    return value


_SAME: Final = """
    primary_payer_name primary_payer_plan_name primary_payer_id primary_member_id primary_group_number
    primary_plan_type secondary_payer_name secondary_payer_plan_name secondary_payer_id
    secondary_group_number secondary_plan_type procedure_codes revenue_codes carcs rarcs denial_reasons
    procedure_modifiers billing_provider_npi billing_provider_tin rendering_provider_npi
    rendering_provider_name attending_provider_npi attending_provider_name claim_status claim_id
    patient_external_id patient_state billable_status responsible_party next_responsible_party
    owner_of_next_action submission_expectation work_queue_id tag_ids task_type task_category
    task_description date_of_service timely_filing_deadline sum_charge_amount_cents
    sum_allowed_amount_cents sum_paid_amount_cents sum_patient_responsibility_cents diagnosis_codes
    place_of_service_code claim_updated_at
"""
_NOT_SUBMITTED: Final = frozenset(
    {
        *("biller_received", "coded", "missing_information", "waiting_for_provider", "not_billable"),
        "held_by_customer",
    }
)
_VALUES: Final[dict[str, Values]] = {
    **{name: _field(name) for name in _SAME.split()},
    "organization_ids": _field("organization_id"),
    "primary_payer_group_name": _field("primary_payer_plan_group_name"),
    "secondary_payer_group_name": _field("secondary_payer_plan_group_name"),
    "service_facility_name": _facility("organization_name"),
    "service_facility_state": _facility("state"),
    "procedure_code_range": _field("procedure_codes"),
    "rejection_reasons": _field("rejection_reason"),
    "external_id": _field("encounter_external_id"),
    "task_assignee": _field("task_assignees"),
    "claim_balance": _field("claim_balance_amount_cents"),
    "has_secondary_insurance": lambda row: row["secondary_payer_id"] is not None,
    "has_unassigned_tasks": lambda row: False,
    "is_snoozed": lambda row: row["active_snooze"] is not None,
    "has_been_submitted": lambda row: row["claim_status"] not in _NOT_SUBMITTED,
    "in_work_queue": lambda row: row["work_queue_id"] is not None,
    "non_insurance_payer_category": _field("non_insurance_payer_categories"),
    "non_insurance_payer_name": _field("non_insurance_payer_names"),
    "service_line_place_of_service_code": _field("service_line_place_of_service_codes"),
    "type_of_bill": lambda row: (row["type_of_bill"] or {}).get("code"),
}
_SORTED_AS_SHOWN: Final = """
    date_of_service secondary_payer_name secondary_payer_id billing_provider_npi
    rendering_provider_npi rendering_provider_name work_queue_membership_activated_at carcs
    claim_updated_at task_category task_type diagnosis_codes patient_state primary_plan_type
    secondary_plan_type primary_member_id place_of_service_code rejection_reason
    service_line_place_of_service_codes primary_payer_plan_group_name
    secondary_payer_plan_group_name sum_charge_amount_cents primary_payer_plan_name
    secondary_payer_plan_name days_since_unsnoozed attending_provider_npi attending_provider_name
    non_insurance_payer_names timely_filing_deadline
"""
_SORTS: Final[dict[str, Values]] = {
    **{name: _field(name) for name in _SORTED_AS_SHOWN.split()},
    "payer_name": _field("primary_payer_name"),
    "payer_id": _field("primary_payer_id"),
    "status": _field("claim_status"),
    "patient_name": lambda row: f"{row['patient_last_name']} {row['patient_first_name']}",
    "billing_provider_tax_id": _field("billing_provider_tin"),
    "snooze_end_date": _field("active_snooze"),
    "task_assignee": _field("task_assignees"),
    "service_line_cpt_codes": _field("procedure_codes"),
    "claim_balance": _field("claim_balance_amount_cents"),
}
SORTABLE: Final = frozenset({*_SORTS, "created_at"})
_SEARCHED: Final = (
    *("encounter_id", "claim_id", "patient_external_id", "patient_first_name", "patient_last_name"),
    *("encounter_external_id",),
)


def _nothing(_: Record) -> None:
    return None


def sort_value(field: str) -> Callable[[Record], Any]:
    """What rows are ordered by: those without a value come first."""
    # They come in the order of their creation, which is no field of theirs.
    value_of = _SORTS.get(field, _nothing)

    def key(row: Record) -> Any:
        value = value_of(row)
        return (value is not None, str(value) if isinstance(value, list) else value)

    return key


class ViewFilter:
    """The filters of one request; all of them must hold."""

    def __init__(self, asked: Asked, given: Any) -> None:
        self._asked = asked
        if not isinstance(given, dict):
            raise self._refused("filters must be an object")
        given = {name: item for name, item in given.items() if item is not None}
        self._term = str(given.pop("search_term", "")).casefold()
        self._given = given
        for name, item in given.items():
            if name not in _VALUES:
                raise not_emulated(f"filter '{name}' of {asked.endpoint.id}")
            if not isinstance(item, dict) or not {"values", "min", "max", "value"} & item.keys():
                raise self._refused(f"filters.{name} must have values, min or max")
        low, high = self._bounds("claim_updated_at")
        self.updated_between = low, high

    def _refused(self, message: str) -> Refusal:
        return declared(self._asked.endpoint, "UnprocessableEntityError", {"message": message})

    def _bounds(self, name: str) -> tuple[int | None, int | None]:
        item = self._given.get(name) or {}
        if item.get("mode") == "not_between":
            return None, None
        return self._instant(name, item.get("min")), self._instant(name, item.get("max"))

    def _instant(self, name: str, text: Any) -> int | None:
        try:
            return None if text is None else moment_of(text)
        except (TypeError, ValueError):
            raise self._refused(f"filters.{name} must have ISO 8601 date-times with a UTC offset") from None

    def may_be(self, status: str) -> bool:
        """Whether claims of a status can pass."""
        item = self._given.get("claim_status")
        return item is None or _holds(item, status)

    def keeps(self, row: Record) -> bool:
        """Whether a row passes."""
        if self._term and not any(self._term in (row[name] or "").casefold() for name in _SEARCHED):
            return False
        return all(self._passes(name, item, row) for name, item in self._given.items())

    def _passes(self, name: str, item: Record, row: Record) -> bool:
        if name != "claim_updated_at":
            return _holds(item, _VALUES[name](row))
        bounds = {end: self._instant(name, item.get(end)) for end in ("min", "max")}
        return _holds(item | bounds, moment_of(row[name]))


def _holds(item: Record, value: Any) -> bool:
    """Whether one filter holds for a field's value, or for one of its values."""
    if "value" in item:
        return bool(value) is bool(item["value"])
    mode = item.get("mode") or ""
    found = [part for part in (value if isinstance(value, list) else [value]) if part is not None]
    if item.get("values") is not None:
        wanted = [str(text).casefold() for text in item["values"]]
        holds = any(_like(str(part).casefold(), text, mode) for part in found for text in wanted)
    else:
        holds = any(_between(part, item.get("min"), item.get("max")) for part in found)
    return not holds if mode.startswith("not_") else holds


def _like(text: str, wanted: str, mode: str) -> bool:
    if mode.endswith("contains"):
        return wanted in text
    if mode == "starts_with":
        return text.startswith(wanted)
    return text.endswith(wanted) if mode == "ends_with" else text == wanted


def _between(value: Any, low: Any, high: Any) -> bool:
    return bool((low is None or low <= value) and (high is None or value <= high))
