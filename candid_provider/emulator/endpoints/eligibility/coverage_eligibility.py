"""Eligibility of one coverage, checked in the background (Candid: /coverages/v1/{id}/eligibility)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.coverages import COVERAGE, COVERAGES
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import eligibility
from candid_provider.emulator.world.clock import EPOCH
from candid_provider.emulator.world.world import milliseconds

# Written records only: what was asked, who it concerns, and the instants at which it began and ends.
COVERAGE_CHECKS: Final = Kind(
    "coverage_eligibility_check",
    "check_id",
    indexes={
        "patient": lambda check: [check["patient_id"]],
        "coverage": lambda check: [check["coverage_id"]],
    },
)


@answers("pre_encounter.coverages.v_1.get")
def get_coverage(asked: Asked) -> Record:
    """A coverage, with the checks that were begun on it."""
    state, coverage = asked.state, COVERAGE.found(asked)
    checks = state.of(COVERAGE_CHECKS).written_with("coverage", coverage["id"])
    begun = [_metadata(state, check, check_of(state, check)) for check in checks]
    return coverage | {"eligibility_checks": begun} if begun else coverage


@answers("pre_encounter.coverages.v_1.check_eligibility")
def begin_check(asked: Asked) -> Record:
    state, checks = asked.state, asked.state.of(COVERAGE_CHECKS)
    given = completed(asked)
    coverage = state.of(COVERAGES).get(asked.id)
    if coverage is None:
        raise missing(asked.endpoint, asked.id, "Coverage")
    began, number = state.clock.tick(), len(checks)
    seconds = 3 + state.world.ids.draw("coverage-eligibility-wait", number) % 58
    record = checks.add(
        {
            "check_id": checks.new_id(),
            "coverage_id": coverage["id"],
            "patient_id": coverage["patient"],
            "number": number,
            "began": began,
            "ends": began + seconds * 1_000_000,
            "service_code": given["service_code"],
            "request": _request(coverage, given),
        }
    )
    return _metadata(state, record, None)


def _request(coverage: Record, given: Record) -> Record:
    plan, subscriber = coverage["insurance_plan"], coverage["subscriber"]
    name = subscriber["name"]
    member = {
        "member_id": plan["member_id"],
        "first_name": " ".join(name["given"]),
        "last_name": name["family"],
        "date_of_birth": subscriber.get("date_of_birth"),
    }
    return {
        **dict.fromkeys(("submitter_transaction_identifier", "dependent", "get_existing_check_initiated_after")),
        "source": None,
        "payer_id": plan["payer_id"],
        "provider": {"first_name": None, "last_name": None, "organization_name": None, "npi": given["npi"]},
        "subscriber": member,
        "encounter": {
            "date_of_service": given["date_of_service"],
            "service_type_codes": [given["service_code"]],
        },
    }


def check_of(state: State, record: Record) -> Record | None:
    """What came out of a check; None while it is under way, and when the payer did not answer."""
    request, today = record["request"], (EPOCH + timedelta(microseconds=record["began"])).date()
    said = eligibility.verdict(state.world.ids, request["payer_id"], request["subscriber"])
    if state.clock.now() < record["ends"] or said.rejection == eligibility.NO_ANSWER:
        return None
    payer = eligibility.name_of_payer(request["payer_id"], state.config.payers)
    return eligibility.check(state.world.ids, request, today, payer, record["number"])


def status_of(state: State, record: Record, check: Record | None) -> str:
    if state.clock.now() < record["ends"]:
        return "PENDING"
    return "FAILED" if check is None or check["errors"] else "COMPLETED"


def _metadata(state: State, record: Record, check: Record | None) -> Record:
    return {
        "check_id": record["check_id"],
        "service_code": record["service_code"],
        "status": status_of(state, record, check),
        "initiated_by": state.organization.user_id,
        "initiated_at": milliseconds(record["began"]),
    }


@answers("pre_encounter.coverages.v_1.get_eligibility")
def get_check(asked: Asked) -> Record:
    state, identifier = asked.state, asked.path["check_id"]
    record = state.of(COVERAGE_CHECKS).get(identifier)
    if record is None or record["coverage_id"] != asked.id.lower():
        raise missing(asked.endpoint, identifier, "Eligibility check")
    check = check_of(state, record)
    return {"metadata": _metadata(state, record, check), "check": check}
