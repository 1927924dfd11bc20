"""Coverages (Candid: /coverages/v1)."""

from __future__ import annotations

from datetime import date
from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENT, PATIENTS
from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, active, next_version, small
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.filters import bad_request
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import pre_encounter

_MOST: Final = 1000


def _plan_groups(coverage: Record) -> list[str]:
    group = coverage["insurance_plan"]["payer_plan_group_id"]
    return [group] if group else []


COVERAGES: Final = Kind(
    "coverage",
    "id",
    count=lambda state: state.world.coverages,
    make=lambda state, index: pre_encounter.coverage(state.world, state.organization, index),
    updated=lambda state, index: state.world.updated("coverage", index),
    indexes={"patient": lambda coverage: [coverage["patient"]], "plan_group": _plan_groups},
    versioned=True,
    deactivated=lambda state: pre_encounter.deactivated_rows(state.world.coverages),
)
COVERAGE: Final = Resource(
    COVERAGES,
    "Coverage",
    lambda coverage: {"coverage_id": coverage["id"], "patient_id": coverage["patient"]},
)


def coverages_of(state: State, patient_id: str) -> list[Record]:
    """All coverages of a patient, deactivated ones included."""
    coverages, patient_id = state.of(COVERAGES), patient_id.lower()
    number = state.of(PATIENTS).index_of(patient_id)
    numbers = () if number is None else state.world.coverages_of(number)
    seeded = (coverages.seeded_record(index) for index in numbers if not coverages.is_changed(index))
    return [row for row in seeded if row is not None] + coverages.written_with("patient", patient_id)


@answers("pre_encounter.coverages.v_1.get_multi")
def list_coverages(asked: Asked) -> list[Record]:
    patient, coverages = asked.query.text("patient_id"), asked.state.of(COVERAGES)
    if patient is not None:
        return active(coverages_of(asked.state, patient))
    small(len(coverages), "an unpaged list")
    return active(coverages)


@answers("pre_encounter.coverages.v_1.get_multi_paginated")
def page_coverages(asked: Asked) -> Record:
    query, coverages = asked.query, asked.state.of(COVERAGES)
    patient, group = query.text("patient_id"), query.uuid("payer_plan_group_id")
    if patient is None and group is None:
        rows, load = coverages.by_creation(), coverages.created_record
        return page(asked, rows, load, keep=lambda row: not row["deactivated"], total=lambda: coverages.active)
    found = (
        coverages.written_with("plan_group", group or "") if patient is None else coverages_of(asked.state, patient)
    )
    return page_of(asked, [row for row in active(found) if group is None or group in _plan_groups(row)])


@answers("pre_encounter.coverages.v_1.scan")
def scan_coverages(asked: Asked) -> list[Record]:
    return COVERAGE.scanned(asked)


@answers("pre_encounter.coverages.v_1.get_history")
def get_coverage_history(asked: Asked) -> list[Record]:
    """The versions of a coverage that changed from day `start` to day `end`."""
    query = asked.query
    first, last = query.day("start") or date.min, query.day("end") or date.max
    manual = query.boolean("non_auto_updated_coverages_only")
    descending = query.choice("sort_direction", ("asc", "desc")) == "desc"
    limit = _history_limit(query.text("limit"))
    if first > last:
        raise bad_request("start must not be after end")
    days = (first.isoformat(), last.isoformat())
    rows = [row for row in COVERAGE.history(asked) if days[0] <= row["updated_at"][:10] <= days[1]]
    rows = [row for row in rows if not (manual and (row["benefits"] or {}).get("autoUpdatedEligibilityCheckId"))]
    return (rows[::-1] if descending else rows)[:limit]


def _history_limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= _MOST):
        raise bad_request(f"limit must be between 0 and {_MOST}")
    return int(text)


@answers("pre_encounter.coverages.v_1.create")
def create_coverage(asked: Asked) -> Record:
    return COVERAGE.created(asked, _fields(asked))


@answers("pre_encounter.coverages.v_1.update")
def update_coverage(asked: Asked) -> Record:
    coverage = COVERAGE.found(asked)
    next_version(asked, coverage)
    return COVERAGE.updated(asked, coverage, _fields(asked))


def _fields(asked: Asked) -> Record:
    fields = completed(asked)
    return {**fields, "patient": PATIENT.found(asked, fields["patient"])["id"]}


@answers("pre_encounter.coverages.v_1.batch_update_ppg")
def update_plan_group(asked: Asked) -> None:
    """Give every coverage of a payer plan group the group's new fields, all at one instant."""
    fields, state = completed(asked), asked.state
    found = state.of(COVERAGES).written_with("plan_group", asked.path["ppg_id"].lower())
    at = state.clock.tick()
    for coverage in found:
        COVERAGE.changed(state, coverage, {"insurance_plan": {**coverage["insurance_plan"], **fields}}, at)
