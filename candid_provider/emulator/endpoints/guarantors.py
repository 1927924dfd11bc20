"""Who pays for a patient; one for an encounter (Candid: /api/guarantors/v1)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.answers import declared, missing
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Record
from candid_provider.emulator.endpoints.inside_encounters import encounter_of, holder, link, linked, save
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.given import (
    SHORT_ADDRESS,
    Rule,
    address,
    changed,
    check,
    is_day,
    is_filled,
    is_flag,
    is_text,
    list_of,
    shape,
)

_GUARANTORS: Final = linked("guarantor_added")
_RULES: Final[dict[str, Rule]] = {
    "first_name": is_filled,
    "last_name": is_filled,
    "external_id": is_filled,
    "date_of_birth": is_day,
    "address": SHORT_ADDRESS,
    "phone_numbers": list_of(shape("number", "type")),
    "phone_consent": is_flag,
    "email": is_text,
    "email_consent": is_flag,
    "auto_charge_consent": is_flag,
}
_CLEARABLE: Final = ("date_of_birth", "email")
_NEEDED: Final = tuple(name for name in _RULES if name not in _CLEARABLE)
_UNSET: Final[dict[str, Any]] = {
    "date_of_birth": None,
    "phone_numbers": [],
    "phone_consent": False,
    "email": None,
    "email_consent": False,
    "auto_charge_consent": False,
}


def _body(asked: Asked, needed: tuple[str, ...]) -> Record:
    body = {name: value for name, value in check(asked, _RULES, needed).items() if name in _RULES}
    return {**body, "address": address(body["address"])} if "address" in body else body


@answers("guarantor.v_1.create")
def create_guarantor(asked: Asked) -> Record:
    encounter, body = encounter_of(asked, asked.id), _body(asked, ())
    if encounter.get("guarantor") is not None:
        content = {"message": "the encounter has a guarantor already"}
        raise declared(asked.endpoint, "EncounterHasExistingGuarantorError", content)
    given = {name: value for name, value in body.items() if value is not None}
    guarantor = {"guarantor_id": link(asked.state, _GUARANTORS, encounter), **_UNSET, **given}
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
    guarantor = changed(encounter["guarantor"], _body(asked, _NEEDED), _RULES)
    save(asked.state, {**encounter, "guarantor": guarantor})
    return guarantor
