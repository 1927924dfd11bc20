"""Superbills: what a patient hands in to be paid back (Candid: /api/superbill/v1).

One for a patient's encounters in a range of dates; none if there are none. The seeded patients were never merged with
others, so `include_merged_patient_data` adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.files import documents
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.feed import Feed
from candid_provider.emulator.world.ranges import within

SUPERBILLS: Final = Kind("superbill", "superbill_id")


@answers("superbills.v_1.create_superbill")
def create_superbill(asked: Asked) -> Record:
    check(asked, {"patient_external_id": is_filled})
    body = completed(asked)
    first, last = (date.fromisoformat(body[name]) for name in ("date_range_min", "date_range_max"))
    if last < first:
        raise unprocessable(asked.endpoint, "date_range_max", "must not be before date_range_min")
    everything = list(_encounters(asked, body["patient_external_id"]))
    if not everything:
        raise unprocessable(asked.endpoint, "patient_external_id", "is the id of no patient with encounters")
    billed = [row for row in everything if first.isoformat() <= (row["date_of_service"] or "") <= last.isoformat()]
    return {"superbills": [_superbill(asked, body, billed)] if billed else []}


def _encounters(asked: Asked, patient: str) -> Iterator[Record]:
    world, encounters = asked.state.world, asked.state.of(ENCOUNTERS)
    number = world.ids.index("patient", patient, world.patients)
    seeded = range(0) if number is None else within(world.encounters_of(number), encounters.seeded)
    rows: Feed = encounters.by_creation(seeded)
    for key in rows.walk():
        record = encounters.created_record(key)
        if record is not None and record["patient"]["external_id"] == patient:
            yield record


def _superbill(asked: Asked, body: Record, billed: list[Record]) -> Record:
    state, superbills = asked.state, asked.state.of(SUPERBILLS)
    as_pdf = body.get("output_format") == "PDF"
    write, kind = (documents.pdf, documents.PDF) if as_pdf else (documents.docx, documents.DOCX)
    name = f"superbill_{body['date_range_min']}_{body['date_range_max']}.{'pdf' if as_pdf else 'docx'}"
    kept = superbills.add({"superbill_id": superbills.new_id()})
    return {
        **kept,
        "patient_external_id": body["patient_external_id"],
        "authed_url": state.files.url(name, write(_lines(body, billed)), kind)[0],
        "date_range_min": body["date_range_min"],
        "date_range_max": body["date_range_max"],
        "file_name": name,
    }


def _lines(body: Record, billed: list[Record]) -> list[str]:
    patient, provider = billed[0]["patient"], _plain(billed[0]["billing_provider"])
    payee = body.get("pay_to_address") or provider["address"]
    lines = [
        "Superbill (invented by an emulator)",
        f"Patient: {patient['first_name']} {patient['last_name']}, born {patient['date_of_birth']}",
        f"Pay to: {payee['address1']}, {payee['city']}, {payee['state']} {payee['zip_code']}",
    ]
    for encounter in billed:
        codes = ", ".join(row["code"] for row in encounter["diagnoses"])
        lines.append(f"{encounter['date_of_service']}: diagnoses {codes}")
        for line in (line for claim in encounter["claims"] for line in claim["service_lines"]):
            lines.append(f"    {line['procedure_code']}  {(line['charge_amount_cents'] or 0) / 100:.2f} USD")
    return lines


def _plain(fixed: Record | bytes) -> Record:
    # The parts that all seeded encounters share are JSON already.
    return fixed if isinstance(fixed, dict) else msgspec.json.decode(fixed, type=dict)
