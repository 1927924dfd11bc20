"""Notes (Candid: /notes/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, latest_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record

NOTES: Final = Kind("note", "id", versioned=True)
_NOTE: Final = Resource(NOTES, "Note")


def _fields(asked: Asked) -> Record:
    fields = completed(asked)
    return {**fields, "type": fields["type"] or "GENERAL"}


@answers("pre_encounter.notes.v_1.get")
def get_note(asked: Asked) -> Record:
    return _NOTE.found(asked)


@answers("pre_encounter.notes.v_1.create")
def create_note(asked: Asked) -> Record:
    fields = _fields(asked)
    return _NOTE.created(asked, {**fields, "created_at": asked.state.now_ms()})


@answers("pre_encounter.notes.v_1.update")
def update_note(asked: Asked) -> Record:
    note = _NOTE.found(asked)
    latest_version(asked, note)
    return _NOTE.updated(asked, note, _fields(asked))


@answers("pre_encounter.notes.v_1.deactivate")
def deactivate_note(asked: Asked) -> None:
    note = _NOTE.found(asked)
    latest_version(asked, note)
    _NOTE.updated(asked, note, {"deactivated": True})
