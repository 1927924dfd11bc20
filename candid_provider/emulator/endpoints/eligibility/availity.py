"""Eligibility by way of Availity, which Candid is giving up (Candid: /api/eligibility/v2)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import eligibility

# Written records only: what was asked, and the instant at which the payer will have answered.
AVAILITY_CHECKS: Final = Kind("availity_check", "id")


@answers("eligibility.v_2.create_availity_eligibility_check")
def begin_check(asked: Asked) -> str:
    state, given = asked.state, completed(asked)
    checks, began = state.of(AVAILITY_CHECKS), state.clock.tick()
    seconds = 2 + state.world.ids.draw("availity-wait", len(checks)) % 60
    record = checks.add({"id": checks.new_id(), "asked": given, "ends": began + seconds * 1_000_000})
    identifier: str = record["id"]
    return identifier


def _result(state: State, record: Record) -> Record:
    given = record["asked"]
    ended = state.clock.now() >= record["ends"]
    said = _verdict(state, given["payer_id"], given["member_id"])
    return {
        "id": record["id"],
        "dateOfService": given["date_of_service"],
        "payerId": given["payer_id"],
        "providerNPI": given["provider_npi"],
        "dependent": given["dependent_member_id"],
        "status": (said.status if ended else None) or "UNKNOWN",
    }


def _verdict(state: State, payer: str, member: str) -> eligibility.Verdict:
    who = {"member_id": member, "first_name": None, "last_name": None, "date_of_birth": None}
    return eligibility.verdict(state.world.ids, payer, who)


@answers("eligibility.v_2.find_availity_eligibility_results")
def find_checks(asked: Asked) -> Record:
    wanted = completed(asked)
    when = _instant(wanted)
    rows = (row for row in asked.state.of(AVAILITY_CHECKS) if _matches(row["asked"], wanted, when))
    return {"results": [_result(asked.state, row) for row in rows]}


def _instant(given: Record) -> int | None:
    return Query([("date_of_service", given["date_of_service"])]).instant("date_of_service")


def _matches(given: Record, wanted: Record, when: int | None) -> bool:
    names = ("member_id", "payer_id", "provider_npi")
    return all(given[name] == wanted[name] for name in names) and _instant(given) == when


@answers("eligibility.v_2.get_by_id")
def get_check(asked: Asked) -> Record:
    record = found(asked, AVAILITY_CHECKS)
    return _result(asked.state, record)


@answers("eligibility.v_2.submit_eligibility_check_availity", any_query=True)
def pass_query(asked: Asked) -> Record:
    names = {name for name, _ in asked.query.pairs}
    return _coverage(asked, {name: asked.query.text(name) for name in names})


@answers("eligibility.v_2.submit_eligibility_check_availity_post")
def pass_body(asked: Asked) -> Record:
    if not isinstance(asked.body, dict):
        raise unprocessable(asked.endpoint, "body", "must be an object")
    return _coverage(asked, asked.body)


def _coverage(asked: Asked, given: dict[str, Any]) -> Record:
    """Availity's own answer, which Candid hands through; it is not described by the SDK."""
    payer, member = str(given.get("payerId") or ""), str(given.get("memberId") or "")
    if payer == eligibility.BAD_PAYER:
        content = {"fieldName": "payerId", "humanReadableMessage": "is not a payer of Availity's"}
        raise declared(asked.endpoint, "HttpRequestValidationError", content)
    said = _verdict(asked.state, payer, member)
    names = {"ACTIVE": "Active Coverage", "INACTIVE": "Inactive"}
    return {
        "id": str(said.bits),
        "status": "Complete",
        "statusCode": "4",
        "payer": {"payerId": payer or None},
        "subscriber": {"memberId": member or None},
        "plans": [] if said.rejection else [{"status": names.get(said.status or "", "Unknown")}],
        "validationMessages": [eligibility.rejection(said.rejection)["description"]] if said.rejection else [],
    }
