"""What an endpoint needs beyond what goes by the same name everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from candid_provider.emulator.endpoints.registry import TOKEN_ENDPOINT

from .eligibility import ELIGIBILITY
from .money import MONEY
from .pre_encounter import PRE_ENCOUNTER
from .values import DATE, charge_data, service_line

if TYPE_CHECKING:
    from .office import Office

Row = dict[str, Any]
Recipe = Callable[["Office"], Row]
_PROVIDERS: Final = "encounter_providers.v_2"


# --- encounters and charges


def _encounter(office: Office) -> Row:
    return {"service_lines": [service_line(office)]}


def _encounter_with(office: Office, *needed: str, **changes: Any) -> str:
    """The id of an encounter for which some more was created."""
    encounter = office.made("encounters.v_4.create", **changes)
    for endpoint_id in needed:
        office.made(endpoint_id, encounter_id=encounter["encounter_id"])
    return str(encounter["encounter_id"])


def _has(needed: str) -> Recipe:
    return lambda office: {"encounter_id": _encounter_with(office, needed)}


def _has_ordering_provider(office: Office) -> Row:
    line = office.value("service_line_id")
    office.made("encounter_providers.v_2.create_ordering_provider", service_line_id=line)
    return {"service_line_id": line}


def _supplemental_information(office: Office) -> Row:
    encounter = office.value("encounter_id")
    row = office.made("encounter_supplemental_information.v_1.create", encounter_id=encounter)
    return {"encounter_id": encounter, "supplemental_information_id": row["supplemental_information_id"]}


def _attachment(office: Office) -> Row:
    encounter = office.value("encounter_id")
    made = office.made("encounter_attachments.v_1.create", encounter_id=encounter)
    return {"encounter_id": encounter, "attachment_id": made}


def _attached_to(office: Office) -> Row:
    return {"encounter_id": _attachment(office)["encounter_id"]}


def _charge_attachment(office: Office) -> Row:
    charge = office.value("charge_capture_external_id")
    made = office.made(
        "encounter_attachments.v_1.create_with_charge_capture_external_id", charge_capture_external_id=charge
    )
    return {"charge_capture_external_id": charge, "attachment_id": made}


def _charge_with_attachment(office: Office) -> Row:
    # Candid lists them only when there is an encounter.
    charge = office.made("charge_capture.v_1.create", status="billable", data=charge_data(office))
    name = charge["charge_external_id"]
    office.made("encounter_attachments.v_1.create_with_charge_capture_external_id", charge_capture_external_id=name)
    office.advance(hours=1)
    return {"charge_capture_external_id": name}


def _changed_charge(office: Office) -> Row:
    charge = office.made("charge_capture.v_1.create", status="billable", data=charge_data(office))
    office.advance(hours=1)
    changed = office.made(
        "charge_capture.v_1.update", charge_capture_id=charge["id"], originating_system="Qvexzo system"
    )
    return {"charge_capture_change_ids": [changed["updates"][0]["id"]]}


def _described(office: Office) -> Row:
    schema = office.made("custom_schemas.v_1.create")
    metadata = [{"schema_id": schema["id"], "content": {schema["fields"][0]["key"]: True}}]
    for _ in range(4):
        office.made("charge_capture.v_1.create", metadata=metadata)
    return {"metadata": metadata}


def _failed_bundle(office: Office) -> Row:
    charge = office.made("charge_capture.v_1.create", status="billable", data=charge_data(office) | {"diagnoses": []})
    office.advance(hours=1)
    failed = office.made(
        "charge_capture_bundles.v_1.get", charge_capture_claim_creation_id=charge["claim_creation_id"]
    )
    return {"charge_capture_bundle_error_id": failed["errors"][0]["id"]}


def _appointed(office: Office) -> Row:
    patient = office.value("patient_id")
    appointment = office.made("pre_encounter.appointments.v_1.create", patient_id=patient)
    return {"pre_encounter_patient_id": patient, "pre_encounter_appointment_ids": [appointment["id"]]}


def _appointed_encounter(office: Office) -> Row:
    return _appointed(office)


def _has_initial(office: Office) -> Row:
    needed = ("create_referring_provider", "create_initial_referring_provider")
    return {"encounter_id": _encounter_with(office, *(f"{_PROVIDERS}.{name}" for name in needed))}


def _window(_: Office) -> Row:
    return {"start_date": "2026-03-08", "end_date": "2026-03-09"}


def _diagnosis(office: Office) -> Row:
    encounter = office.value("encounter_id")
    return {"diagnosis_id": office.made("diagnoses.create", encounter_id=encounter)["diagnosis_id"]}


def _universal(office: Office) -> Row:
    # Its diagnoses come with health care code information, which can wait.
    line = {name: value for name, value in service_line(office).items() if name != "diagnosis_pointers"}
    return {"service_lines": [line], "rendering_provider": {"npi": "1234567893"}}


def _facility(office: Office) -> Row:
    name = office.fresh("facility")
    office.made("organization_service_facilities.v_2.create", external_id=name)
    return {"external_id": name}


def _with_attachment(office: Office) -> Row:
    provider = office.value("organization_provider_id")
    office.made("organization_providers.v_3.upload_attachment", organization_provider_id=provider)
    return {"organization_provider_id": provider}


def _billed(office: Office) -> Row:
    return {"date_range_min": DATE, "date_range_max": DATE}


def _signing_in(_: Office) -> Row:
    return {"client_id": "emulator", "client_secret": "emulator-secret"}


def _few(office: Office) -> Row:
    """No more than a judge needs to see of rows that are long."""
    return {"limit": 20}


RECIPES: Final[Mapping[str, Recipe]] = {
    **PRE_ENCOUNTER,
    **MONEY,
    **ELIGIBILITY,
    TOKEN_ENDPOINT: _signing_in,
    "encounters.v_4.create": _encounter,
    "encounters.v_4.create_universal": _universal,
    "encounters.v_4.create_from_pre_encounter_patient": _appointed_encounter,
    "encounters.v_4.create_from_pre_encounter_patient_universal": _appointed_encounter,
    "encounters.v_4.get_all": _few,
    "encounter_providers.v_2.update_referring_provider": _has(f"{_PROVIDERS}.create_referring_provider"),
    "encounter_providers.v_2.delete_referring_provider": _has(f"{_PROVIDERS}.create_referring_provider"),
    "encounter_providers.v_2.update_initial_referring_provider": _has_initial,
    "encounter_providers.v_2.delete_initial_referring_provider": _has_initial,
    "encounter_providers.v_2.create_initial_referring_provider": _has(f"{_PROVIDERS}.create_referring_provider"),
    "encounter_providers.v_2.update_supervising_provider": _has(f"{_PROVIDERS}.create_supervising_provider"),
    "encounter_providers.v_2.delete_supervising_provider": _has(f"{_PROVIDERS}.create_supervising_provider"),
    "encounter_providers.v_2.update_ordering_provider": _has_ordering_provider,
    "encounter_providers.v_2.delete_ordering_provider": _has_ordering_provider,
    "encounter_supplemental_information.v_1.get": _has("encounter_supplemental_information.v_1.create"),
    "encounter_supplemental_information.v_1.update": _supplemental_information,
    "encounter_supplemental_information.v_1.delete": _supplemental_information,
    "encounter_attachments.v_1.get": _attached_to,
    "encounter_attachments.v_1.delete": _attachment,
    "encounter_attachments.v_1.delete_by_charge_capture_external_id": _charge_attachment,
    "encounter_attachments.v_1.get_by_charge_capture_external_id": _charge_with_attachment,
    "charge_capture.v_1.get_all": _few,
    "charge_capture.v_1.create_from_pre_encounter_patient": _appointed,
    "charge_capture.v_1.find_by_metadata": _described,
    "charge_capture.v_1.update_post_billed_changes": _changed_charge,
    "charge_capture_bundles.v_1.get_all": _few,
    "charge_capture_bundles.v_1.resolve_charge_creation_error": _failed_bundle,
    "diagnoses.delete": _diagnosis,
    "organization_service_facilities.v_2.get_by_external_id": _facility,
    "organization_providers.v_3.list_attachments": _with_attachment,
    "exports.v_3.get_exports": _window,
    "superbills.v_1.create_superbill": _billed,
}
