"""The table of what can be created one record at a time; adding one is adding a row."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from candid_provider.api.creation import Creation, Lookup
from candid_provider.exceptions import CandidConfigError

_CONFLICT = frozenset({"EntityConflictError"})
_VERSION = frozenset({"VersionConflictError"})
_ORIGIN = ("external_provenance.system_name", "external_provenance.external_id")


def _encounter(name: str, method: str, path: str) -> Creation:
    return Creation(
        name=name,
        endpoint=f"encounters.v_4.{method}",
        path=path,
        id="encounter_id",
        key=("external_id",),
        lookup=Lookup(
            path="/api/encounters/v4", given={"external_id": "external_id"}, key=("external_id",), id="encounter_id"
        ),
        taken=frozenset({"EncounterExternalIdUniquenessError"}),
    )


def _charge(name: str, method: str, path: str) -> Creation:
    return Creation(
        name=name,
        endpoint=f"charge_capture.v_1.{method}",
        path=path,
        id="id",
        key=("charge_external_id",),
        lookup=Lookup(
            path="/api/charge_captures/v1",
            given={"charge_external_id": "charge_external_id"},
            key=("charge_external_id",),
            id="id",
        ),
        taken=frozenset({"ChargeExternalIdConflictError"}),
    )


def _patient(name: str, method: str, path: str, key: tuple[str, ...], lookup: Lookup) -> Creation:
    return Creation(
        name=name,
        endpoint=f"pre_encounter.patients.v_1.{method}",
        path=path,
        id="id",
        key=key,
        lookup=lookup,
        taken=_VERSION,
        vague=True,  # a patient who looks like another one is refused by the same name
        private=key == ("mrn",),
        params=("skip_duplicate_check",),
    )


def _keyless(name: str, endpoint: str, path: str, identifier: str | None) -> Creation:
    return Creation(name=name, endpoint=endpoint, path=path, id=identifier)


CREATIONS: Mapping[str, Creation] = {
    creation.name: creation
    for creation in (
        _encounter("encounters", "create", "/api/encounters/v4"),
        _encounter("encounters_universal", "create_universal", "/api/encounters/v4/universal"),
        _encounter(
            "encounters_from_pre_encounter",
            "create_from_pre_encounter_patient",
            "/api/encounters/v4/create-from-pre-encounter",
        ),
        _encounter(
            "encounters_from_pre_encounter_universal",
            "create_from_pre_encounter_patient_universal",
            "/api/encounters/v4/create-from-pre-encounter/universal",
        ),
        _charge("charge_captures", "create", "/api/charge_captures/v1"),
        _charge(
            "charge_captures_from_pre_encounter",
            "create_from_pre_encounter_patient",
            "/api/charge_captures/v1/create-from-pre-encounter",
        ),
        _patient(
            "patients",
            "create",
            "/patients/v1",
            _ORIGIN,
            Lookup(
                path="/lists/v1/patient",
                filter=("patient.externalProvenance.externalId", _ORIGIN[1]),
                params={"include_deactivated": True},
                key=(f"patient.{_ORIGIN[0]}", f"patient.{_ORIGIN[1]}"),
                id="patient.id",
            ),
        ),
        _patient(
            "patients_with_mrn",
            "create_with_mrn",
            "/patients/v1/with_mrn",
            ("mrn",),
            Lookup(path="/patients/v1/mrn/{mrn}", given={"mrn": "mrn"}, key=("mrn",), id="id"),
        ),
        Creation(
            name="appointments",
            endpoint="pre_encounter.appointments.v_1.create",
            path="/appointments/v1",
            id="id",
            key=("placer_appointment_id",),
            # By the patient, whose id needs no quoting; the key is compared here.
            lookup=Lookup(
                path="/lists/v1/appointment",
                filter=("appointment.patientId", "patient_id"),
                params={"include_deactivated": True},
                key=("appointment.placer_appointment_id",),
                id="appointment.id",
            ),
            taken=_VERSION,
        ),
        Creation(
            name="invoices",
            endpoint="import_invoice.v_1.import_invoice",
            path="/api/import-invoice/v1",
            id="id",
            key=("external_identifier",),
            lookup=Lookup(
                path="/api/import-invoice/v1",
                given={"patient_external_id": "patient_external_id"},
                key=("external_identifier",),
                id="id",
            ),
            taken=_CONFLICT,
        ),
        Creation(
            name="service_facilities",
            endpoint="organization_service_facilities.v_2.create",
            path="/api/organization-service-facilities/v2",
            id="organization_service_facility_id",
            key=("external_id",),
            lookup=Lookup(
                path="/api/organization-service-facilities/v2/external-id/{external_id}",
                given={"external_id": "external_id"},
                key=("external_id",),
                id="organization_service_facility_id",
            ),
            taken=_CONFLICT,
        ),
        _keyless("coverages", "pre_encounter.coverages.v_1.create", "/coverages/v1", "id"),
        _keyless("eligibility_checks", "pre_encounter.eligibility_checks.v_1.post", "/eligibility-checks/v1", None),
        _keyless(
            "insurance_refunds",
            "insurance_refunds.v_1.create",
            "/api/insurance-refunds/v1",
            "insurance_refund_id",
        ),
        _keyless("patient_payments", "patient_payments.v_4.create", "/api/patient-payments/v4", "patient_payment_id"),
        _keyless("patient_refunds", "patient_refunds.v_1.create", "/api/patient-refunds/v1", "patient_refund_id"),
        _keyless("tasks", "tasks.v_3.create", "/api/tasks/v3", "task_id"),
    )
}
"""What can be created (candidhealth 1.37.0; what refuses a key in use: its docstrings and declared errors)."""


def creation_named(name: str) -> Creation:
    """Look up by name what can be created.

    :raises CandidConfigError: there is none; the message suggests the nearest and lists all.
    """
    if name in CREATIONS:
        return CREATIONS[name]
    near = difflib.get_close_matches(name, CREATIONS, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise CandidConfigError(
        f"resource is not one that can be created.{hint} Known: {', '.join(sorted(CREATIONS))}", field="resource"
    )
