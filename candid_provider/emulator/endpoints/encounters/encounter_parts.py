"""The parts of an encounter that somebody sent, completed as Candid answers them: with ids, and nulls."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid5

from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import nulls

_NAMESPACE: Final = UUID("6f0a4d0e-52b1-4a3c-9c57-2f1f6a1f0c11")
_ADDRESS: Final = nulls("address1 address2 city state zip_code zip_plus_four_code")
_PROVIDER: Final = nulls(
    """
    first_name last_name organization_name provider_id address tax_id npi taxonomy_code qualifier
    provider_commercial_license_type secondary_identification
    """
)
_TREATING: Final = nulls("provider_id first_name last_name npi taxonomy_code address tax_id license_type")
_FACILITY: Final = nulls(
    """
    service_facility_id organization_name npi address secondary_identification
    mammography_certification_number
    """
)
_CARD: Final = nulls(
    """
    group_number plan_name plan_type insurance_type payer_plan_group_id payer_address insurance_card_id
    member_id payer_name payer_id rx_bin rx_pcn image_url_front image_url_back payer_uuid
    """
)
_SUBSCRIBER: Final = nulls(
    """
    first_name last_name gender patient_relationship_to_subscriber_code date_of_birth address
    individual_id insurance_card
    """
)
_PERSON: Final[Record] = {
    **nulls("first_name last_name external_id date_of_birth address email"),
    "phone_numbers": [],
    **dict.fromkeys(("phone_consent", "email_consent", "auto_charge_consent"), False),
}
_PATIENT: Final[Record] = {**_PERSON, "gender": None, "non_insurance_payers": [], "non_insurance_payers_info": []}
VITALS: Final = nulls(
    """
    height_in weight_lbs blood_pressure_systolic_mmhg blood_pressure_diastolic_mmhg body_temperature_f
    hemoglobin_gdl hematocrit_pct
    """
)
_MEDICATION: Final = nulls("name rx_cui dosage dosage_form frequency as_needed")


def named_id(state: State, kind: str, *names: Any) -> str:
    """The id of what is known by its names only: the same names, the same id."""
    return str(uuid5(_NAMESPACE, repr((state.config.seed, kind, names))))


def filled(unset: Record, given: Record | None) -> Record:
    """What was given of a part's fields, and nulls for the others."""
    return {name: default if (value := (given or {}).get(name)) is None else value for name, default in unset.items()}


def address(given: Record | None) -> Record | None:
    return None if given is None else filled(_ADDRESS, given)


def patient(state: State, given: Record) -> Record:
    """A patient as an encounter shows it."""
    external = given["external_id"]
    number = state.world.ids.index("patient", external, state.world.patients)
    made = filled(_PATIENT, given)
    known = None if number is None else state.world.ids.uuid("individual", number)
    # Candid answers the payers themselves, of which only ids were given.
    empty: Record = {"non_insurance_payers": [], "non_insurance_payers_info": []}
    individual = known or named_id(state, "individual", external)
    return made | empty | {"address": address(given["address"]), "individual_id": individual}


def guarantor(state: State, given: Record) -> Record:
    made = filled(_PERSON, given)
    made["address"] = address(given["address"])
    return made | {"guarantor_id": named_id(state, "guarantor", given["external_id"])}


def subscriber(state: State, given: Record | None, payer_uuid: str | None) -> Record | None:
    """Who holds an insurance card, and the card."""
    if given is None:
        return None
    made, card = filled(_SUBSCRIBER, given), filled(_CARD, given["insurance_card"])
    card["payer_uuid"] = payer_uuid
    card["insurance_card_id"] = named_id(state, "card", card["payer_id"], card["member_id"])
    names = (given["first_name"], given["last_name"], given.get("date_of_birth"), card["member_id"])
    made |= {"address": address(given.get("address")), "insurance_card": card}
    return made | {"individual_id": named_id(state, "individual", *names)}


def provider(state: State, given: Record | None, place: Record | None) -> Record | None:
    """A provider; one who was given without an address is where the billing provider is."""
    if given is None:
        return None
    made = filled(_PROVIDER, given)
    made["address"] = address(given.get("address") or place)
    return made | {"provider_id": named_id(state, "provider", made["npi"], made["tax_id"])}


def treating_provider(state: State, given: Record | None) -> Record | None:
    if given is None:
        return None
    made = filled(_TREATING, given)
    made["address"] = address(given.get("address"))
    return made | {"provider_id": named_id(state, "provider", made["npi"], made["last_name"])}


def facility(state: State, given: Record | None, billing: Record) -> Record:
    """Where it took place: as given, or else at the billing provider's."""
    named = " ".join(filter(None, (billing["first_name"], billing["last_name"])))
    fallback = {"organization_name": billing["organization_name"] or named or "Main location", "npi": billing["npi"]}
    made = filled(_FACILITY, given or fallback)
    made["address"] = address(made["address"] or billing["address"])
    if made["service_facility_id"] is None:
        made["service_facility_id"] = named_id(state, "facility", made["organization_name"], made["npi"])
    return made


def medications(given: list[Record] | None) -> list[Record] | None:
    return None if given is None else [filled(_MEDICATION, item) for item in given]


def clinical_notes(given: list[Record] | None) -> list[Record]:
    """Notes by category; Candid answers their texts beside their structure."""
    unset = nulls("text author_name author_npi timestamp")
    return [
        {
            "category": group["category"],
            "notes": [note["text"] for note in group["notes"]],
            "notes_structured": [filled(unset, note) for note in group["notes"]],
        }
        for group in given or []
    ]


def billing_notes(state: State, given: list[Record] | None, encounter_id: str, now: str) -> list[Record] | None:
    if given is None:
        return None
    unset = nulls("author_auth0_id author_name billing_note_metadata")
    return [
        {
            **unset,
            "text": note["text"],
            "billing_note_id": named_id(state, "billing_note", encounter_id, number),
            "encounter_id": encounter_id,
            "created_at": now,
            "billing_note_type": "manual",
        }
        for number, note in enumerate(given)
    ]


def type_of_bill(given: Record | None) -> Record | None:
    """The four-digit code and its parts, whichever of them was given."""
    if given is None:
        return None
    if given.get("type") == "raw_code":
        code = str(given.get("value", "")).rjust(4, "0")
        return {"type_of_facility": code[1], "type_of_care": code[2], "frequency_code": code[3], "code": code}
    parts = [given[name] for name in ("type_of_facility", "type_of_care", "frequency_code")]
    return dict(zip(("type_of_facility", "type_of_care", "frequency_code"), parts, strict=True)) | {
        "code": "0" + "".join(parts)
    }
