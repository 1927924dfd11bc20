"""Encounters, and which of them a claim, a diagnosis or a service line belongs to."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters
from candid_provider.emulator.world.world import microseconds

# Candid has no endpoint that lists the tags of encounters; GET /_emulator/tags does.
TAGS: Final = ("appeal", "coordination-of-benefits", "documentation", "high-balance", "self-pay", "telehealth")
_COLORS: Final = ("red", "yellow", "blue", "purple", "gray", "green")
_TAGGED, _QUEUED = (16, 5), (20, 3)
QUEUES: Final = 3
UNSUCCESSFUL_EVERY: Final = 25
_UNSUCCESSFUL: Final = {7: "in-error", 13: "held", 19: "aborted", 22: "in-error"}
BUNDLED: Final = 8  # every eighth encounter was made of charge captures


def tag(state: State, name: str) -> Record:
    return {
        "tag_id": name,
        "description": name.replace("-", " ").capitalize(),
        "color": _COLORS[TAGS.index(name)],
        "creator_id": state.organization.user_id,
    }


def tag_of(state: State, index: int) -> str | None:
    """The tag of a seeded encounter."""
    every, place = _TAGGED
    return TAGS[state.world.ids.draw("tag", index) % len(TAGS)] if index % every == place else None


def tagged_rows(state: State) -> range:
    """The seeded encounters that have a tag."""
    every, place = _TAGGED
    return range(place, state.world.encounters, every)


def queue(state: State, number: int) -> str:
    return state.world.ids.uuid("work_queue", number)


def queue_of(state: State, index: int) -> str | None:
    """The work queue that a seeded encounter is in."""
    every, place = _QUEUED
    return queue(state, index // every % QUEUES) if index % every == place else None


def queued_rows(state: State, queue_id: str) -> range:
    """The seeded encounters that are in a work queue."""
    every, place = _QUEUED
    number = state.world.ids.index("work_queue", queue_id, QUEUES)
    return range(0) if number is None else range(place + every * number, state.world.encounters, every * QUEUES)


def bundle_status(bundle: int) -> str:
    """What became of a seeded claim creation."""
    return _UNSUCCESSFUL.get(bundle % UNSUCCESSFUL_EVERY, "successful")


def _encounter(state: State, index: int) -> Record:
    record = encounters.encounter(state.world, state.organization, index)
    if (name := tag_of(state, index)) is not None:
        record["tags"] = [tag(state, name)]
    if (queue_id := queue_of(state, index)) is not None:
        record["work_queue_id"] = queue_id
        record["work_queue_membership_activated_at"] = microseconds(state.world.created(index))
    if index % BUNDLED == 0 and bundle_status(index // BUNDLED) == "successful":
        record["claim_creation_id"] = state.world.ids.uuid("claim_creation", index // BUNDLED)
    return record


ENCOUNTERS: Final = Kind(
    "encounter",
    "encounter_id",
    count=lambda state: state.world.encounters,
    make=_encounter,
    created=lambda state, index: state.world.created(index),
    unique="external_id",
    seeded=lambda state, text: encounters.index_of_external_id(text),
    view=lambda state, record: state.ledger.balanced(record),
)
DIAGNOSES: Final = Kind("written_diagnosis", "diagnosis_id")
SERVICE_LINES: Final = Kind("written_service_line", "service_line_id")
CONTROL_NUMBERS: Final = Kind("control_number", "encounter_id", unique="patient_control_number")


def new_claim_id(state: State) -> str:
    """The id for the claim of the next encounter."""
    rows = state.of(ENCOUNTERS)
    return state.world.ids.uuid("claim", len(rows.seeded) + rows.created_count)


def encounter_of_claim(state: State, claim_id: str) -> Record | None:
    rows = state.of(ENCOUNTERS)
    number = state.world.ids.index("claim", claim_id, len(rows.seeded) + rows.created_count)
    return None if number is None else rows.get(rows.id_of(number))


def encounter_of_diagnosis(state: State, diagnosis_id: str) -> Record | None:
    """The encounter that has a diagnosis now."""
    return _owner(state, DIAGNOSES, "diagnosis", 2, diagnosis_id)


def encounter_of_service_line(state: State, service_line_id: str) -> Record | None:
    """The encounter that has a service line now."""
    return _owner(state, SERVICE_LINES, "service_line", 4, service_line_id)


def _owner(state: State, written: Kind, kind: str, each: int, identifier: str) -> Record | None:
    rows = state.of(ENCOUNTERS)
    if (known := state.of(written).get(identifier)) is not None:
        return rows.get(known["encounter_id"])
    index = state.world.ids.index(kind, identifier, each * len(rows.seeded))
    return None if index is None else rows.get(rows.id_of(index // each))
