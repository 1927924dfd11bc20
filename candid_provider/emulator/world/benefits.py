"""Benefits of an active plan, in Candid's shape and in Stedi's; the amounts come from random bits."""

from __future__ import annotations

from typing import Any, Final

# X12 service type codes, without 29 and 31, as Candid lists them.
_LETTERED: Final = """
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 AA AB AC AD AE AF AG AH AI AJ AK AL AM AN AO AQ AR B1 B2 B3 BA BB BC BD BE BF
    BG BH BI BJ BK BL BM BN BP BQ BR BS BT BU BV BW BX BY BZ C1 CA CB CC CD CE CF CG CH CI CJ CK CL CM CN CO CP
    CQ DG DM DS GF GN GY IC MH NI ON PT PU RN RT TC TN UC
"""
SERVICE_CODES: Final = (*(str(n) for n in range(1, 100) if n not in (29, 31)), *_LETTERED.split())
_KNOWN: Final = frozenset(SERVICE_CODES)


def _amounts(bits: int) -> tuple[float, float, float]:
    """Yearly deductible, what is left of it, and the copay of a visit, in dollars."""
    deductible = 500.0 * (1 + (bits >> 24) % 8)
    return deductible, deductible * ((bits >> 32) % 5) / 4, 10.0 * (1 + (bits >> 40) % 6)


def _value(individual: float, family: float | None = None) -> dict[str, Any]:
    return {
        "family": family,
        "individual": individual,
        "employeeAndSpouse": None,
        "employeeAndChildren": None,
    }


def _flat(kind: str, value: float) -> dict[str, Any]:
    return {
        "type": kind,
        "coverageLevel": "INDIVIDUAL",
        "unit": "CURRENCY",
        "value": value,
        "additional_notes": None,
    }


def coverage_benefits(bits: int, codes: list[str]) -> dict[str, Any]:
    """Candid: CoverageBenefits, for the service types asked for."""
    deductible, left, _ = _amounts(bits)
    in_network = {
        "deductible": _value(deductible, 2 * deductible),
        "deductible_contract": None,
        "deductible_remaining": _value(left),
        "deductible_year_to_date": _value(deductible - left),
        "oop_max": _value(4 * deductible, 8 * deductible),
        "oop_max_contract": None,
        "oop_max_remaining": _value(3 * deductible + left),
        "oop_max_year_to_date": _value(deductible - left),
        "additional_notes": None,
    }
    return {
        "plan_coverage": {
            "in_network": in_network,
            "in_network_flat": [_flat("DEDUCTIBLE", deductible), _flat("DEDUCTIBLE_REMAINING", left)],
            "out_of_network": None,
            "out_of_network_flat": None,
        },
        "service_specific_coverage": [_service(bits, code) for code in codes if code in _KNOWN],
        "benefits_related_entities": None,
        "non_covered_details": None,
        "notes": None,
        "autoUpdatedEligibilityCheckId": None,
    }


def _service(bits: int, code: str) -> dict[str, Any]:
    copay = _amounts(bits)[2]
    details = {
        "copay": _value(copay),
        "coinsurance": None,
        "visits": None,
        "visits_remaining": None,
        "additional_notes": None,
    }
    return {
        "service_code": code,
        "in_network": details,
        "in_network_flat": [_flat("COPAY", copay)],
        "out_of_network": None,
        "out_of_network_flat": None,
    }


def raw_benefits(bits: int, codes: list[str]) -> list[dict[str, Any]]:
    """The same amounts as Stedi writes them: dollars as text."""
    deductible, _, copay = _amounts(bits)
    rows = (("C", "Deductible", deductible), ("B", "Co-Payment", copay))
    return [
        {
            "code": code,
            "name": name,
            "coverageLevelCode": "IND",
            "serviceTypeCodes": codes,
            "benefitAmount": f"{amount:.2f}",
            "inPlanNetworkIndicatorCode": "Y",
        }
        for code, name, amount in rows
    ]
