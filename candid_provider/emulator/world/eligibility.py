"""What payers say to an eligibility check: a function of the seed, the payer and the member."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Final, NamedTuple

from candid_provider.emulator.world.benefits import coverage_benefits, raw_benefits
from candid_provider.emulator.world.identifiers import Identifiers
from candid_provider.emulator.world.organization import payer_name

SANDBOX_PAYERS: Final = {"60054": "Aetna", "87726": "UnitedHealthcare"}
BAD_PAYER: Final = "BAD_PAYER_ID"
NO_ANSWER: Final = "42"
_REASONS: Final = {
    NO_ANSWER: "Unable to Respond at Current Time",
    "43": "Invalid/Missing Provider Identification",
    "72": "Invalid/Missing Subscriber/Insured ID",
    "73": "Invalid/Missing Subscriber/Insured Name",
    "75": "Subscriber/Insured Not Found",
    "79": "Invalid Participant Identification",
}
# The fixtures that Candid publishes for its staging environment.
_SANDBOX_ACTIVE: Final = {("60054", "AETNA12345"), ("60054", "AETNA9wcSu")}
_SANDBOX_REJECTED: Final = {("87726", f"UHCAAA{code}"): code for code in _REASONS}
_FIRST_WORLD_PAYER: Final = 10_000


class Verdict(NamedTuple):
    """A payer's answer: the status of the plan, or why the check was rejected; and random bits for the rest."""

    status: str | None
    rejection: str | None
    bits: int


def bits_of(ids: Identifiers, kind: str, *said: str | None) -> int:
    """64 random bits that belong to what a request says."""
    digest = hashlib.blake2b("\0".join(part or "" for part in said).encode(), digest_size=8).digest()
    return ids.draw(kind, int.from_bytes(digest, "big"))


def verdict(ids: Identifiers, payer: str, member: dict[str, Any]) -> Verdict:
    """What a payer says of a member; the same each time it is asked."""
    number = (member["member_id"] or "").strip()
    name = () if number else (member["first_name"], member["last_name"], member["date_of_birth"])
    bits = bits_of(ids, "eligibility", payer, number, *name)
    if (payer, number) in _SANDBOX_ACTIVE:
        return Verdict("ACTIVE", None, bits)
    if code := _SANDBOX_REJECTED.get((payer, number)):
        return Verdict(None, code, bits)
    place = bits % 100
    if place >= 88:
        return Verdict(None, ("75", "75", "72", "73")[bits >> 8 & 3], bits)
    return Verdict("ACTIVE" if place < 72 else "INACTIVE" if place < 84 else "UNKNOWN", None, bits)


def name_of_payer(payer: str, payers: int) -> str:
    """Name of a payer of the world (which has `payers`) or of the fixtures; an unknown one is called by its id."""
    if payer in SANDBOX_PAYERS:
        return SANDBOX_PAYERS[payer]
    number = int(payer) - _FIRST_WORLD_PAYER if payer.isascii() and payer.isdigit() and len(payer) == 5 else -1
    return payer_name(number) if 0 <= number < payers else f"Payer {payer}"


def rejection(code: str) -> dict[str, Any]:
    """An AAA error as Stedi gives it; the SDK's model does not know these names and keeps them as extras."""
    resubmit = code == NO_ANSWER
    return {
        "field": "AAA",
        "code": code,
        "description": _REASONS[code],
        "followupAction": "Resubmission Allowed" if resubmit else "Please Correct and Resubmit",
        "location": "Loop 2100A" if resubmit else "Loop 2100B" if code == "43" else "Loop 2100C",
        "possibleResolutions": "Try again later" if resubmit else "Check what was sent against the insurance card",
    }


def check(
    ids: Identifiers, request: dict[str, Any], today: date, payer: str, control: int, batch_id: str | None = None
) -> dict[str, Any]:
    """A finished check (Candid: EligibilityCheck). `payer` is the payer's name, `control` numbers the check."""
    said = verdict(ids, request["payer_id"], request["subscriber"])
    errors = _errors(request, said)
    parsed = None if errors else _parsed(request, said, today, payer)
    return {
        "batch_id": batch_id,
        "errors": errors,
        "request": request
        | {"provider": _provider(request["provider"]), "portal_password": None, "portal_username": None},
        "response": _raw(request, said, control, payer, errors),
        "parsed_response": parsed,
        "request_corrections": None if errors else _corrections(request["subscriber"]),
    }


def _provider(given: dict[str, Any]) -> dict[str, Any]:
    """Who asked: an organization or a person; the SDK has a model of each."""
    names = ("organization_name",) if given["organization_name"] else ("first_name", "last_name")
    return {name: given[name] for name in (*names, "npi")}


def _errors(request: dict[str, Any], said: Verdict) -> list[dict[str, Any]] | None:
    npi = request["provider"]["npi"]
    if not (len(npi) == 10 and npi.isascii() and npi.isdigit()):
        return [{"source": "CANDID", "errorDetails": _problem("provider.npi", None, "NPI must have 10 digits")}]
    if request["payer_id"] == BAD_PAYER:
        return [{"source": "STEDI", "errorDetails": bad_payer()}]
    return [{"source": "STEDI", "errorDetails": rejection(said.rejection)}] if said.rejection else None


def bad_payer() -> dict[str, Any]:
    """Stedi's word on a payer that it does not know."""
    return _problem("tradingPartnerServiceId", "33", "The payer ID is not that of a supported payer")


def _problem(field: str, code: str | None, description: str) -> dict[str, Any]:
    return {
        "field": field,
        "code": code,
        "description": description,
        "followupAction": "Please Correct and Resubmit",
        "location": None,
        "possibleResolutions": None,
    }


def _corrections(member: dict[str, Any]) -> list[dict[str, str]] | None:
    given = member["member_id"]
    if given is None or given == given.strip():
        return None
    return [{"property": "subscriber.member_id", "request_value": given, "corrected_value": given.strip()}]


def _served(request: dict[str, Any], today: date) -> date:
    asked = (request["encounter"] or {}).get("date_of_service")
    return date.fromisoformat(asked) if asked else today


def _codes(request: dict[str, Any]) -> list[str]:
    return (request["encounter"] or {}).get("service_type_codes") or ["30"]


def _parsed(request: dict[str, Any], said: Verdict, today: date, payer: str) -> dict[str, Any]:
    active = said.status == "ACTIVE"
    return {
        "eligibility_status": said.status,
        "plan_metadata": plan(request, said, _served(request, today), payer),
        "benefits": coverage_benefits(said.bits, _codes(request)) if active else None,
    }


def plan(request: dict[str, Any], said: Verdict, served: date, payer: str) -> dict[str, Any]:
    """What the payer tells of the plan (Candid: PlanMetadata)."""
    year = max(served.year, 2)
    start = date(year, 1, 1) if said.status == "ACTIVE" else date(year - 1, 1, 1)
    end = date(year - 1, 12, 31).isoformat() if said.status == "INACTIVE" else None
    group = f"GRP{said.bits >> 16 & 0xFFFF:05d}"
    return {
        "payer_name": payer,
        "insurance_type": "Preferred Provider Organization (PPO)",
        "insurance_type_code": "PR",
        "plan_name": f"{payer} PPO",
        "member_id": (request["subscriber"]["member_id"] or "").strip() or None,
        "group_number": group,
        "start_date": start.isoformat(),
        "end_date": end,
        "plan_dates": [{"start_date": start.isoformat(), "end_date": end, "field_name": "plan"}],
        "subscriber": _member(request["subscriber"], group),
        "dependent": _member(request["dependent"], group) if request["dependent"] else None,
        "trading_partner": request["payer_id"],
    }


def _member(member: dict[str, Any], group: str) -> dict[str, Any]:
    unset = dict.fromkeys(("middle_name", "gender", "address"))
    return unset | member | {"group_number": group}


def _raw(
    request: dict[str, Any], said: Verdict, control: int, payer: str, errors: list[dict[str, Any]] | None
) -> dict[str, Any]:
    """Stedi's own answer, which Candid hands through."""
    subscriber = request["subscriber"]
    statuses = {"ACTIVE": ("1", "Active Coverage"), "INACTIVE": ("6", "Inactive")}
    status = None if errors else statuses.get(said.status or "")
    return {
        "controlNumber": f"{control:09d}",
        "tradingPartnerServiceId": request["payer_id"],
        "provider": {"npi": request["provider"]["npi"]},
        "subscriber": {
            "memberId": subscriber["member_id"],
            "firstName": subscriber["first_name"],
            "lastName": subscriber["last_name"],
            "dateOfBirth": (subscriber["date_of_birth"] or "").replace("-", "") or None,
        },
        "payer": {"name": payer, "payorIdentification": request["payer_id"]},
        "planStatus": [{"statusCode": status[0], "status": status[1], "serviceTypeCodes": _codes(request)}]
        if status
        else [],
        "benefitsInformation": raw_benefits(said.bits, _codes(request)) if status and said.status == "ACTIVE" else [],
        "errors": [error["errorDetails"] for error in errors or ()],
    }
