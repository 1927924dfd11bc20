"""Notes of billers, kept in their encounter (Candid: /api/billing_notes/v2)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.inside_encounters import encounter_of, holder, link, linked, save
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.records.collection import Record

_NOTES: Final = linked("billing_note_added")


def _notes(encounter: Record) -> list[Record]:
    notes: list[Record] = encounter.get("billing_notes") or []
    return notes


@answers("billing_notes.v_2.create")
def create_note(asked: Asked) -> Record:
    check(asked, {"text": is_filled})
    body, state = asked.body, asked.state
    encounter = encounter_of(asked, body["encounter_id"])
    note = {
        "text": body["text"],
        "billing_note_id": link(state, _NOTES, encounter),
        "encounter_id": encounter["encounter_id"],
        "created_at": state.now(),
        "author_auth0_id": state.config.client_id,
        "author_name": "Emulated client",
        "billing_note_type": "manual",
        "billing_note_metadata": None,
    }
    save(state, {**encounter, "billing_notes": [*_notes(encounter), note]})
    return note


def _found(asked: Asked) -> tuple[Record, Record]:
    """The encounter of a note, and the note."""
    wanted = asked.id.lower()

    def note_in(encounter: Record) -> Record | None:
        return next((note for note in _notes(encounter) if note["billing_note_id"] == wanted), None)

    encounter = holder(asked.state, _NOTES, wanted, lambda encounter: note_in(encounter) is not None)
    note = None if encounter is None else note_in(encounter)
    if encounter is None or note is None:
        raise missing(asked.endpoint, asked.id)
    return encounter, note


@answers("billing_notes.v_2.update")
def update_note(asked: Asked) -> Record:
    encounter, note = _found(asked)
    if (problem := is_filled(asked.body["text"])) is not None:
        # Declared beside the list of problems that a body without a text is answered with.
        content = {"fieldName": "text", "humanReadableMessage": problem}
        raise declared(asked.endpoint, "HttpRequestValidationError", content)
    changed = {**note, "text": asked.body["text"]}
    notes = [changed if row is note else row for row in _notes(encounter)]
    save(asked.state, {**encounter, "billing_notes": notes})
    return changed


@answers("billing_notes.v_2.delete")
def delete_note(asked: Asked) -> None:
    encounter, note = _found(asked)
    save(asked.state, {**encounter, "billing_notes": [row for row in _notes(encounter) if row is not note]})
