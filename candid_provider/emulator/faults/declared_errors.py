"""The errors that Candid's endpoints declare: status and, for each, a content that the SDK's exception parses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from candid_provider.emulator.catalogue import Endpoint, endpoints

_ID: Final = "f7cbc4e8-a8d5-569f-a5cd-0f771db068d5"
_OTHER_ID: Final = "0b2c1f6e-6a0c-5a53-9c57-4a5f6f6d1c11"


def _says(message: str) -> dict[str, Any]:
    return {"message": message}


_NEW_RATE: Final = {
    "type": "new_rate",
    "dimensions": {
        "payer_uuid": _ID,
        "organization_billing_provider_id": _OTHER_ID,
        "states": ["IL"],
        "zip_codes": [],
        "license_types": ["MD"],
        "facility_type_codes": ["11"],
        "network_types": [],
        "payer_plan_group_ids": [],
        "cpt_code": "99213",
        "modifiers": [],
    },
    "entries": [{"start_date": "2026-01-15", "rate_cents": 100, "is_deactivated": False}],
}
_OVERDRAFT: Final = "the reallocation would overdraw the payment"

# Candid documents names and types; the texts are invented.
_CONTENTS: Final[dict[str, Any]] = {
    "BadRequestError": _says("bad request"),
    "CashPayPayerError": _says("cash pay and payer exclude each other"),
    "ChargeExternalIdConflictError": _says("charge_external_id already exists"),
    "ContractInvalidExpirationDateHttpError": _says("the expiration date is before the effective date"),
    "ContractIsLinkedToFeeScheduleHttpError": _says("the contract is linked to a fee schedule"),
    "DiagnosisNotFoundHTTPError": {"diagnosis_id": _ID, "message": "diagnosis not found"},
    "DisallowMultiplePrimaryDiagnosisHTTPError": {
        "existing_primary_diagnosis_id": _ID,
        "new_primary_diagnosis_id": _OTHER_ID,
        "message": "there is a primary diagnosis already",
    },
    "EncounterExternalIdUniquenessError": {"external_id": "enc-0001"},
    "EncounterGuarantorMissingContactInfoError": {"missing_fields": ["phone_numbers"]},
    "EncounterHasExistingGuarantorError": _says("the encounter has a guarantor"),
    "EncounterPatientControlNumberUniquenessError": {"patient_control_number": "PCN0001"},
    "EncounterRenderingOrAttendingProviderRequired": {},
    "EntityConflictError": {"entity_name": "invoice"},
    "EntityNotFoundError": {"id": _ID},
    "ExportDateTooEarlyError": "exports start on 2022-10-07",
    "ExportDisabledError": "exports are disabled",
    "ExportFilesUnavailableError": "export files are unavailable",
    "ExportNotYetAvailableError": "Export for the requested window is not available yet",
    "FailedToBuildServiceLineDimensions": "the service line has no rendering provider",
    "FeeScheduleValidationHttpError": [{"rate_upload": _NEW_RATE, "possible_errors": [{"type": "duplicate_rate"}]}],
    "HttpRequestValidationError": {"fieldName": "payer_id", "humanReadableMessage": "must be a valid payer_id"},
    "HttpRequestValidationsError": [{"fieldName": "limit", "humanReadableMessage": "must be <= 100"}],
    "HttpServiceUnavailableError": _says("service unavailable"),
    "InternalError": _says("Internal error"),
    "InvalidContentTypeError": _says("Unsupported content type"),
    "InvalidFiltersError": _says("bad since"),
    "InvalidTagNamesError": {"invalid_tag_names": ["no-such-tag"]},
    "M2MUserFailedToCreateHttpError": _says("the user could not be created"),
    "M2MUserLimitReachedHttpError": {"message": "too many users", "limit": 5},
    "MissingDailyIncrementalExportFileError": "daily file missing",
    "NotFoundError": _says("Record not found"),
    "OrganizationNotAuthorizedError": _says("the organization is not authorized"),
    "PayerPlanGroupAlreadyExistsHttpError": {"message": "the payer plan group exists", "id": _ID},
    "PayerPlanGroupPayerDoesNotMatchInsuranceCardHttpError": {
        "payer_plan_group_payer_uuid": _ID,
        "insurance_card_payer_uuid": _OTHER_ID,
    },
    "ReallocationWouldOverdraftError": {"messages": [_OVERDRAFT]},
    "SchemaInstanceValidationHttpFailure": {"errors": [{"type": "schema_does_not_exist", "schema_id": _ID}]},
    "SchemaValidationHttpFailure": {"errors": [{"type": "schema_name_already_exists", "name": "visit", "id": _ID}]},
    "ServiceLinesMustHaveAtLeastOneDiagnosisHTTPError": {
        "diagnosis_id": _ID,
        "service_line_id": _OTHER_ID,
        "message": "the service line would have no diagnosis",
    },
    "TaskUpdatedToDeprecatedStatusError": {"deprecated_status": "waiting_for_review"},
    "TooManyRequestsError": _says("Too many requests"),
    "UnauthorizedError": _says("not allowed"),
    "UnprocessableEntityError": _says("unprocessable"),
    "UnsupportedExportWindowError": "window too long",
    "UpdatesDisabledDueToExternalSystemIntegrationError": _says("another system owns this record"),
    "VersionConflictError": {"message": "version conflict", "latest_version": 3},
}


@cache
def declared_statuses() -> Mapping[str, int]:
    """Every declared error by name, and its status: no name has two."""
    return {name: status for endpoint in endpoints().values() for name, status in endpoint.statuses.items()}


def error_body(name: str, endpoint: Endpoint | None, content: Any = None) -> dict[str, Any]:
    """The envelope of a declared error; pre_encounter's and the token endpoint's carry no instance id."""
    content = _CONTENTS[name] if content is None else content
    if endpoint is not None and (endpoint.host == "pre_encounter" or endpoint.id.startswith("auth.")):
        return {"errorName": name, "content": content}
    return {"errorName": name, "errorInstanceId": str(uuid.uuid4()), "content": content}
