"""Which of several payers comes first (Candid: /eligibility-checks/v1/coordination-of-benefits)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from candid_provider.emulator.endpoints.eligibility.eligibility_checks import bad_payer
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world import eligibility

_DATES: Final = ("date_of_service", "beginning_date_of_service", "end_date_of_service")
# Classification; instance exists, primacy determined, coverage overlap, benefit overlap.
_FINDINGS: Final = (
    ("CobInstanceExistsPrimacyDetermined", True, True, True, True),
    ("CobInstanceExistsPrimacyUndetermined", True, False, True, True),
    ("CoverageOverlapNoBenefitOverlap", False, False, True, False),
    ("CoverageOverlapExistsNotSubjectToCob", False, False, True, True),
    *(("MemberFoundNoCob", False, False, False, False),) * 4,
)
_TWO_YEARS: Final = timedelta(days=731)


@answers("pre_encounter.eligibility_checks.v_1.coordination_of_benefits")
def coordinate(asked: Asked) -> Record:
    request, state = _understood(asked), asked.state
    payer = request["trading_partner_service_id"]
    if payer == eligibility.BAD_PAYER:
        raise bad_payer()
    said = eligibility.verdict(state.world.ids, payer, request["subscriber"])
    rejected = [eligibility.rejection(said.rejection)] if said.rejection else None
    finding = dict(
        zip(
            ("classification", "instance_exists", "primacy_determined", "coverage_overlap", "benefit_overlap"),
            _FINDINGS[said.bits >> 20 & 7],
            strict=True,
        )
    )
    return {
        "provider": _provider(request["provider"]),
        "subscriber": _member(request["subscriber"]) | {"aaa_errors": rejected},
        "dependent": _dependent(request["dependent"]),
        "payer": {
            "name": eligibility.name_of_payer(payer, state.config.payers),
            "payer_identification": payer,
        },
        "plan_date_information": None if rejected else {"plan_begin": f"{state.now()[:4]}0101", "plan_end": None},
        "benefits_information": [],
        "errors": rejected,
        "coordination_of_benefits": None if rejected else finding,
    }


def _understood(asked: Asked) -> Record:
    """The request, with what the documentation asks of member and dates."""
    endpoint = asked.endpoint
    request = completed(asked)
    subscriber, encounter = request["subscriber"], request["encounter"]
    if not subscriber["member_id"] and not subscriber["ssn"]:
        raise unprocessable(endpoint, "subscriber.member_id", "is required, or else subscriber.ssn")
    today = date.fromisoformat(asked.state.now()[:10])
    for name in _DATES:
        if encounter[name] is None:
            continue
        try:
            served = date.fromisoformat(encounter[name])
        except ValueError:
            raise unprocessable(endpoint, f"encounter.{name}", "must be a date") from None
        if not today - _TWO_YEARS <= served <= today:
            raise unprocessable(endpoint, f"encounter.{name}", "must lie in the past 2 years")
    if (encounter[_DATES[1]] is None) != (encounter[_DATES[2]] is None):
        raise unprocessable(endpoint, "encounter", "needs both the beginning and the end, or neither")
    return request


def _provider(provider: Record) -> Record:
    return {
        "provider_name": provider["last_name"],
        "provider_first_name": provider["first_name"],
        "provider_org_name": provider["organization_name"],
        "npi": provider["npi"],
        "aaa_errors": None,
    }


def _member(person: Record) -> Record:
    unset = ("middle_name", "gender", "group_number", "birth_sequence_number", "address")
    return dict.fromkeys(unset) | person


def _dependent(person: Record | None) -> Record | None:
    if person is None:
        return None
    more = ("member_id", "relation_to_subscriber", "relation_to_subscriber_code", "aaa_errors")
    return dict.fromkeys(more) | _member(person)
