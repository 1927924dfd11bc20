"""Which questions may lie in clear in Airflow's database, where the arguments of triggers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candid_provider.api.routes import route_of
from candid_provider.exceptions import CandidConfigError

STORABLE = frozenset(
    {
        "appointment_id",
        "billable_status",
        "charge_external_id",
        "charge_status",
        "claim_creation_ids",
        "claim_creation_status",
        "claim_id",
        "claim_ids",
        "claim_status",
        "coverage_id",
        "created_after",
        "created_before",
        "date_of_service_max",
        "date_of_service_min",
        "encounter_external_id",
        "encounter_id",
        "end",
        "end_date",
        "event_types",
        "external_id",
        "include_deactivated",
        "include_initial_entity_state",
        "invoice_id",
        "limit",
        "maxResults",
        "owner_of_next_action",
        "page_size",
        "patient_id",
        "payer_uuid",
        "responsible_party",
        "service_line_id",
        "since",
        "sort",
        "sort_direction",
        "sort_field",
        "start",
        "start_date",
        "status",
        "statuses",
        "tag_ids",
        "task_type",
        "task_types",
        "unattributed",
        "updated_since",
        "work_queue_id",
    }
)
"""Query parameters of Candid's GETs that hold times, Candid's own ids, external ids, statuses and numbers; the rest
may hold names, member ids or free text (candidhealth 1.37.0)."""


def check_storable(path: str, query: Mapping[str, Any]) -> None:
    """Refuse what may name a patient.

    :raises CandidConfigError: names the parameter and what to do.
    """
    instead = "Wait with deferrable=False, which stores none of it"
    if odd := sorted(set(query) - STORABLE):
        raise CandidConfigError(
            f"query: {odd[0]} may name a patient, and a trigger's arguments are stored in clear. {instead}",
            field="query",
        )
    if "{mrn" in (route := route_of(path)):
        raise CandidConfigError(
            f"path: {route} names a patient, and a trigger's arguments are stored in clear. {instead}", field="path"
        )
