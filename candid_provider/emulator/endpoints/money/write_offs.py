"""What was let off: a patient's, an insurance's or a third party's balance (Candid: /api/write-offs/v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.fields import positive
from candid_provider.emulator.endpoints.money.non_insurance_payers import required
from candid_provider.emulator.endpoints.money.references import Claimed
from candid_provider.emulator.endpoints.money.transactions import Listing, overlap
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, settlements
from candid_provider.emulator.world.settlements import (
    INSURANCE_ADJUSTMENTS,
    NON_INSURANCE_ADJUSTMENTS,
    PATIENT_ADJUSTMENTS,
    WRITE_OFFS,
    claim_target,
    line_target,
)
from candid_provider.emulator.world.world import microseconds

_PATIENT_REASONS: Final = (
    *("SMALL_BALANCE", "CHARITY_OR_FINANCIAL_ASSISTANCE", "PATIENT_EXPERIENCE_OR_SERVICE_RECOVERY"),
    *("OON_COURTESY_ADJUSTMENT", "PROMPT_PAY_DISCOUNT", "BAD_DEBT", "COLLECTION_AGENCY", "OTHER", "UNKNOWN"),
    *("UNCOLLECTIBLE_OR_NON_BILLABLE", "DECEASED", "BANKRUPTCY"),
)
_ACCOUNTS: Final = {
    "patient": PATIENT_ADJUSTMENTS,
    "insurance": INSURANCE_ADJUSTMENTS,
    "non_insurance_payer": NON_INSURANCE_ADJUSTMENTS,
}
_ACCOUNT_TYPES: Final = {"PATIENT": "patient", "INSURANCE": "insurance", "THIRD_PARTY_PAYER": "non_insurance_payer"}


def _moment(state: State, index: int) -> int:
    return settlements.touched_first(state.world, WRITE_OFFS.position(index))


def _make(state: State, index: int) -> Record:
    world = state.world
    number = settlements.encounter_at(world, WRITE_OFFS.position(index))
    encounter = encounters.encounter(world, state.organization, number)
    part = settlements.one_line(encounter, 1, 1)[0]
    return {
        "type": "patient",
        "write_off_id": world.ids.uuid("write_off", index),
        "write_off_timestamp": microseconds(_moment(state, index)),
        "write_off_note": None,
        "write_off_reason": _PATIENT_REASONS[world.ids.draw("write-off-reason", index) % 7],
        "custom_write_off_reason": None,
        "patient_external_id": encounter["patient"]["external_id"],
        "claim_id": part.target["claim_id"],
        "service_line_id": part.target["service_line_id"],
        "reverts_write_off_id": None,
        "reverted_by_write_off_id": None,
        "amount_cents": part.cents,
    }


WRITE_OFF: Final = Kind(
    "write_off",
    "write_off_id",
    count=lambda state: WRITE_OFFS.total(state.world),
    make=_make,
    created=_moment,
    updated=_moment,
)
_LISTING: Final = Listing(WRITE_OFF, "write_off_timestamp", ("amount_cents", "write_off_note"))


# --- listing


@answers("write_offs.v_1.get_multi")
def list_write_offs(asked: Asked) -> Record:
    query, state = asked.query, asked.state
    claim, line = query.uuid("claim_id"), query.uuid("service_line_id")
    patient, kinds = query.text("patient_external_id"), query.choices("account_types", _ACCOUNT_TYPES)
    others = query.uuid("payer_uuid"), query.uuid("billing_provider_id")
    plain = not any(others) and (not kinds or "PATIENT" in kinds)
    seeded = range(WRITE_OFFS.total(state.world)) if plain else range(0)
    if patient is not None:
        seeded = overlap(seeded, WRITE_OFFS.indices(state.world, references.encounters_of_patient(state, patient)))
    if claim is not None:
        seeded = overlap(seeded, WRITE_OFFS.indices(state.world, references.seeded_with_claim(state, claim)))
    if line is not None:
        seeded = overlap(seeded, WRITE_OFFS.indices(state.world, references.seeded_with_line(state, line)))
    return _LISTING.answer(asked, seeded, _filter(asked, {_ACCOUNT_TYPES[kind] for kind in kinds}))


def _filter(asked: Asked, kinds: set[str]) -> Callable[[Record], bool]:
    query = asked.query
    claim, line = query.uuid("claim_id"), query.uuid("service_line_id")
    patient, payer = query.text("patient_external_id"), query.uuid("payer_uuid")
    provider = query.uuid("billing_provider_id")

    def keep(row: Record) -> bool:
        target = _target(asked.state, row)
        return (
            (not kinds or row["type"] in kinds)
            and (claim is None or target.get("claim_id") == claim)
            and (line is None or target.get("service_line_id") == line)
            and (provider is None or target.get("billing_provider_id") == provider)
            and (patient is None or row.get("patient_external_id") == patient)
            and (payer is None or (row.get("payer") or {}).get("payer_uuid") == payer)
        )

    return keep


def _target(state: State, row: Record) -> Record:
    """What a write-off is for, as an allocation would say it."""
    if row["type"] == "patient":
        return {"type": "service_line", "service_line_id": row["service_line_id"], "claim_id": row["claim_id"]}
    if row["type"] == "non_insurance_payer":
        target = {"type": "service_line_id", "value": row["service_line_id"]}
    else:
        target = row["write_off_target"]
    if target["type"] == "billing_provider_id":
        return {"type": "billing_provider_id", "billing_provider_id": target["value"]}
    if target["type"] == "claim_id":
        found = references.find_claim(state, target["value"])
        return claim_target(found.encounter, found.claim) if found else {"type": "claim", "claim_id": target["value"]}
    found = references.find_line(state, target["value"])
    line = found.line(target["value"]) if found else None
    return line_target(found.encounter, line) if found and line else {"type": "unattributed"}


@answers("write_offs.v_1.get")
def get_write_off(asked: Asked) -> Record:
    return found(asked, WRITE_OFF)


# --- writing


@answers("write_offs.v_1.create")
def create_write_offs(asked: Asked) -> Record:
    rows = asked.state.of(WRITE_OFF)
    made = [_created(asked, f"write_offs.{n}", row) for n, row in enumerate(asked.body["write_offs"])]
    for record in made:
        record["write_off_id"] = rows.new_id()
        _enter(asked.state, rows.add(record))
    return {"write_offs": made}


def _enter(state: State, record: Record) -> None:
    target = _target(state, record)
    if record["type"] == "patient" and (known := references.find_claim(state, record["claim_id"])):
        target = target | {"encounter_id": known.encounter["encounter_id"]}
    row = {"amount_cents": record["amount_cents"], "target": target}
    state.ledger.post(_ACCOUNTS[record["type"]], record["write_off_id"], [row])


def _created(asked: Asked, where: str, row: Record) -> Record:
    kind = row["type"]
    shared = {
        "type": kind,
        "write_off_id": "",
        "write_off_timestamp": row["write_off_timestamp"],
        "write_off_note": row.get("write_off_note"),
        "write_off_reason": row["write_off_reason"],
        "custom_write_off_reason": row.get("custom_write_off_reason"),
        "reverts_write_off_id": None,
        "reverted_by_write_off_id": None,
        "amount_cents": positive(asked, f"{where}.amount_cents", row["amount_cents"]),
    }
    return shared | _SPECIFIC[kind](asked, row)


def _line(asked: Asked, row: Record) -> tuple[Claimed, str]:
    identifier = row["service_line_id"]
    known = references.find_line(asked.state, identifier)
    if known is None:
        raise missing(asked.endpoint, identifier)
    return known, identifier


def _of_patient(asked: Asked, row: Record) -> Record:
    known, line = _line(asked, row)
    return {"patient_external_id": known.patient, "claim_id": known.claim["claim_id"], "service_line_id": line}


def _of_third_party(asked: Asked, row: Record) -> Record:
    _known, line = _line(asked, row)
    return {"non_insurance_payer": required(asked, row["non_insurance_payer_id"]), "service_line_id": line}


def _of_insurance(asked: Asked, row: Record) -> Record:
    kind, value = row["write_off_target"]["type"], row["write_off_target"]["value"]
    exists: dict[Any, Callable[[], Any]] = {
        "service_line_id": lambda: references.find_line(asked.state, value),
        "claim_id": lambda: references.find_claim(asked.state, value),
        "billing_provider_id": lambda: references.bills(asked, value),
    }
    if not exists[kind]():
        raise missing(asked.endpoint, value)
    known = references.identified_payer(asked, row["payer_identifier"])
    return {"payer": known, "write_off_target": {"type": kind, "value": value}}


_SPECIFIC: Final = {"patient": _of_patient, "insurance": _of_insurance, "non_insurance_payer": _of_third_party}


# Candid has two endpoints at this route: an insurance write-off is an adjustment of an insurance's balance.
@answers("write_offs.v_1.revert", "write_offs.v_1.revert_insurance_balance_adjustment")
def revert_write_off(asked: Asked) -> Record:
    record, rows = found(asked, WRITE_OFF), asked.state.of(WRITE_OFF)
    if record["reverted_by_write_off_id"] or record["reverts_write_off_id"]:
        raise unprocessable(asked.endpoint, "write_off_id", "was reverted before, or is a reversal itself")
    reversal = record | {
        "write_off_id": rows.new_id(),
        "write_off_timestamp": asked.state.now(),
        "amount_cents": -record["amount_cents"],
        "reverts_write_off_id": record["write_off_id"],
    }
    rows.add(reversal)
    rows.put(record | {"reverted_by_write_off_id": reversal["write_off_id"]})
    _enter(asked.state, reversal)
    return reversal
