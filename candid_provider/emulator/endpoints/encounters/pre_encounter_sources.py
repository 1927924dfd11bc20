"""What an encounter takes over from the pre-encounter service: the patient, the appointments and the coverages."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import fetched
from candid_provider.emulator.exchange.answers import not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record

_GENDERS: Final = {"FEMALE": "female", "MALE": "male"}
_RELATIONSHIPS: Final = {"SELF": "18", "SPOUSE": "01", "CHILD": "19", "OTHER": "G8"}
_RANKS: Final = ("subscriber_primary", "subscriber_secondary", "subscriber_tertiary")


def sourced(asked: Asked, patient_id: str, appointment_ids: list[str]) -> Record:
    """The fields of an encounter that are taken over; 404 for a patient or an appointment that is not there."""
    patient = _found(asked, "patients", patient_id)
    appointments = [_found(asked, "appointments", identifier) for identifier in appointment_ids]
    for appointment in appointments:
        if appointment["patient_id"] != patient["id"]:
            raise not_found(appointment["id"])
    cards = [_found(asked, "coverages", identifier) for identifier in patient["filing_order"]["coverages"]]
    held = {name: _subscriber(card) for name, card in zip(_RANKS, cards, strict=False)}
    starts = sorted(row["start_timestamp"][:10] for row in appointments)
    taken: Record = {"patient": _patient(patient), **held}
    taken["responsible_party"] = "INSURANCE_PAY" if held else "SELF_PAY"
    if not asked.body.get("date_of_service") and starts and not asked.body.get("service_lines"):
        taken["date_of_service"] = starts[0]
    return taken


def _found(asked: Asked, area: str, identifier: str) -> Any:
    record = fetched(asked, f"pre_encounter.{area}.v_1.get", identifier)
    if record is None:
        raise not_found(identifier)
    return record


def _patient(row: Record) -> Record:
    telecoms = [item for item in (row["primary_telecom"], *row["other_telecoms"]) if item]
    return {
        "first_name": row["name"]["given"][0] if row["name"]["given"] else "",
        "last_name": row["name"]["family"],
        "gender": _GENDERS.get(row["biological_sex"], "unknown"),
        "external_id": row["id"],
        "date_of_birth": row["birth_date"],
        "address": _address(row["primary_address"]),
        "phone_numbers": [{"number": item["value"], "type": _phone(item)} for item in telecoms],
        "email": row["email"],
    }


def _phone(telecom: Record) -> str:
    return {"HOME": "Home", "WORK": "Work"}.get(telecom["use"], "Mobile")


def _address(row: Record) -> Record:
    lines = [*row["line"], None, None]
    return {
        "address1": lines[0] or "",
        "address2": lines[1],
        "city": row["city"],
        "state": row["state"],
        "zip_code": row["postal_code"][:5],
    }


def _subscriber(row: Record) -> Record:
    who, plan = row["subscriber"], row["insurance_plan"]
    return {
        "first_name": who["name"]["given"][0] if who["name"]["given"] else "",
        "last_name": who["name"]["family"],
        "gender": _GENDERS.get(who["biological_sex"], "unknown"),
        "patient_relationship_to_subscriber_code": _RELATIONSHIPS.get(row["relationship"], "G8"),
        "date_of_birth": who["date_of_birth"],
        "address": None,
        "insurance_card": {
            "member_id": plan["member_id"],
            "payer_id": plan["payer_id"],
            "payer_name": plan["payer_name"],
            "group_number": plan["group_number"],
            "plan_name": plan["name"],
        },
    }
