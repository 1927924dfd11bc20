"""Allocations: what the parts of a payment, refund or write-off are for."""

from __future__ import annotations

from collections.abc import Iterable

from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.fields import positive
from candid_provider.emulator.endpoints.money.references import Claimed
from candid_provider.emulator.endpoints.pre_encounter.appointments import APPOINTMENTS
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.settlements import Part, claim_target, line_target


def seeded(state: State, kind: str, index: int, parts: Iterable[Part], moment: str) -> list[Record]:
    """The allocations of a seeded transaction."""
    new_id = state.world.ids.uuid
    return [
        _allocation(new_id(f"{kind}-allocation", 8 * index + number), part.cents, part.target, moment)
        for number, part in enumerate(parts)
    ]


def resolve(asked: Asked, identifier: str, patient: str | None) -> list[Record]:
    """The allocations of a request; refused if they do not add up, or are for what does not exist."""
    body, moment = asked.body, asked.state.now()
    amount = positive(asked, "amount_cents", body["amount_cents"])
    rows = []
    for number, row in enumerate(body["allocations"]):
        where = f"allocations.{number}"
        cents = positive(asked, f"{where}.amount_cents", row["amount_cents"])
        target = _target(asked, where, row["target"], patient)
        new_id = references.derived_id(asked.state, f"written-{asked.endpoint.id}-allocation", identifier, number)
        rows.append(_allocation(new_id, cents, target, moment, _earmark(asked, where, row, new_id, target)))
    if sum(row["amount_cents"] for row in rows) != amount:
        raise unprocessable(asked.endpoint, "allocations", "must add up to amount_cents")
    return rows


def _allocation(identifier: str, cents: int, target: Record, moment: str, earmark: Record | None = None) -> Record:
    row = {"allocation_id": identifier, "amount_cents": cents, "target": target}
    return row | {"earmark": earmark, "allocated_on": moment}


def _earmark(asked: Asked, where: str, row: Record, allocation_id: str, target: Record) -> Record | None:
    wanted = row.get("earmark")
    if wanted is None:
        return None
    if target["type"] != "unattributed":
        raise unprocessable(asked.endpoint, f"{where}.earmark", "is for unattributed allocations")
    return {
        "id": references.derived_id(asked.state, "earmark", allocation_id),
        "target": wanted,
        "amount_earmarked_cents": row["amount_cents"],
        "created_by_allocation_id": allocation_id,
    }


def _target(asked: Asked, where: str, wanted: Record, patient: str | None) -> Record:
    kind, value, state = wanted["type"], wanted.get("value", ""), asked.state
    if kind == "unattributed":
        return {"type": kind}
    if kind == "billing_provider_by_id":
        if not references.bills(asked, value):
            raise missing(asked.endpoint, value)
        return {"type": "billing_provider_id", "billing_provider_id": value}
    if kind == "appointment_by_id_and_patient_external_id":
        return _appointment(asked, wanted)
    find = {
        "service_line_by_id": references.find_line,
        "claim_by_id": references.find_claim,
        "claim_by_encounter_external_id": references.find_by_encounter_external_id,
    }[kind]
    found = find(state, value)
    if found is None:
        raise missing(asked.endpoint, value)
    if patient is not None and found.patient != patient:
        raise unprocessable(asked.endpoint, f"{where}.target", "belongs to another patient")
    line = found.line(value.lower()) if kind == "service_line_by_id" else None
    return line_target(found.encounter, line) if line else claim_target(found.encounter, found.claim)


def _appointment(asked: Asked, wanted: Record) -> Record:
    identifier, patient = wanted["appointment_id"], wanted["patient_external_id"]
    found = asked.state.of(APPOINTMENTS).get(identifier)
    if found is None or found["patient_id"] != patient:
        raise missing(asked.endpoint, identifier)
    return {"type": "appointment", "appointment_id": identifier, "patient_external_id": patient}


def is_for(rows: list[Record], field: str, value: str) -> bool:
    """Whether a part is for the service line, claim or billing provider with this id."""
    return any(row["target"].get(field) == value for row in rows)


def encounter_at(asked: Asked, target: Record) -> Claimed | None:
    """The claim that a target is, or is a line of."""
    return references.find_claim(asked.state, target["claim_id"]) if "claim_id" in target else None
