"""Codes of an institutional claim (Candid: /api/health-care-code-informations/v1).

Its principal and other diagnoses are those of the encounter. An update replaces what it names: an entry with an id is
changed in place, one without is new, one that is not named any more is deleted, also from service lines.
"""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.claim_lives import keep
from candid_provider.emulator.endpoints.encounters.encounter_lines import POINTERS, diagnosis
from candid_provider.emulator.endpoints.encounters.inside_encounters import encounter_of, link, linked
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.world.world import microseconds

CODES: Final = Kind("health_care_codes", "encounter_id")
_ENTRIES: Final = linked("health_care_code")
_ON_ADMISSION: Final = "present_on_admission_indicator"
_LISTS: Final = (
    *("other_diagnosis_information", "patient_reasons_for_visit", "external_causes_of_injury"),
    *("other_procedure_information", "occurrence_span_information", "occurrence_information"),
    *("treatment_code_information", "value_information", "condition_information"),
)
_SINGLES: Final = ("principal_diagnosis", "admitting_diagnosis", "diagnosis_related_groups", "principal_procedure")
_PRINCIPAL: Final = ("ABK", "BK")
_OTHER: Final = ("ABF", "BF")
_OTHERS: Final = "other_diagnosis_information"
# How a diagnosis says what an entry says; it has no word for "clinically undetermined" (W).
_INDICATORS: Final = {"Y": "YES", "N": "NO", "U": "UNKNOWN", "1": "NOT_APPLICABLE"}


@answers("health_care_code_information.v_1.get_all_for_encounter")
def get_codes(asked: Asked) -> Record:
    return _codes(asked, encounter_of(asked, asked.id))


def _codes(asked: Asked, encounter: Record) -> Record:
    encounter_id = encounter["encounter_id"]
    kept = asked.state.of(CODES).get(encounter_id) or {}
    codes: dict[str, Any] = dict.fromkeys(_SINGLES) | {name: [] for name in _LISTS} | kept.get("codes", {})
    known = {row["id"]: row for row in _entries(codes)}
    main = [row for row in encounter["diagnoses"] if row["code_type"] in _PRINCIPAL]
    others = [row for row in encounter["diagnoses"] if row["code_type"] in _OTHER]
    names = ("principal_diagnosis_code_qualifier", "primary_diagnosis_code")
    codes["principal_diagnosis"] = _of_diagnosis(main[0], names, known) if main else None
    names = ("other_diagnosis_code_qualifier", "other_diagnosis")
    codes["other_diagnosis_information"] = [_of_diagnosis(row, names, known) for row in others]
    return codes


def _entries(codes: Record) -> list[Record]:
    singles = [codes[name] for name in _SINGLES if codes[name] is not None]
    return singles + [row for name in _LISTS for row in codes[name]]


def _of_diagnosis(diagnosis: Record, names: tuple[str, str], known: dict[str, Record]) -> Record:
    said = {indicator: code for code, indicator in _INDICATORS.items()}.get(diagnosis[_ON_ADMISSION])
    written = known.get(diagnosis["diagnosis_id"], {}).get(_ON_ADMISSION)
    return {
        "id": diagnosis["diagnosis_id"],
        "encounter_id": diagnosis["encounter_id"],
        names[0]: diagnosis["code_type"],
        names[1]: diagnosis["code"],
        _ON_ADMISSION: said or (written if written == "W" else None),
    }


@answers("health_care_code_information.v_1.update")
def update_codes(asked: Asked) -> Record:
    encounter = encounter_of(asked, asked.id)
    codes = _codes(asked, encounter)
    said = completed(asked)
    given = {name: _given(asked, name, said[name], codes) for name in said if said[name] is not None}
    for name, rows in given.items():
        made = [_made(asked, encounter, row) for row in rows]
        codes[name] = (made[0] if made else None) if name in _SINGLES else made
    if given.keys() & {"principal_diagnosis", _OTHERS}:
        _write_diagnoses(asked, encounter, codes)
    asked.state.of(CODES).put({"encounter_id": encounter["encounter_id"], "codes": codes})
    return codes


def _given(asked: Asked, name: str, said: Any, codes: Record) -> list[Record]:
    """The entries for a field: nothing is written before all of them are known to be there, or new."""
    single = name in _SINGLES
    rows: list[Record] = ([] if said["value"] is None else [said["value"]]) if single else said
    present = codes[name] if not single else [codes[name]] if codes[name] else []
    ids = {row["id"] for row in present}
    for row in rows:
        if row["id"] is not None and row["id"] not in ids:
            raise missing(asked.endpoint, row["id"])
    return rows


def _made(asked: Asked, encounter: Record, row: Record) -> Record:
    identifier = row["id"] or link(asked.state, _ENTRIES, encounter)
    return row | {"id": identifier, "encounter_id": encounter["encounter_id"]}


def _write_diagnoses(asked: Asked, encounter: Record, codes: Record) -> None:
    at = asked.state.clock.tick()
    main = [codes["principal_diagnosis"]] if codes["principal_diagnosis"] else []
    entries = [
        *((entry, "principal_diagnosis_code_qualifier", "primary_diagnosis_code") for entry in main),
        *((entry, "other_diagnosis_code_qualifier", "other_diagnosis") for entry in codes[_OTHERS]),
    ]
    present = {row["diagnosis_id"]: row for row in encounter["diagnoses"]}
    kept = [row for row in encounter["diagnoses"] if row["code_type"] not in (*_PRINCIPAL, *_OTHER)]
    diagnoses = [*(_diagnosis(asked, *entry, present, at) for entry in entries), *kept]
    _unpoint(encounter, {row["diagnosis_id"] for row in diagnoses})
    keep(asked.state, {**encounter, "diagnoses": diagnoses}, at)


def _diagnosis(asked: Asked, entry: Record, qualifier: str, code: str, present: dict[str, Record], at: int) -> Record:
    told = {"code_type": entry[qualifier], "code": entry[code], _ON_ADMISSION: _INDICATORS.get(entry[_ON_ADMISSION])}
    before = present.get(entry["id"])
    if before is None:
        made = diagnosis(asked.state, told, entry["encounter_id"], at, microseconds(at))
        entry["id"] = made["diagnosis_id"]
        return made
    if all(before[name] == value for name, value in told.items()):
        return before
    return {**before, **told, "updated_at": microseconds(at)}


def _unpoint(encounter: Record, kept: set[str]) -> None:
    for line in (line for claim in encounter["claims"] for line in claim["service_lines"]):
        left = [line[pointer] for pointer in POINTERS if line[pointer] in kept]
        line |= dict(zip(POINTERS, [*left, None, None, None, None], strict=False))
