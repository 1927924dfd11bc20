"""What a payer decided on a claim (Candid: /api/insurance-adjudications/v1).

Candid has no listing of these. Here they go by the id of an ERA, which encounters show (`claims[].eras[].era_id`).
"""

from __future__ import annotations

from typing import Any

from candid_provider.emulator.endpoints.money.eras import adjustments_of, claim_of_era, posted_at
from candid_provider.emulator.endpoints.money.references import derived_id
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State


@answers("insurance_adjudications.v_1.get")
def get_adjudication(asked: Asked) -> Record:
    found = claim_of_era(asked.state, asked.id.lower())
    if found is None:
        # The only error that this endpoint declares.
        raise declared(asked.endpoint, "UnauthorizedError", {"message": "There is no such adjudication of yours"})
    era = next(era for era in found.claim["eras"] if era["era_id"] == asked.id.lower())
    return {
        "insurance_adjudication_id": asked.id.lower(),
        "payer_uuid": found.encounter["subscriber_primary"]["insurance_card"]["payer_uuid"],
        "post_date": posted_at(found.claim)[:10],
        "check_number": era["check_number"],
        "check_date": era["check_date"],
        "note": None,
        "claims": {found.claim["claim_id"]: [_claim_adjudication(asked.state, found.claim, era)]},
        "provider_level_adjustments": [],
    }


def _claim_adjudication(state: State, claim: Record, era: Record) -> Record:
    def total(name: str) -> int:
        return sum(line[f"{name}_amount_cents"] or 0 for line in claim["service_lines"])

    return {
        "claim_id": claim["claim_id"],
        "insurance_allowed_amount_cents": total("allowed"),
        "insurance_paid_amount_cents": total("paid"),
        "charge_amount_cents": total("charge"),
        "service_lines": {
            line["service_line_id"]: [_line_adjudication(state, line)] for line in claim["service_lines"]
        },
        "payer_claim_number": f"PCN{era['check_number']}",
        "carcs": [],
    }


def _line_adjudication(state: State, line: Record) -> dict[str, Any]:
    codes = [
        {
            "group_code": row["adjustment_group_code"],
            "reason_code": row["adjustment_reason_code"],
            "amount_cents": row["adjustment_amount_cents"],
        }
        for row in adjustments_of(line)
    ]
    return {
        "service_line_adjudication_id": derived_id(state, "adjudication", line["service_line_id"]),
        "denial_reason": line["denial_reason"] and line["denial_reason"]["reason"],
        "insurance_allowed_amount_cents": line["allowed_amount_cents"],
        "insurance_paid_amount_cents": line["paid_amount_cents"],
        "deductible_amount_cents": line["deductible_cents"],
        "coinsurance_amount_cents": line["coinsurance_cents"],
        "copay_amount_cents": line["copay_cents"],
        "carcs": codes,
        "rarcs": [],
    }
