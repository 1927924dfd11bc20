"""What endpoints about eligibility, insurance discovery and pre-service rules need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .office import Office

Row = dict[str, Any]
Recipe = Callable[["Office"], Row]
_CHECKS: Final = "pre_encounter.eligibility_checks.v_1"
_COVERAGES: Final = "pre_encounter.coverages.v_1"
_AVAILITY: Final = {"member_id": "MEMQZX12345", "payer_id": "60054", "date_of_service": "2026-03-15T09:00:00Z"}


def _coverage_check(office: Office) -> Row:
    coverage = office.made(f"{_COVERAGES}.create")["id"]
    check = office.made(f"{_COVERAGES}.check_eligibility", id=coverage)["check_id"]
    office.advance(hours=1)
    return {"id": coverage, "check_id": check}


def _discovered(office: Office) -> Row:
    patient = office.value("patient_id")
    check = office.made(f"{_COVERAGES}.check_insurance_discovery", patient_id=patient)["check_id"]
    office.advance(hours=1)
    return {"patient_id": patient, "check_id": check}


def _discovered_patient(office: Office) -> Row:
    return {"patient_id": _discovered(office)["patient_id"]}


def _discovery(office: Office) -> Row:
    return {"check_id": _discovered(office)["check_id"]}


def _batch(office: Office) -> Row:
    checks = [office.request(f"{_CHECKS}.batch").body[0] for _ in range(12)]
    batch = office.made(f"{_CHECKS}.batch", body=checks)["batch_id"]
    office.advance(hours=9)
    return {"batch_id": batch}


def _member(office: Office) -> Row:
    subscriber = {"first_name": "Adaqvexzo", "last_name": "Lovelaceqvexzo", "date_of_birth": "1990-01-01"}
    return {"subscriber": subscriber | {"member_id": f"MEMQZX{office.number()}"}}


def _ballot(office: Office) -> Row:
    rows = office.rows(f"{_CHECKS}.recommendation")
    row = next(row for row in rows if office.is_new(row["id"]))
    return {"recommendation_id": row["id"], "version": str(row["version"] + 1)}


def _run(office: Office) -> Row:
    pipeline = office.first("pre_service_rules.v_1.get_pipelines")["id"]
    return {"pipeline_id": pipeline, "idempotency_key": office.fresh("run")}


def _finished_run(office: Office) -> Row:
    run = office.made("pre_service_rules.v_1.create_encounter_run")
    office.advance(hours=1)
    return {"run_id": run}


def _availity(_: Office) -> Row:
    return _AVAILITY | {"provider_npi": "1999999984"}


def _availity_check(office: Office) -> Row:
    return _availity(office) | {"service_type_codes": ["30"]}


def _availity_answer(office: Office) -> Row:
    check = office.made("eligibility.v_2.create_availity_eligibility_check")
    office.advance(hours=1)
    return {"eligibility_check_id": check}


def _availity_answers(office: Office) -> Row:
    _availity_answer(office)
    return _availity(office)


ELIGIBILITY: Final[Mapping[str, Recipe]] = {
    f"{_COVERAGES}.get_eligibility": _coverage_check,
    f"{_COVERAGES}.get_insurance_discovery": _discovery,
    f"{_COVERAGES}.get_insurance_discovery_check_metadata": _discovered_patient,
    f"{_CHECKS}.poll_batch": _batch,
    f"{_CHECKS}.coordination_of_benefits": _member,
    f"{_CHECKS}.vote_recommendation": _ballot,
    "pre_service_rules.v_1.create_encounter_run": _run,
    "pre_service_rules.v_1.get_run": _finished_run,
    "eligibility.v_2.create_availity_eligibility_check": _availity_check,
    "eligibility.v_2.get_by_id": _availity_answer,
    "eligibility.v_2.find_availity_eligibility_results": _availity_answers,
}
