"""What is sent along with a claim (Candid: /api/encounter-supplemental-information/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.encounter_attachments import ATTACHMENTS
from candid_provider.emulator.endpoints.encounters.inside_encounters import encounter_of, save
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, given
from candid_provider.emulator.exchange.given import check
from candid_provider.emulator.records.collection import Kind, Record

SUPPLEMENTS: Final = Kind("supplemental_information", "supplemental_information_id")
_NEEDED: Final = ("attachment_report_type_code", "attachment_transmission_code", "attachment_inclusion")
_ON_CLAIM: Final = ("attachment_report_type_code", "attachment_transmission_code", "attachment_control_number")


def _of(asked: Asked, encounter: Record) -> list[Record]:
    wanted = encounter["encounter_id"]
    return [record for record in asked.state.of(SUPPLEMENTS) if record["encounter_id"] == wanted]


def _show_on_encounter(asked: Asked, encounter: Record) -> None:
    rows = [{name: record[name] for name in _ON_CLAIM} for record in _of(asked, encounter)]
    save(asked.state, {**encounter, "claim_supplemental_information": rows or None})


def _check(asked: Asked, encounter: Record) -> None:
    check(asked, {}, needed=_NEEDED)
    if (identifier := asked.body.get("attachment_id")) is not None:
        attachment = asked.state.of(ATTACHMENTS).get(identifier)
        if attachment is None or attachment["encounter_id"] != encounter["encounter_id"]:
            raise missing(asked.endpoint, identifier)


@answers("encounter_supplemental_information.v_1.get")
def list_supplements(asked: Asked) -> list[Record]:
    return _of(asked, encounter_of(asked, asked.id))


@answers("encounter_supplemental_information.v_1.create")
def create_supplement(asked: Asked) -> Record:
    encounter, supplements = encounter_of(asked, asked.id), asked.state.of(SUPPLEMENTS)
    _check(asked, encounter)
    record = completed(asked) | {"encounter_id": encounter["encounter_id"]}
    record = supplements.add({"supplemental_information_id": supplements.new_id(), **record})
    _show_on_encounter(asked, encounter)
    return record


def _found(asked: Asked) -> tuple[Record, Record]:
    encounter, identifier = encounter_of(asked, asked.id), asked.path["supplemental_information_id"]
    record = asked.state.of(SUPPLEMENTS).get(identifier)
    if record is None or record["encounter_id"] != encounter["encounter_id"]:
        raise missing(asked.endpoint, identifier)
    return encounter, record


@answers("encounter_supplemental_information.v_1.update")
def update_supplement(asked: Asked) -> Record:
    encounter, record = _found(asked)
    _check(asked, encounter)
    record = asked.state.of(SUPPLEMENTS).put(record | given(asked))
    _show_on_encounter(asked, encounter)
    return record


@answers("encounter_supplemental_information.v_1.delete")
def delete_supplement(asked: Asked) -> None:
    encounter, record = _found(asked)
    asked.state.of(SUPPLEMENTS).remove(record["supplemental_information_id"])
    _show_on_encounter(asked, encounter)
