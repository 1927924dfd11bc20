"""Recommendations from eligibility checks, and votes on them (Candid: /eligibility-checks/v1/recommendation)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from candid_provider.emulator.endpoints.pre_encounter.coverages import COVERAGES
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, invalid, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import payer_id, payer_name
from candid_provider.emulator.world.people import member_id, mrn, person
from candid_provider.emulator.world.world import milliseconds

_MOST: Final = 500  # the listing has no pages
_EVERY: Final = 4
_FILTER: Final = re.compile(r"([A-Za-z_.]+)\|(eq|neq|gt|gte|lt|lte)\|(.*)")
_TESTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "eq": lambda has, wanted: has == wanted,
    "neq": lambda has, wanted: has != wanted,
    "gt": lambda has, wanted: has > wanted,
    "gte": lambda has, wanted: has >= wanted,
    "lt": lambda has, wanted: has < wanted,
    "lte": lambda has, wanted: has <= wanted,
}
_SHORT: Final = {"type": "recommendation.type", "patient_id": "patient.id"}


def _payloads(state: State, coverage: int) -> tuple[tuple[str, Record], ...]:
    payer = state.world.payer_of(coverage)
    plan = {
        "ma_benefit": None,
        "payer_id": payer_id(payer),
        "payer_name": payer_name(payer),
        "member_id": member_id(coverage),
    }
    cents = 1000 * (1 + state.world.ids.draw("copay", coverage) % 6)
    prompt = {
        "user_prompt_id": state.world.ids.uuid("eligibility_prompt", 0),
        "prompt_name": "Referral needed",
        "structured_response": False,
        "exposition": "The plan asks for no referral.",
    }
    return (
        ("MEDICARE_ADVANTAGE", plan),
        ("COPAY_ESTIMATION", {"structured_response": cents, "exposition": "Copay of an office visit, in network."}),
        ("COORDINATION_OF_BENEFITS", {"payers": [payer_id(payer)]}),
        ("MEDICAID_MANAGED_CARE", plan),
        ("USER_CONFIGURED_PROMPTS", {"results": [prompt]}),
    )


def _make(state: State, index: int) -> Record:
    world, coverage = state.world, _EVERY * index
    number = world.patient_covered(coverage)
    who = person(number, world.ids.draw("person", number))
    kind, payload = _payloads(state, coverage)[index % 5]
    return {
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 1,
        "updated_at": milliseconds(world.updated("coverage", coverage)),
        "updating_user_id": state.organization.user_id,
        "id": world.ids.uuid("eligibility_recommendation", index),
        "eligibility_check_id": world.ids.uuid("recommended_check", index),
        "recommendation": {"type": kind, "payload": payload},
        "coverage_id": world.ids.uuid("coverage", coverage),
        "patient": {
            "id": world.ids.uuid("patient", number),
            "mrn": mrn(number),
            "organization_id": state.organization.id,
            "last_name": who.family,
            "first_name": who.given,
            "date_of_birth": who.birth_date,
            "member_id": member_id(coverage),
        },
        "votes": None,
    }


RECOMMENDATIONS: Final = Kind(
    "eligibility_recommendation",
    "id",
    count=lambda state: min(_MOST, len(state.of(COVERAGES).seeded) // _EVERY),
    make=_make,
)


@answers("pre_encounter.eligibility_checks.v_1.recommendation")
def list_recommendations(asked: Asked) -> list[Record]:
    tests = [_test(part) for part in (asked.query.text("filters") or "").split(",") if part]
    return [row for row in asked.state.of(RECOMMENDATIONS) if all(test(row) for test in tests)]


def _test(part: str) -> Callable[[Record], bool]:
    match = _FILTER.fullmatch(part)
    if match is None:
        raise invalid("filters", "must be field|operator|value, separated by commas")
    field = re.sub(r"([A-Z])", lambda letter: "_" + letter[1].lower(), match[1])
    steps, test = _SHORT.get(field, field).split("."), _TESTS[match[2]]
    if _value(_make_any(), steps) is Ellipsis:
        raise invalid("filters", f"cannot filter by {match[1]}")
    return lambda row: test(_text(_value(row, steps)), match[3])


def _make_any() -> Record:
    patient = ("id", "mrn", "organization_id", "last_name", "first_name", "date_of_birth", "member_id")
    fields = ("id", "version", "updated_at", "deactivated", "eligibility_check_id", "coverage_id")
    return dict.fromkeys(fields) | {"patient": dict.fromkeys(patient), "recommendation": {"type": None}}


def _value(row: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(row, dict) or step not in row:
            return ...
        row = row[step]
    return row


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@answers("pre_encounter.eligibility_checks.v_1.vote_recommendation")
def vote(asked: Asked) -> Record:
    state, rows = asked.state, asked.state.of(RECOMMENDATIONS)
    given = completed(asked)
    record = rows.get(asked.id)
    if record is None:
        raise missing(asked.endpoint, asked.id, "Recommendation")
    version = asked.path["version"]
    if not (version.isascii() and version.isdigit()):
        raise unprocessable(asked.endpoint, "version", "must be a whole number")
    if version.lstrip("0") != str(record["version"] + 1):
        content = {"message": "version conflict", "latest_version": record["version"]}
        raise declared(asked.endpoint, "VersionConflictError", content)
    others = [vote for vote in record["votes"] or () if vote["user_id"] != given["user_id"]]
    changes = {"version": record["version"] + 1, "updated_at": state.now_ms(), "votes": [*others, given]}
    return rows.put(record | changes)
