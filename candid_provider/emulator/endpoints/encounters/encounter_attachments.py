"""Files attached to encounters (Candid: /api/encounter-attachments/v1).

One that is attached to a charge is not listed by encounter until the charge has become part of one.
"""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.inside_encounters import author, encounter_of
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State

ATTACHMENTS: Final = Kind("encounter_attachment", "attachment_id")
_OF_CHARGE: Final = ("attachment_id", "file_name", "description", "content_type", "attachment_type")
_OF_ENCOUNTER: Final = (*_OF_CHARGE, "encounter_id", "created_at", "created_by")


def attach_to_encounter(state: State, charge_external_id: str, encounter_id: str, now: int) -> None:
    """Let the attachments of a charge be those of the encounter that was made of it."""
    attachments = state.of(ATTACHMENTS)
    for record in list(attachments):
        if record["charge_capture_external_id"] == charge_external_id and record["encounter_id"] is None:
            attachments.put({**record, "encounter_id": encounter_id}, now)


def _listed(asked: Asked, field: str, value: str, names: tuple[str, ...]) -> list[Record]:
    return [
        {**{name: record[name] for name in names}, "authed_url": _url(asked, record)}
        for record in asked.state.of(ATTACHMENTS)
        if record[field] == value
    ]


def _url(asked: Asked, record: Record) -> str:
    files = asked.state.files
    return files.url(record["file_name"], files.kept(record["attachment_id"]), record["content_type"])[0]


@answers("encounter_attachments.v_1.get")
def list_attachments(asked: Asked) -> list[Record]:
    encounter = encounter_of(asked, asked.id)
    return _listed(asked, "encounter_id", encounter["encounter_id"], _OF_ENCOUNTER)


@answers("encounter_attachments.v_1.get_by_charge_capture_external_id")
def list_attachments_of_charge(asked: Asked) -> list[Record]:
    return _listed(asked, "charge_capture_external_id", asked.id, _OF_CHARGE)


@answers("encounter_attachments.v_1.create", "encounter_attachments.v_1.create_with_description")
def attach(asked: Asked) -> str:
    encounter = encounter_of(asked, asked.id)
    return _keep(asked, {"encounter_id": encounter["encounter_id"], "charge_capture_external_id": None})


@answers("encounter_attachments.v_1.create_with_charge_capture_external_id")
def attach_to_charge(asked: Asked) -> str:
    external = asked.body["charge_capture_external_id"]
    return _keep(asked, {"encounter_id": None, "charge_capture_external_id": external})


def _keep(asked: Asked, subject: Record) -> str:
    state, body, upload = asked.state, asked.body, asked.body["attachment_file"]
    record = {
        **subject,
        "attachment_id": state.of(ATTACHMENTS).new_id(),
        "file_name": upload.filename,
        "description": body.get("description") or "",
        "content_type": upload.content_type,
        "attachment_type": body["attachment_type"],
        "created_at": state.now(),
        "created_by": author(state),
    }
    state.files.keep(record["attachment_id"], upload.content)
    identifier: str = state.of(ATTACHMENTS).add(record)["attachment_id"]
    return identifier


@answers("encounter_attachments.v_1.delete")
def detach(asked: Asked) -> None:
    _remove(asked, "encounter_id", encounter_of(asked, asked.id)["encounter_id"])


@answers("encounter_attachments.v_1.delete_by_charge_capture_external_id")
def detach_from_charge(asked: Asked) -> None:
    _remove(asked, "charge_capture_external_id", asked.id)


def _remove(asked: Asked, field: str, value: str) -> None:
    attachments, identifier = asked.state.of(ATTACHMENTS), asked.body["attachment_id"]
    record = attachments.get(identifier)
    if record is None or record[field] != value:
        raise missing(asked.endpoint, identifier)
    attachments.remove(record["attachment_id"])
    asked.state.files.drop(record["attachment_id"])
