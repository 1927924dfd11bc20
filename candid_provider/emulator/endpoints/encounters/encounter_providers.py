"""Providers of an encounter besides billing and rendering ones (Candid: /api/encounter-providers/v2).

An initial referring provider goes with a referring one: it is not created without, and the other not deleted before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from candid_provider.emulator.endpoints.encounters.encounter_kinds import encounter_of_service_line
from candid_provider.emulator.endpoints.encounters.inside_encounters import encounter_of, link, linked, save
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, given
from candid_provider.emulator.exchange.given import check, is_npi
from candid_provider.emulator.records.collection import Record

_PROVIDERS: Final = linked("encounter_provider_added")
_QUALIFIERS: Final = {"referring": "DN", "initial_referring": "P3", "supervising": "DQ", "ordering": "DK"}
_UNSET: Final = ("qualifier", "secondary_identification", "tax_id", "provider_commercial_license_type")


class _Place(NamedTuple):
    """Where a provider is kept: an encounter, and the part of it that has the field."""

    encounter: Record
    part: Record
    field: str

    @property
    def provider(self) -> Record | None:
        found: Record | None = self.part.get(self.field)
        return found


def _on_encounter(asked: Asked, role: str) -> _Place:
    encounter = encounter_of(asked, asked.id)
    return _Place(encounter, encounter, f"{role}_provider")


def _on_service_line(asked: Asked, role: str) -> _Place:
    wanted = asked.id.lower()
    encounter = encounter_of_service_line(asked.state, wanted)
    line = None if encounter is None else _line(encounter, wanted)
    if encounter is None or line is None:
        raise missing(asked.endpoint, asked.id)
    return _Place(encounter, line, f"{role}_provider")


def _line(encounter: Record, identifier: str) -> Record | None:
    lines = (line for claim in encounter["claims"] for line in claim["service_lines"])
    return next((line for line in lines if line["service_line_id"] == identifier), None)


def _set(asked: Asked, place: _Place, provider: Record | None) -> None:
    place.part[place.field] = provider
    save(asked.state, place.encounter)


def _check(asked: Asked) -> None:
    check(asked, {"npi": is_npi}, needed=("npi",))


def _register(role: str, find: Callable[[Asked, str], _Place]) -> None:
    endpoint = f"encounter_providers.v_2.{{}}_{role}_provider"

    @answers(endpoint.format("create"))
    def create(asked: Asked) -> Record:
        place = find(asked, role)
        _check(asked)
        if place.provider is not None:
            raise declared(asked.endpoint, "EntityConflictError", {"entity_name": place.field})
        if role == "initial_referring" and place.encounter.get("referring_provider") is None:
            message = "an initial referring provider needs a referring provider"
            raise declared(asked.endpoint, "UnprocessableEntityError", {"message": message})
        provider = _made(asked, role, place.encounter)
        _set(asked, place, provider)
        return provider

    @answers(endpoint.format("update"))
    def update(asked: Asked) -> Record:
        place = find(asked, role)
        _check(asked)
        present, fields = _present(asked, place), given(asked)
        provider = present | fields | {"address": fields.get("address") or present["address"]}
        _set(asked, place, provider)
        return provider

    @answers(endpoint.format("delete"))
    def delete(asked: Asked) -> None:
        place = find(asked, role)
        _present(asked, place)
        if role == "referring" and place.encounter.get("initial_referring_provider") is not None:
            raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "initial_referring_provider"})
        _set(asked, place, None)


def _present(asked: Asked, place: _Place) -> Record:
    if place.provider is None:
        raise missing(asked.endpoint, asked.id)
    return place.provider


def _made(asked: Asked, role: str, encounter: Record) -> Record:
    made = dict.fromkeys(_UNSET) | completed(asked)
    if made["address"] is None:
        made["address"] = encounter["billing_provider"]["address"]
    made["qualifier"] = made["qualifier"] or _QUALIFIERS[role]
    return {"provider_id": link(asked.state, _PROVIDERS, encounter), **made}


for _role in ("referring", "initial_referring", "supervising"):
    _register(_role, _on_encounter)
_register("ordering", _on_service_line)
