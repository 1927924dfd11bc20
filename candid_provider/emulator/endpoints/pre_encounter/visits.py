"""Visits: the appointments that a patient has on one day (Candid: /appointments/v1/visits)."""

from __future__ import annotations

from collections import Counter
from typing import Final

from candid_provider.emulator.catalogue import template
from candid_provider.emulator.endpoints.pre_encounter.appointments import Schedule
from candid_provider.emulator.endpoints.pre_encounter.listed import (
    dated,
    day_of,
    fits,
    shape_of_appointments,
    starting,
    with_patient,
)
from candid_provider.emulator.endpoints.pre_encounter.versioned import in_order, small, sorting
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.filters import conditions
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed

_BY_START: Final = (None, "appointment.start_time", "appointment.startTime", "appointment.startTimestamp")
_STATUSES: Final = ("NOT_READY", "PENDING", "READY", "CHECKED_IN", "CHECKED_OUT", "NO_SHOW")


@answers("pre_encounter.appointments.v_1.get_visits")
def list_visits(asked: Asked) -> Record:
    visits, (field, descending) = _visits(asked), sorting(asked)
    if field in _BY_START:
        rows = Feed(range(len(visits)), int)
        return page(asked, rows, lambda key: _visit(asked, visits[key.number]), descending=descending)
    loaded, shape = (_visit(asked, visit) for visit in visits), template(asked.endpoint.id)["items"][0]
    return page_of(asked, in_order(loaded, field or "", descending=descending, shape=shape))


@answers("pre_encounter.appointments.v_1.get_counts")
def count_visits(asked: Asked) -> Record:
    """How many of the visits are not ready, for each of the reasons."""
    reasons = ({row["not_ready_reason"] for row in visit} - {None} for visit in _visits(asked))
    counts = Counter(reason for found in reasons for reason in found)
    return {"not_ready_reason_counts": dict(sorted(counts.items()))}


def _visits(asked: Asked) -> list[list[Record]]:
    """The appointments that the filters let through, by visit, in the order in which the visits start."""
    wanted = conditions(asked.query.text("filters"), shape_of_appointments())
    dated(asked, wanted)
    schedule = Schedule(asked.state)
    rows, left = starting(schedule.feed(), wanted)
    small(len(rows), "visits")
    visits: dict[tuple[str, str], list[Record]] = {}
    test = fits(asked.state, left)
    for appointment in map(schedule.record, rows.walk()):
        if appointment is not None and not appointment["deactivated"] and test(appointment):
            visits.setdefault(day_of(appointment), []).append(appointment)
    return list(visits.values())


def _visit(asked: Asked, visit: list[Record]) -> Record:
    item = with_patient(asked.state, visit[0])
    statuses = {row["status"] or "PENDING" for row in visit}
    answer = {
        "patient_id": visit[0]["patient_id"],
        "organization_id": visit[0]["organization_id"],
        "patient": item["patient"],
        "start_time": visit[0]["start_timestamp"],
        "status": min(statuses, key=_STATUSES.index),
    }
    for place in ("primary", "secondary"):
        coverage = item[f"{place}_coverage"]
        plan = coverage["insurance_plan"] if coverage else {}
        answer[f"{place}_coverage_status"] = coverage and coverage["status"]
        answer[f"{place}_payer_name"] = plan.get("payer_name")
        answer[f"{place}_payer_plan_group_id"] = plan.get("payer_plan_group_id")
    return answer
