"""Who pays for a patient; one for an encounter (Candid: /api/guarantors/v1)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.inside_encounters import encounter_of, holder, link, linked, save
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import given
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.records.collection import Record

_GUARANTORS: Final = linked("guarantor_added")
_RULES: Final = dict.fromkeys(("first_name", "last_name", "external_id"), is_filled)
_NEEDED: Final = (
    *("first_name", "last_name", "external_id", "address", "phone_numbers"),
    *("phone_consent", "email_consent", "auto_charge_consent"),
)
_UNSET: Final[dict[str, Any]] = {
    "date_of_birth": None,
    "phone_numbers": [],
    "phone_consent": False,
    "email": None,
    "email_consent": False,
    "auto_charge_consent": False,
}


@answers("guarantor.v_1.create")
def create_guarantor(asked: Asked) -> Record:
    encounter = encounter_of(asked, asked.id)
    check(asked, _RULES)
    if encounter.get("guarantor") is not None:
        content = {"message": "the encounter has a guarantor already"}
        raise declared(asked.endpoint, "EncounterHasExistingGuarantorError", content)
    known = {name: value for name, value in given(asked).items() if value is not None}
    guarantor = {"guarantor_id": link(asked.state, _GUARANTORS, encounter), **_UNSET, **known}
    save(asked.state, {**encounter, "guarantor": guarantor})
    return guarantor


def _found(asked: Asked) -> Record:
    """The encounter of a guarantor."""
    wanted = asked.id.lower()

    def holds(encounter: Record) -> bool:
        return bool((encounter.get("guarantor") or {}).get("guarantor_id") == wanted)

    encounter = holder(asked.state, _GUARANTORS, wanted, holds)
    if encounter is None:
        raise missing(asked.endpoint, asked.id)
    return encounter


@answers("guarantor.v_1.get")
def get_guarantor(asked: Asked) -> Record:
    guarantor: Record = _found(asked)["guarantor"]
    return guarantor


@answers("guarantor.v_1.update")
def update_guarantor(asked: Asked) -> Record:
    encounter = _found(asked)
    check(asked, _RULES, _NEEDED)
    guarantor = {**encounter["guarantor"], **given(asked)}
    save(asked.state, {**encounter, "guarantor": guarantor})
    return guarantor
