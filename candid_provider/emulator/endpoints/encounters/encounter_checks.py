"""What Candid refuses of an encounter, each with the error it declares, before anything is written."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.encounter_kinds import CONTROL_NUMBERS, ENCOUNTERS, TAGS
from candid_provider.emulator.endpoints.encounters.lookups import fetched
from candid_provider.emulator.exchange.answers import Refusal, declared, not_found, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.organization import payer_id, payer_name

_CASH: Final = frozenset({"cash", "cash pay", "self pay"})
SUBSCRIBERS: Final = ("subscriber_primary", "subscriber_secondary", "subscriber_tertiary")


def refused(asked: Asked, message: str) -> Refusal:
    """Against a rule of Candid's business, where no single field is wrong."""
    return declared(asked.endpoint, "UnprocessableEntityError", {"message": message})


def check_references(asked: Asked, given: Record) -> None:
    """Tags that there are, and instances that fit their schemas."""
    _check_tags(asked, given.get("tag_ids") or [])
    _check_schemas(asked, given.get("schema_instances") or [])


def _check_tags(asked: Asked, names: list[str]) -> None:
    unknown = [name for name in names if name not in TAGS]
    if not unknown:
        return
    if "InvalidTagNamesError" in asked.endpoint.statuses:
        raise declared(asked.endpoint, "InvalidTagNamesError", {"invalid_tag_names": unknown})
    raise unprocessable(asked.endpoint, "tag_ids", "has a tag that does not exist")


def _check_schemas(asked: Asked, instances: list[Record]) -> None:
    seen: set[str] = set()
    errors = []
    for instance in instances:
        schema_id = str(instance["schema_id"])
        if schema_id in seen:
            errors.append({"type": "multiple_instances_for_schema", "schema_id": schema_id})
        else:
            errors += _faults(asked, schema_id, instance.get("content") or {})
        seen.add(schema_id)
    if errors:
        raise declared(asked.endpoint, "SchemaInstanceValidationHttpFailure", {"errors": errors})


def _faults(asked: Asked, schema_id: str, content: Record) -> list[Record]:
    schema = fetched(asked, "custom_schemas.v_1.get", schema_id)
    if schema is None:
        return [{"type": "schema_does_not_exist", "schema_id": schema_id}]
    kinds = {field["key"]: field["type"] for field in schema["fields"]}
    faults = []
    for key, value in content.items():
        if key not in kinds:
            faults.append({"type": "key_does_not_exist", "key": key, "schema_id": schema_id})
        elif not _is_of(kinds[key], value):
            fault = {"schema_id": schema_id, "key": key, "expected_value_type": kinds[key], "value": value}
            faults.append({"type": "value_does_not_match_key_type", **fault})
    return faults


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "BOOLEAN"
    kinds: dict[str, Any] = {"STRING": str, "INTEGER": int, "DOUBLE": (int, float), "BOOLEAN": ()}
    return isinstance(value, kinds.get(kind, object))


def check_unique(asked: Asked, external_id: str | None, itself: str | None = None) -> None:
    """No two encounters share an external id."""
    if external_id is None:
        return
    if not external_id:
        raise unprocessable(asked.endpoint, "external_id", "must not be empty")
    if asked.state.of(ENCOUNTERS).holder(external_id) not in (None, itself):
        raise declared(asked.endpoint, "EncounterExternalIdUniquenessError", {"external_id": external_id})


def check_control_number(asked: Asked, submission: Record | None) -> None:
    """No two claims that were submitted elsewhere share a patient control number."""
    number = (submission or {}).get("patient_control_number")
    if number is not None and asked.state.of(CONTROL_NUMBERS).holder(number) is not None:
        content = {"patient_control_number": number}
        raise declared(asked.endpoint, "EncounterPatientControlNumberUniquenessError", content)


def payers_of(asked: Asked, given: Record) -> dict[str, str]:
    """The payer of each insurance card that was given, by whose it is; refused unless it is one of Candid's."""
    found = {}
    for name in SUBSCRIBERS:
        card = (given.get(name) or {}).get("insurance_card")
        if card is not None:
            found[name] = _payer(asked, card, name)
    return found


def _payer(asked: Asked, card: Record, name: str) -> str:
    _check_cash(asked, card["payer_name"])
    number = int(card["payer_id"]) - int(payer_id(0)) if card["payer_id"].isdecimal() else -1
    if not 0 <= number < asked.state.config.payers or payer_name(number) != card["payer_name"]:
        raise refused(asked, f"{name}.insurance_card: payer_id and payer_name are none of Candid's payers")
    payer_uuid = asked.state.world.ids.uuid("payer", number)
    _check_group(asked, card.get("payer_plan_group_id"), payer_uuid)
    return payer_uuid


def _check_cash(asked: Asked, name: str) -> None:
    if "CashPayPayerError" in asked.endpoint.statuses and name.casefold() in _CASH:
        message = "Cash pay is no payer: say responsible_party SELF_PAY, and give no insurance card"
        raise declared(asked.endpoint, "CashPayPayerError", {"message": message})


def _check_group(asked: Asked, group_id: str | None, payer_uuid: str) -> None:
    if group_id is None:
        return
    group = fetched(asked, "payer_plan_groups.v_1.get", group_id)
    if group is None:
        raise not_found(group_id)
    if group["payer"]["payer_uuid"] != payer_uuid:
        content = {
            "payer_plan_group_payer_uuid": group["payer"]["payer_uuid"],
            "insurance_card_payer_uuid": payer_uuid,
        }
        raise declared(asked.endpoint, "PayerPlanGroupPayerDoesNotMatchInsuranceCardHttpError", content)


def check_guarantor(asked: Asked, guarantor: Record | None) -> None:
    """Somebody who is to pay must be within reach, by telephone or mail."""
    if guarantor is None or guarantor.get("phone_numbers") or guarantor.get("email"):
        return
    if "EncounterGuarantorMissingContactInfoError" in asked.endpoint.statuses:
        content = {"missing_fields": ["phone_numbers", "email"]}
        raise declared(asked.endpoint, "EncounterGuarantorMissingContactInfoError", content)


def facility_of(asked: Asked, facility_id: str | None) -> Record | None:
    """The organization's service facility with an id."""
    if facility_id is None:
        return None
    known = fetched(asked, "organization_service_facilities.v_2.get", facility_id)
    if known is None:
        raise not_found(facility_id)
    return {
        "organization_name": known["name"],
        "npi": known["npi"],
        "service_facility_id": facility_id,
        "address": known["address"],
    }
