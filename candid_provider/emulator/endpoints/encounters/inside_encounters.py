"""What is written into encounters by endpoints of its own: notes, providers, guarantors, codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candid_provider.emulator.endpoints.encounters.claim_lives import keep
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State


def encounter_of(asked: Asked, identifier: str) -> Record:
    """The encounter with an id; refused if there is none."""
    return found(asked, ENCOUNTERS, identifier)


def save(state: State, encounter: Record) -> None:
    keep(state, encounter, state.clock.tick())


def linked(name: str) -> Kind:
    """Parts of encounters that have ids of their own: which encounter holds which."""
    return Kind(name, "id")


def link(state: State, kind: Kind, encounter: Record) -> str:
    """The id for a new part of an encounter."""
    links = state.of(kind)
    identifier = links.new_id()
    links.add({"id": identifier, "encounter_id": encounter["encounter_id"]})
    return identifier


def holder(state: State, kind: Kind, identifier: str, holds: Callable[[Record], bool]) -> Record | None:
    """The encounter that holds a part: one it was linked to, or one that was created or updated with it."""
    if (known := state.of(kind).get(identifier)) is not None:
        encounter = state.of(ENCOUNTERS).get(known["encounter_id"])
        return encounter if encounter is not None and holds(encounter) else None
    return written(state, holds)


def written(state: State, holds: Callable[[Record], bool]) -> Record | None:
    """The encounter of which something is true, among those that were written to; the latest first."""
    encounters = state.of(ENCOUNTERS)
    rows = encounters.by_update(range(0))
    loaded = (encounters.updated_record(key) for key in rows.walk(descending=True))
    return next((encounter for encounter in loaded if encounter is not None and holds(encounter)), None)


def author(state: State) -> dict[str, Any]:
    """The user who writes: the machine that the API's client is."""
    return {
        "user_id": state.organization.user_id,
        "idp_metadata": [{"type": "auth_zero_metadata", "auth0_id": state.config.client_id}],
        "primary_organization_id": state.organization.id,
        "user_metadata": {"type": "machine_user_metadata", "name": "Emulated client"},
    }
