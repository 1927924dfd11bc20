"""Which rate a service line is to be paid at, and why (Candid: /api/fee-schedules/v3/…/match, …/batch-match)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

from candid_provider.emulator.endpoints.contracts.fee_rates import RATES, SETS, in_effect
from candid_provider.emulator.endpoints.contracts.fee_schedules import threshold_of
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State

_OPTIONAL: Final = (
    *("modifiers", "facility_type_code", "state", "zip_code", "license_type", "network_types"),
    *("payer_plan_group_id", "quantity"),
)


def _checks(rate: Record, point: Record) -> dict[str, bool]:
    """Whether a rate fits a point, dimension by dimension; a rate that names no values fits all."""
    has = rate["dimensions"]

    def fits(name: str, values: list[Any]) -> bool:
        return not has[name] or not set(has[name]).isdisjoint(values)

    return {
        "payer": has["payer_uuid"] == point["payer_uuid"],
        "geography": fits("states", [point["state"]]) and fits("zip_codes", [(point["zip_code"] or "")[:5]]),
        "organization_billing_provider": (
            has["organization_billing_provider_id"] == point["organization_billing_provider_id"]
        ),
        "date_of_service": in_effect(rate, point["date_of_service"]) is not None,
        "cpt_code": has["cpt_code"].casefold() == point["cpt_code"].casefold(),
        "modifiers": set(has["modifiers"]) == set(point["modifiers"] or ()),
        "license_type": fits("license_types", [point["license_type"]]),
        "facility_type_code": fits("facility_type_codes", [point["facility_type_code"]]),
        "network_types": fits("network_types", point["network_types"] or []),
        "payer_plan_groups": fits("payer_plan_group_ids", [point["payer_plan_group_id"]]),
    }


def _match(state: State, point: Record) -> Record | None:
    """The rate that fits a point; of several, the one that says most."""
    found = [rate for rate in state.of(RATES) if all(_checks(rate, point).values())]
    return max(found, key=lambda rate: sum(bool(rate["dimensions"][name]) for name in SETS), default=None)


# --- service lines


def _point(asked: Asked) -> tuple[Record, Record]:
    """The dimensions of the service line that the path names, and the line."""
    found = references.find_line(asked.state, asked.path["service_line_id"])
    line = found.line(asked.path["service_line_id"].lower()) if found else None
    if found is None or line is None:
        raise missing(asked.endpoint, asked.path["service_line_id"])
    payer = (found.encounter["subscriber_primary"] or {}).get("insurance_card")
    if payer is None or not payer["payer_uuid"] or not line["procedure_code"]:
        message = "The service line has no procedure code, or its patient no insurance"
        raise declared(asked.endpoint, "FailedToBuildServiceLineDimensions", message)
    encounter, address = found.encounter, found.encounter["service_facility"]["address"]
    provider = references.provider(asked, str(encounter["rendering_provider"]["provider_id"]))
    point = {
        "payer_uuid": payer["payer_uuid"],
        "organization_billing_provider_id": encounter["billing_provider"]["provider_id"],
        "cpt_code": line["procedure_code"],
        "date_of_service": line["date_of_service"],
        "modifiers": line["modifiers"] or [],
        "facility_type_code": line["place_of_service_code"],
        "state": address["state"],
        "zip_code": address["zip_code"],
        "license_type": provider and provider["license_type"],
        "network_types": [payer["plan_type"]] if payer["plan_type"] else [],
        "payer_plan_group_id": payer["payer_plan_group_id"],
    }
    return point, line


def _threshold(state: State, rate: Record, point: Record, line: Record) -> Record:
    threshold, entry = threshold_of(state, point["payer_uuid"]), in_effect(rate, point["date_of_service"])
    cents = entry["rate_cents"] if entry else 0
    total, allowed = _total(cents, Decimal(line["quantity"])), line["allowed_amount_cents"]
    lower, upper = (threshold[f"{side}_threshold_cents"] for side in ("lower", "upper"))
    match = (
        allowed is not None
        and (lower is None or allowed >= total - lower)
        and (upper is None or allowed <= total + upper)
    )
    text = "The payer has not answered" if allowed is None else f"{allowed} cents were allowed, {total} agreed"
    return {"threshold": threshold, "rate_cents": cents, "match": match, "explanation": text}


def _total(cents: int, quantity: Decimal) -> int:
    return int((cents * quantity).quantize(Decimal(1), ROUND_HALF_EVEN))


@answers("fee_schedules.v_3.get_match")
def get_match(asked: Asked) -> Record | None:
    point, line = _point(asked)
    rate = _match(asked.state, point)
    if rate is None:
        return None
    return {"threshold": _threshold(asked.state, rate, point, line), "rate_id": rate["rate_id"]}


@answers("fee_schedules.v_3.test_match")
def test_match(asked: Asked) -> Record:
    point, line = _point(asked)
    rate = found(asked, RATES, asked.path["rate_id"])
    values: dict[str, Record] = {
        "payer": {"value": point["payer_uuid"]},
        "geography": {"zip_code": point["zip_code"], "state": point["state"]},
        "organization_billing_provider": {"value": point["organization_billing_provider_id"]},
        "date_of_service": {"value": point["date_of_service"]},
        "cpt_code": {"value": point["cpt_code"]},
        "modifiers": {"value": point["modifiers"]},
        "license_type": {"value": point["license_type"]},
        "facility_type_code": {"value": point["facility_type_code"]},
        "network_types": {"value": point["network_types"]},
        "payer_plan_groups": {"value": [point["payer_plan_group_id"]] if point["payer_plan_group_id"] else []},
    }
    told = {
        name: values[name] | {"match": match, "explanation": "The rate holds for it" if match else "It does not"}
        for name, match in _checks(rate, point).items()
    }
    return {"dimensions": told, "threshold": _threshold(asked.state, rate, point, line)}


# --- points that are no service lines yet


@answers("fee_schedules.v_3.batch_match")
def batch_match(asked: Asked) -> list[Record]:
    return [_matched(asked, f"{number}", given) for number, given in enumerate(asked.body)]


def _matched(asked: Asked, where: str, given: Record) -> Record:
    point: Record = dict.fromkeys(_OPTIONAL) | given
    try:
        quantity = Decimal(str(given.get("quantity") or 1))
    except InvalidOperation:
        raise unprocessable(asked.endpoint, f"{where}.quantity", "must be a decimal number") from None
    rate = _match(asked.state, point)
    if rate is None:
        return {"point": point, "match": None}
    entry = in_effect(rate, point["date_of_service"])
    more = {"matched_entry": entry, "total_cents": _total(entry["rate_cents"], quantity)}
    return {"point": point, "match": rate | more}
