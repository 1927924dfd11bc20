"""Tasks: what claims wait for (Candid: /api/tasks/v3). Two statuses can be listed but no longer be set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, invalid, not_emulated
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import given
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.exchange.paging import page, page_of, sorted_by
from candid_provider.emulator.records.collection import Collection, Kind, Record
from candid_provider.emulator.records.feed import Feed
from candid_provider.emulator.world import task_records
from candid_provider.emulator.world.encounters import index_of_external_id
from candid_provider.emulator.world.organization import CLINICIANS
from candid_provider.emulator.world.ranges import within
from candid_provider.emulator.world.task_records import CATEGORIES, EVERY, STATUSES, TYPES
from candid_provider.emulator.world.world import microseconds

TASKS: Final = Kind(
    "task",
    "task_id",
    count=lambda state: state.world.encounters // EVERY,
    make=task_records.task,
    created=task_records.created,
    updated=task_records.updated,
)
DEPRECATED: Final = ("sent_to_provider_group", "addressed_by_provider_group")
_FIELDS: Final = (
    *("updated_at", "patient_name", "patient_external_id", "payer_name", "payer_id", "status", "task_type"),
    *("category", "agg_updated_at", "date_of_service", "blocks_claim_submission"),
)
_SORTS: Final = tuple(f"{field}:{way}" for field in _FIELDS for way in ("asc", "desc"))
_MOST_SORTED: Final = 50_000
Filter = Callable[[Record], bool]


@answers("tasks.v_3.get_multi")
def list_tasks(asked: Asked) -> Record:
    tasks = asked.state.of(TASKS)
    field, _, way = (asked.query.choice("sort", _SORTS) or "updated_at:desc").partition(":")
    rows, keep = _rows(asked, tasks), _filter(asked)
    if field == "updated_at":
        return page(asked, rows, tasks.updated_record, keep=keep, descending=way == "desc")
    if len(rows) > _MOST_SORTED:
        raise not_emulated(f"{asked.endpoint.id} sorted by {field} for more than {_MOST_SORTED} tasks")
    loaded = (tasks.updated_record(key) for key in rows.walk())
    kept = [task for task in loaded if task is not None and keep(task)]
    return page_of(asked, sorted_by(kept, field, descending=way == "desc"))


def _rows(asked: Asked, tasks: Collection) -> Feed:
    query, world = asked.query, asked.state.world
    first, last = query.day("date_of_service_min"), query.day("date_of_service_max")
    seeded = range(0, len(tasks.seeded) * EVERY, EVERY)
    if first is not None or last is not None:
        seeded = within(seeded, world.served_between(first, last))
    for index in _places(asked):
        seeded = range(0) if index is None else within(seeded, range(index, index + 1))
    tasks_of = range(seeded.start // EVERY, -(-seeded.stop // EVERY))
    return tasks.by_update(tasks_of).between(query.instant("updated_since"), None)


def _places(asked: Asked) -> Iterable[int | None]:
    """Seeded encounters that the tasks must be about; None for one that is not seeded."""
    query, world = asked.query, asked.state.world
    if (encounter := query.uuid("encounter_id")) is not None:
        yield world.ids.index("encounter", encounter, world.encounters)
    if (term := query.text("search_term")) is not None:
        found = (world.ids.index(kind, term, world.encounters) for kind in ("encounter", "claim"))
        yield next((index for index in found if index is not None), _place_of_task(asked, term))


def _place_of_task(asked: Asked, term: str) -> int | None:
    index = asked.state.of(TASKS).index_of(term)
    return index_of_external_id(term) if index is None else task_records.encounter_of(index)


def _filter(asked: Asked) -> Filter:
    filters = [*_choices(asked), *_comparisons(asked), *_search(asked), *_billed_by(asked)]
    return lambda task: all(fits(task) for fits in filters)


def _choices(asked: Asked) -> Iterable[Filter]:
    query = asked.query
    for field, one, many, allowed in (
        ("status", "status", "statuses", STATUSES),
        ("task_type", "task_type", "task_types", TYPES),
        ("category", None, "categories", CATEGORIES),
    ):
        if one is not None and (value := query.choice(one, allowed)) is not None:
            yield _is_in(field, {value})
        if (text := query.text(many)) is not None:
            values = {part.strip() for part in text.split(",") if part.strip()}
            if not values <= set(allowed):
                raise invalid(many, "has a value that is not one of the known ones")
            yield _is_in(field, values)


def _is_in(field: str, values: set[str]) -> Filter:
    return lambda task: task[field] in values


def _comparisons(asked: Asked) -> Iterable[Filter]:
    query = asked.query
    if (encounter := query.uuid("encounter_id")) is not None:
        yield _is_in("encounter_id", {encounter})
    if (first := query.day("date_of_service_min")) is not None:
        yield lambda task: task["date_of_service"] >= first.isoformat()
    if (last := query.day("date_of_service_max")) is not None:
        yield lambda task: task["date_of_service"] <= last.isoformat()
    if (assignee := query.uuid("assigned_to_id")) is not None:
        yield lambda task: any(row["assignee_user_id"] == assignee for row in task["assignments"])


def _search(asked: Asked) -> Iterable[Filter]:
    term = asked.query.text("search_term")
    if term is not None:
        claim = asked.state.world.ids.index("claim", term, asked.state.world.encounters)
        encounter = None if claim is None else asked.state.of(ENCOUNTERS).id_of(claim)
        wanted = {term, term.lower(), encounter}
        names = ("task_id", "encounter_id", "external_id")
        yield lambda task: any(task[name] in wanted for name in names) or _has_claim(asked, task, term.lower())


def _has_claim(asked: Asked, task: Record, claim_id: str) -> bool:
    """Whether the encounter of a task was created by a request and has this claim."""
    encounters = asked.state.of(ENCOUNTERS)
    if encounters.index_of(task["encounter_id"]) is not None:
        return False
    encounter = encounters.get(task["encounter_id"])
    return encounter is not None and any(claim["claim_id"] == claim_id for claim in encounter["claims"])


def _billed_by(asked: Asked) -> Iterable[Filter]:
    npi = asked.query.text("billing_provider_npi")
    if npi is None:
        return
    encounters, own = asked.state.of(ENCOUNTERS), asked.state.organization.npi(CLINICIANS)

    def fits(task: Record) -> bool:
        index = encounters.index_of(task["encounter_id"])
        if index is not None and not encounters.is_changed(index):
            return npi == own
        encounter = encounters.get(task["encounter_id"])
        return encounter is not None and encounter["billing_provider"]["npi"] == npi

    yield fits


@answers("tasks.v_3.get")
def get_task(asked: Asked) -> Record:
    return found(asked, TASKS)


@answers("tasks.v_3.get_actions")
def list_actions(asked: Asked) -> Record:
    if get_task(asked)["status"] == "finished":
        return {"actions": []}
    ways = {"close_task": "Close task", "close_task_and_reprocess": "Close task and reprocess claim"}
    method = {"type": "close_task"}
    return {
        "actions": [{"display_name": text, "execution_method": method, "type": way} for way, text in ways.items()]
    }


@answers("tasks.v_3.create")
def create_task(asked: Asked) -> Record:
    check(asked, {"description": is_filled})
    body = asked.body
    encounter = found(asked, ENCOUNTERS, body["encounter_id"])
    at = asked.state.clock.tick()
    return asked.state.of(TASKS).add(_new(asked, body, encounter, microseconds(at)), at)


def _new(asked: Asked, body: Record, encounter: Record, now: str) -> Record:
    state, tasks = asked.state, asked.state.of(TASKS)
    task_id, number = tasks.new_id(), len(tasks)
    assignment = state.world.ids.uuid("task_assignment", number)
    return {
        **task_records.subject_of(encounter, now[:10]),
        "task_id": task_id,
        "task_type": body["task_type"],
        "description": body["description"],
        "blocks_claim_submission": bool(body.get("blocks_claim_submission")),
        "status": "open",
        "notes": [],
        **dict.fromkeys(("created_at", "updated_at", "agg_updated_at"), now),
        "assignments": [{"task_assignment_id": assignment, "assignee_user_id": body.get("assignee_user_id")}],
        "category": body.get("category"),
        "configurable_rule_id": None,
        "persisted_rule_id": None,
        "organization_id": state.organization.id,
    }


@answers("tasks.v_3.update")
def update_task(asked: Asked) -> Record:
    task = get_task(asked)
    body = given(asked)
    check(asked, {}, needed=("status", "blocks_claim_submission"))
    if body.get("status") in DEPRECATED:
        content = {"deprecated_status": body["status"]}
        raise declared(asked.endpoint, "TaskUpdatedToDeprecatedStatusError", content)
    task = task | {name: body[name] for name in ("status", "blocks_claim_submission") if name in body}
    if "assignee_user_id" in body:
        task["assignments"] = [{**row, "assignee_user_id": body["assignee_user_id"]} for row in task["assignments"]]
    at = asked.state.clock.tick()
    task |= dict.fromkeys(("updated_at", "agg_updated_at"), microseconds(at))
    return asked.state.of(TASKS).put(task, at)
