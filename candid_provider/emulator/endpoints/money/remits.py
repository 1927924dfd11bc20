"""What was posted from a payer's answer to a claim (Candid: /api/external-consolidated-remit/v1).

Candid has no listing of remits. Here they go by the id of an ERA, which encounters show (`claims[].eras[].era_id`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from candid_provider.emulator.endpoints.money.eras import adjustments_of, claim_of_era, paid_for, posted_at
from candid_provider.emulator.endpoints.money.references import Claimed, derived_id, find_line
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.settlements import INSURANCE_ADJUSTMENTS, line_target

_TYPES: Final = ("insurance_payment", "insurance_adjustment")
REVERSALS: Final = Kind("adjustment_reversal", "id", unique="reverses")


# --- the remit and the ERAs in it


@answers("external_consolidated_remit.v_1.get_era_payments")
def list_era_payments(asked: Asked) -> Record:
    found = _required(asked)
    eras = found.claim["eras"]
    payments = [{"era_payment": _era_payment(asked.state, found, era), "is_primary": era is eras[-1]} for era in eras]
    return {"consolidated_remit_id": asked.id, "era_payments": payments}


def _required(asked: Asked) -> Claimed:
    found = claim_of_era(asked.state, asked.id.lower())
    if found is None:
        raise missing(asked.endpoint, asked.id)
    return found


def _era_payment(state: State, found: Claimed, era: Record) -> Record:
    card = found.encounter["subscriber_primary"]["insurance_card"]
    last = era is found.claim["eras"][-1]
    return {
        "id": era["era_id"],
        "era_document": {
            "id": derived_id(state, "document", era["era_id"]),
            "source": "STEDI",
            "storage_path": f"eras/{era['check_number']}.835",
            "status": "processed",
        },
        "posted_at": posted_at(found.claim),
        "payer": {
            "id": card["payer_uuid"],
            "payer_name": card["payer_name"],
            "payer_identifier": card["payer_id"],
        },
        "payment_method_code": "ACH" if paid_for(found.claim) else "NON",
        "check_eft_trace_number": era["check_number"],
        "check_issued_or_eft_effective_date": era["check_date"],
        "total_payment_amount_cents": paid_for(found.claim) if last else 0,
    }


# --- what was posted from it


@answers("external_consolidated_remit.v_1.get_transactions")
def list_transactions(asked: Asked) -> Record:
    query, found = asked.query, _required(asked)
    remits, ids = set(query.texts("era_payment_id")), set(query.texts("transaction_id"))
    types = query.choices("transaction_type", _TYPES)
    rows = [
        row
        for row in _transactions(asked.state, found)
        if (not remits or row["remit_id"] in remits)
        and (not ids or row["id"] in ids)
        and (not types or row["type"] in types)
    ]
    return page_of(asked, rows)


def _transactions(state: State, found: Claimed) -> Iterator[Record]:
    for line in found.claim["service_lines"]:
        shared = _shared(state, found, line)
        yield _payment(state, shared, line)
        if line["charge_amount_cents"] != line["allowed_amount_cents"]:
            yield from _adjustment(state, shared, line)


def _payment(state: State, shared: Record, line: Record) -> Record:
    own = {"provider_adjustment_reason_code": None, "voids_transaction_id": None}
    identifier = derived_id(state, "transaction", line["service_line_id"])
    return shared | own | {"type": _TYPES[0], "id": identifier, "amount_cents": line["paid_amount_cents"] or 0}


def _adjustment(state: State, shared: Record, line: Record) -> Iterator[Record]:
    """An adjustment, and its reversal if it was reverted."""
    identifier = _adjustment_id(state, line)
    reversal = _reversal_of(state, identifier)
    details = [row for row in adjustments_of(line) if row["adjustment_group_code"] == "CO"]
    row = shared | {
        "type": _TYPES[1],
        "id": identifier,
        "amount_cents": line["charge_amount_cents"] - (line["allowed_amount_cents"] or 0),
        "adjustment_source": "ERA",
        "adjustment_reason": "CONTRACTUAL_ADJUSTMENT",
        "carc": details[0]["adjustment_reason_code"] if details else None,
        "adjustment_details": details,
        "reverses_adjustment_id": None,
        "reverted_by_adjustment_id": reversal and reversal["id"],
    }
    yield row
    if reversal:
        yield row | {
            "id": reversal["id"],
            "created_at": reversal["created_at"],
            "is_void": True,
            "posted_at": None,
            "posted_by": None,
            "voided_at": reversal["created_at"],
            "voided_by": state.organization.user_id,
            "reverses_adjustment_id": identifier,
            "reverted_by_adjustment_id": None,
        }


def _adjustment_id(state: State, line: Record) -> str:
    number = state.world.ids.index("service_line", line["service_line_id"], 4 * state.world.encounters)
    return state.world.ids.uuid("era_adjustment", number or 0)


def _reversal_of(state: State, adjustment_id: str) -> Record | None:
    rows = state.of(REVERSALS)
    holder = rows.holder(adjustment_id)
    return None if holder is None else rows.get(holder)


def _shared(state: State, found: Claimed, line: Record) -> Record:
    moment, last = posted_at(found.claim), found.claim["eras"][-1]
    return {
        "remit_id": last["era_id"],
        "consolidated_remit_id": found.claim["eras"][0]["era_id"],
        "era_payer_name": found.encounter["subscriber_primary"]["insurance_card"]["payer_name"],
        "target_type": "SERVICE_LINE",
        "target_id": line["service_line_id"],
        "organization_service_facility_id": found.encounter["service_facility"]["service_facility_id"],
        "organization_service_facility_external_id": None,
        "created_at": moment,
        "is_void": False,
        "posted_at": moment,
        "posted_by": state.organization.user_id,
        "voided_at": None,
        "voided_by": None,
        "source": _source(state, found, line),
    }


def _source(state: State, found: Claimed, line: Record) -> Record:
    claim_payment = derived_id(state, "era-claim-payment", found.claim["claim_id"])
    lines = found.claim["service_lines"]
    return {
        "type": "era_service_payment",
        "era_service_payment": {
            "id": derived_id(state, "era-service-payment", line["service_line_id"]),
            "era_claim_payment_id": claim_payment,
            "adjudicated_procedure_code": line["procedure_code"],
            "adjudicated_modifiers": line["modifiers"] or [],
            "original_procedure_code": line["procedure_code"],
            "original_modifiers": line["modifiers"] or [],
            "allowed_amount_cents": line["allowed_amount_cents"],
            "line_item_charge_amount_cents": line["charge_amount_cents"],
            "line_item_provider_payment_amount_cents": line["paid_amount_cents"] or 0,
            "unit_of_service_paid_count": 1,
            "rarcs": [],
            "adjustments": adjustments_of(line),
        },
        "service_line_id": line["service_line_id"],
        "era_claim_payment": {
            "id": claim_payment,
            "patient_control_number": found.claim["claim_id"].replace("-", "")[:20],
            "payer_claim_control_number": f"PCN{found.claim['eras'][-1]['check_number']}",
            "claim_status_code": "1" if paid_for(found.claim) else "4",
            "total_claim_charge_amount_cents": sum(row["charge_amount_cents"] for row in lines),
            "claim_payment_amount_cents": paid_for(found.claim),
            "patient_responsibility_amount_cents": sum(row["patient_responsibility_cents"] or 0 for row in lines),
            "adjustments": [],
        },
    }


@answers("write_offs.v_1.revert_era_originated_insurance_balance_adjustment")
def revert_adjustment(asked: Asked) -> str:
    state, rows, identifier = asked.state, asked.state.of(REVERSALS), asked.id.lower()
    number = state.world.ids.index("era_adjustment", identifier, 4 * state.world.encounters)
    line_id = "" if number is None else state.world.ids.uuid("service_line", number)
    found = find_line(state, line_id)
    line = found.line(line_id) if found else None
    if found is None or line is None or not found.claim["eras"]:
        raise missing(asked.endpoint, asked.id)
    if _reversal_of(state, identifier):
        raise unprocessable(asked.endpoint, "adjustment_id", "was reverted before")
    record = {"id": rows.new_id(), "reverses": identifier, "created_at": state.now()}
    rows.add(record)
    cents = (line["allowed_amount_cents"] or 0) - line["charge_amount_cents"]
    posted = [{"amount_cents": cents, "target": line_target(found.encounter, line)}]
    state.ledger.post(INSURANCE_ADJUSTMENTS, record["id"], posted)
    return str(record["id"])
