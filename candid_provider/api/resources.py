"""The table of listable resources; adding one is adding a row.

Paths, keys, parameters and page sizes are the official SDK's (candidhealth 1.37.0), the largest page of the
patient AR inventory is a public integration's. A row is a name, a path, the records' key and a page's size.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from candid_provider.api.call import Call
from candid_provider.api.event_feeds import EVENTS_PATH, EncounterEvents, Events
from candid_provider.api.feeds import Falling, Rising, Scan, View
from candid_provider.api.keyed_paging import KeyedPaging
from candid_provider.api.paging import ScanPaging, TokenPaging, Unpaged
from candid_provider.api.resource import PageSize, Range, Resource
from candid_provider.exceptions import CandidConfigError

__all__ = ["EPOCH", "LARGEST_SCAN_PAGE", "RESOURCES", "Resource", "call_of", "resource_named"]

LARGEST_SCAN_PAGE = 1000
"""What ``maxResults`` may ask for; a page that a server cuts shorter would not look full."""
EPOCH = "1970-01-01T00:00:00Z"

HUNDRED = PageSize()
NO_MORE_THAN_100 = PageSize(largest=100)
UP_TO_999 = PageSize(asked=999, largest=999)
UP_TO_1000 = PageSize(asked=1000, largest=1000)
SERVED = Range("date_of_service_min", "date_of_service_max", "date")
CREATED = Range("created_after", "created_before", "time", "created_at", falling=True)


def _paged(name: str, path: str, key: str | None, size: PageSize | None = HUNDRED, **more: Any) -> Resource:
    return Resource(name, path, more.pop("paging", TokenPaging()), key, size=size, **more)


def _posted(name: str, path: str, key: str, size: PageSize = HUNDRED, **more: Any) -> Resource:
    return _paged(name, path, key, size, paging=TokenPaging(token_in="body"), verb="POST", **more)


def _whole(name: str, path: str, key: str | None, **more: Any) -> Resource:
    return Resource(name, path, Unpaged(), key, **more)


def _scan(name: str, path: str, size: PageSize | None = None) -> Resource:
    return Resource(name, path, ScanPaging(), "id", Scan(), size, defaults={"since": EPOCH})


def _large_scan(name: str, path: str) -> Resource:
    return _scan(name, path, PageSize("maxResults", LARGEST_SCAN_PAGE, LARGEST_SCAN_PAGE))


def _served(key: str) -> dict[str, Any]:
    by_days = f"extract it in full, or give incremental=ServiceDates(days=90, key={key!r}): the last days anew"
    return {"key": key, "ranges": SERVED, "instead": by_days}


def _as(name: str) -> dict[str, Any]:
    return {"instead": f"extract it in full, or extract {name!r}, which has one, for the same records"}


_ENCOUNTERS_AND_CHARGES = (
    _paged("encounters", "/api/encounters/v4", "encounter_id", feed=EncounterEvents(), ranges=SERVED),
    _whole("encounter_attachments", "/api/encounter-attachments/v1/{encounter_id}", "attachment_id"),
    _whole(
        "encounter_supplemental_information",
        "/api/encounter-supplemental-information/v1/{encounter_id}",
        "supplemental_information_id",
    ),
    _posted(
        "claim_dynamic_view",
        "/api/claim-dynamic-views/v1/{claim_dynamic_view_id}/resolve",
        "claim_id",
        feed=View(),
    ),
    _paged("charge_captures", "/api/charge_captures/v1", **_served("id")),
    _posted("charge_captures_by_metadata", "/api/charge_captures/v1/find-by-metadata", "id", required=("metadata",)),
    _paged("charge_capture_claim_creations", "/api/charge_capture_claim_creation/v1", **_served("id")),
    _whole(
        "charge_capture_attachments",
        "/api/encounter-attachments/v1/by-charge-capture-external-id/{charge_capture_external_id}",
        "attachment_id",
    ),
    _paged("events", EVENTS_PATH, "id", NO_MORE_THAN_100, feed=Events(), ranges=CREATED),
    _paged(
        "tasks",
        "/api/tasks/v3",
        "task_id",
        feed=Rising("updated_since", "updated_at", "task_id", {"sort": "updated_at:asc"}),
        ranges=SERVED,
    ),
    _whole("pre_service_pipelines", "/api/pre-service/v1/pipelines", "id"),
)

_CONTRACTS_AND_FEES = (
    _paged("contracts", "/api/contracts/v3", "contract_id", UP_TO_1000),
    _paged("contracts_v2", "/api/contracts/v2", "contract_id", UP_TO_1000),
    _paged("contract_providers", "/api/contracts/v3/{contract_id}/providers", "organization_provider_id", UP_TO_1000),
    _paged(
        "contract_provider_credentialing",
        "/api/contracts/v3/{contract_id}/providers/credentialing",
        "provider.organization_provider_id",
        UP_TO_1000,
    ),
    _paged("provider_credentialing_spans", "/api/provider-credentialing-span/v2", "provider_credentialing_span_id"),
    _paged(
        "facility_credentialing_spans",
        "/api/provider-credentialing-span/v2/facility",
        "facility_credentialing_span_id",
    ),
    _paged("fee_schedule_rates", "/api/fee-schedules/v3", "rate_id", NO_MORE_THAN_100, paging=TokenPaging("rates")),
    _whole("fee_schedule_rate_history", "/api/fee-schedules/v3/{rate_id}/history", "version"),
    _paged(
        "fee_schedule_dimension_values",
        "/api/fee-schedules/v3/unique-dimension-values",
        None,
        UP_TO_1000,
        paging=TokenPaging("dimensions"),
        required=("pivot_dimension",),
    ),
    Resource(
        "fee_schedule_payer_thresholds",
        "/api/fee-schedules/v3/payer-threshold",
        KeyedPaging("payer_thresholds", "payer_uuid"),
        "payer_uuid",
        required=("payer_uuids",),
    ),
    _paged("payers", "/api/payers/v4", "payer_uuid"),
    _paged("payers_v3", "/api/payers/v3", "payer_uuid"),
    _paged("payer_plan_groups", "/api/payer-plan-groups/v1", "payer_plan_group_id"),
    _paged("non_insurance_payers", "/api/non-insurance-payers/v1", "non_insurance_payer_id"),
    _paged("non_insurance_payer_categories", "/api/non-insurance-payers/v1/categories", None),
)

_MONEY = (
    _paged(
        "patient_ar_inventory",
        "/api/patient-ar/v1/inventory",
        "claim_id",
        NO_MORE_THAN_100,
        paging=TokenPaging("records"),
        feed=Rising("since", "timestamp", "claim_id", sure_from=10),
    ),
    _paged(
        "invoices",
        "/api/import-invoice/v1",
        "id",
        feed=Falling("updated_at", "id", {"sort": "UPDATED_AT", "sort_direction": "desc"}),
    ),
    _paged("patient_payments", "/api/patient-payments/v4", "patient_payment_id", UP_TO_999),
    _paged("patient_refunds", "/api/patient-refunds/v1", "patient_refund_id", UP_TO_999),
    _paged("insurance_refunds", "/api/insurance-refunds/v1", "insurance_refund_id", UP_TO_999),
    _paged(
        "non_insurance_payer_payments",
        "/api/non-insurance-payer-payments/v1",
        "non_insurance_payer_payment_id",
        UP_TO_999,
    ),
    _paged(
        "non_insurance_payer_refunds",
        "/api/non-insurance-payer-refunds/v1",
        "non_insurance_payer_refund_id",
        UP_TO_999,
    ),
    _paged("write_offs", "/api/write-offs/v1", "write_off_id", UP_TO_999),
    _paged(
        "consolidated_remit_transactions",
        "/api/external-consolidated-remit/v1/{consolidated_remit_id}/transactions",
        "id",
    ),
    _paged("external_payment_account_configs", "/api/external-payment-account-config/v1", "id"),
)

_ORGANIZATION = (
    _paged("organization_providers", "/api/organization-providers/v3", "organization_provider_id"),
    _whole(
        "organization_provider_attachments",
        "/api/organization-providers/v3/{organization_provider_id}/attachments",
        "provider_attachment_id",
    ),
    _paged(
        "organization_service_facilities",
        "/api/organization-service-facilities/v2",
        "organization_service_facility_id",
    ),
    _large_scan("organization_external_providers", "/organization-external-providers/v1/updates/scan"),
    _paged(
        "organization_external_providers_list",
        "/organization-external-providers/v1",
        "id",
        **_as("organization_external_providers"),
    ),
    _whole("referring_providers", "/patients/v1/search_providers", "canonical_id", required=("search_criteria",)),
    _paged("tags", "/tags/v1", "id", UP_TO_1000),
    _paged("metadata_schemas", "/metadata-schemas/v1", "id", NO_MORE_THAN_100),
)

_PATIENTS = (
    _large_scan("patients", "/patients/v1/updates/scan"),
    _paged("patients_list", "/patients/v1/get_multi", "id", **_as("patients")),
    _whole("patients_search", "/patients/v1", "id", **_as("patients")),
    _paged("patients_with_details", "/lists/v1/patient", "patient.id", **_as("patients")),
    _whole("patient_history", "/patients/v1/{id}/history", "version"),
    _large_scan("patient_merges", "/patient-merge/v1/updates/scan"),
    _whole("patient_merges_by_mrn", "/patient-merge/v1/all/{mrn}", "id"),
    _posted(
        "patient_merges_search",
        "/patient-merge/v1/search",
        "id",
        UP_TO_1000,
        required=("mrns",),
        **_as("patient_merges"),
    ),
    _whole("images", "/images/v1", "id"),
)

_APPOINTMENTS = (
    _scan("appointments", "/appointments/v1/updates/scan"),
    _paged("appointments_with_details", "/lists/v1/appointment", "appointment.id", **_as("appointments")),
    _whole("appointment_history", "/appointments/v1/{id}/history", "version"),
    _paged("visits", "/appointments/v1/visits", None, required=("filters",)),
)

_COVERAGES = (
    _scan("coverages", "/coverages/v1/updates/scan"),
    _paged("coverages_list", "/coverages/v1/get-multi-paginated", "id", UP_TO_1000, **_as("coverages")),
    _whole("coverages_search", "/coverages/v1", "id", **_as("coverages")),
    _whole("coverage_history", "/coverages/v1/{id}/history", "version"),
    _whole(
        "insurance_discovery_checks",
        "/coverages/v1/insurance-discovery/check-metadata",
        "check_id",
        required=("patient_id",),
    ),
    _paged("eligibility_batch", "/eligibility-checks/v1/batch/{batch_id}", None, None),
    _paged("eligibility_payers", "/eligibility-checks/v1/payer/search", "payer.stedi_id", PageSize("page_size")),
    _whole("eligibility_recommendations", "/eligibility-checks/v1/recommendation", "id"),
    _paged("eligibility_timeline", "/patients/v1/{id}/eligibility-timeline", "id"),
)

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for area in (
        *(_ENCOUNTERS_AND_CHARGES, _CONTRACTS_AND_FEES, _MONEY, _ORGANIZATION),
        *(_PATIENTS, _APPOINTMENTS, _COVERAGES),
    )
    for resource in area
}


def resource_named(name: str) -> Resource:
    """Look a resource up by name.

    :raises CandidConfigError: there is none; the message suggests the nearest.
    """
    if name in RESOURCES:
        return RESOURCES[name]
    near = " or ".join(map(repr, difflib.get_close_matches(name, RESOURCES, 3)))
    hint = f" Did you mean {near}?" if near else ""
    raise CandidConfigError(
        f"resource is not known.{hint} The command 'candid resources' lists all {len(RESOURCES)}", field="resource"
    )


def call_of(
    resource_or_call: str | Call,
    params: Mapping[str, Any] | None = None,
    path_params: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
) -> Call:
    """Make the call for a listing's first page.

    :param resource_or_call: name of a resource, or a call, to which ``params`` are added.
    :raises CandidConfigError: as :func:`resource_named` and :meth:`Resource.call`; or a call is to get a path or
        a body, which it has.
    """
    if not isinstance(resource_or_call, Call):
        return resource_named(resource_or_call).call(params, path_params, json)
    for name, given in (("path_params", path_params), ("json", json)):
        if given:
            raise CandidConfigError(f"{name} is given beside a call. Put it into the call", field=name)
    return resource_or_call.with_params(**params or {})
