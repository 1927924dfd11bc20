"""Tasks: listed by every filter and order, created, updated, and what can be done with one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from typing import Any

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.world.people import MARKERS
from tests.emulator.conftest import Api, connected
from tests.emulator.test_sdk import client, pages, shape_faults

NOBODY = "00000000-0000-4000-8000-000000000000"
PATH = "/api/tasks/v3"
WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=2_000, patients=130, days=10)


@pytest.fixture(scope="module")
def world() -> Iterator[Emulator]:
    with running(WORLD) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def tasks_api(world: Emulator) -> Iterator[Api]:
    with connected(world) as http:
        yield Api(http)


@pytest.fixture(scope="module")
def tasks(tasks_api: Api) -> list[dict[str, Any]]:
    return tasks_api.rows(PATH, limit=30)


@pytest.fixture
def fresh() -> Iterator[tuple[Api, Emulator]]:
    with running(WORLD) as emulator, connected(emulator) as http:
        yield Api(http), emulator


def test_every_task_parses_and_is_about_an_encounter(world: Emulator, tasks_api: Api) -> None:
    with client(world) as sdk:
        rows = [row for page in pages(sdk.tasks.v_3.get_multi, limit=40) for row in page.items]
        assert len(rows) == 100
        assert shape_faults(rows) == []
        assert sdk.tasks.v_3.get(rows[3].task_id) == rows[3]
        assert shape_faults(sdk.tasks.v_3.get_actions(rows[3].task_id)) == []
        for row in rows[::9]:
            encounter = sdk.encounters.v_4.get(row.encounter_id)
            assert encounter.external_id == row.external_id
            assert encounter.date_of_service == row.date_of_service
            assert f"{encounter.patient.first_name} {encounter.patient.last_name}" == row.patient_name
            assert encounter.subscriber_primary.insurance_card.payer_name == row.payer_name
            assert row.patient_name.count(MARKERS[0]) == 2


def test_the_default_order_is_latest_change_first(tasks: list[dict[str, Any]], tasks_api: Api) -> None:
    assert [row["updated_at"] for row in tasks] == sorted((row["updated_at"] for row in tasks), reverse=True)
    assert tasks_api.rows(PATH, sort="updated_at:asc", limit=7) == tasks[::-1]
    assert all(row["created_at"] <= row["updated_at"] <= row["agg_updated_at"] for row in tasks)


@pytest.mark.parametrize("field", ["patient_name", "status", "date_of_service", "agg_updated_at", "payer_id"])
def test_tasks_are_sorted_by_a_field_in_both_directions(tasks_api: Api, field: str) -> None:
    for way in ("asc", "desc"):
        values = [row[field] for row in tasks_api.rows(PATH, sort=f"{field}:{way}", limit=30)]
        assert values == sorted(values, reverse=way == "desc")
        assert len(values) == 100


def test_updated_since_is_inclusive(tasks: list[dict[str, Any]], tasks_api: Api) -> None:
    since = tasks[20]["updated_at"]
    rows = tasks_api.rows(PATH, updated_since=since, sort="updated_at:asc")
    assert rows[0]["updated_at"] == since
    assert rows == [row for row in tasks[::-1] if row["updated_at"] >= since]


def test_filters_select_what_they_say(tasks: list[dict[str, Any]], tasks_api: Api) -> None:
    def found(**params: Any) -> list[dict[str, Any]]:
        rows = tasks_api.rows(PATH, **params)
        assert rows
        return rows

    assert found(status="open") == [row for row in tasks if row["status"] == "open"]
    both = {"open", "blocked"}
    assert found(statuses="open,blocked") == [row for row in tasks if row["status"] in both]
    assert found(task_type="ELIGIBILITY") == [row for row in tasks if row["task_type"] == "ELIGIBILITY"]
    kinds = {"ELIGIBILITY", "CODE_CLAIM"}
    assert found(task_types="ELIGIBILITY, CODE_CLAIM") == [row for row in tasks if row["task_type"] in kinds]
    assert found(categories="incorrect_payer") == [row for row in tasks if row["category"] == "incorrect_payer"]
    days = {"date_of_service_min": "2026-03-08", "date_of_service_max": "2026-03-09"}
    assert found(**days) == [row for row in tasks if row["date_of_service"] in days.values()]
    assignee = next(
        row["assignments"][0]["assignee_user_id"] for row in tasks if row["assignments"][0]["assignee_user_id"]
    )
    mine = [row for row in tasks if row["assignments"][0]["assignee_user_id"] == assignee]
    assert found(assigned_to_id=assignee) == mine
    for refused in ({"statuses": "open,lost"}, {"task_type": "x"}, {"sort": "notes:asc"}, {"updated_since": "2026"}):
        assert tasks_api.get(PATH, **refused).status_code == 422


def test_a_task_is_found_by_its_ids_and_those_of_its_encounter(tasks: list[dict[str, Any]], tasks_api: Api) -> None:
    task = tasks[7]
    encounter = tasks_api.ok(f"/api/encounters/v4/{task['encounter_id']}")
    assert tasks_api.rows(PATH, encounter_id=task["encounter_id"]) == [task]
    terms = (task["task_id"], task["encounter_id"], task["external_id"], encounter["claims"][0]["claim_id"])
    for term in terms:
        assert tasks_api.rows(PATH, search_term=term) == [task]
    assert tasks_api.rows(PATH, search_term="nothing") == []
    npi = encounter["billing_provider"]["npi"]
    assert len(tasks_api.rows(PATH, billing_provider_npi=npi)) == len(tasks)
    assert tasks_api.rows(PATH, billing_provider_npi="1999999984") == []


def test_a_task_is_created_worked_on_and_seen_by_the_next_incremental_read(fresh: tuple[Api, Emulator]) -> None:
    api, emulator = fresh
    since = api.ok("/_emulator/clock")["now"]
    encounter = api.rows("/api/encounters/v4", limit=1000)[7]
    with client(emulator) as sdk:
        types: Any = import_module("candid.resources.tasks.resources.v_3")
        order = types.TaskCreateV3(
            encounter_id=encounter["encounter_id"], task_type="ELIGIBILITY", description="Look", work_queue_id="q"
        )
        made = sdk.tasks.v_3.create(request=order)
        assert shape_faults(made) == []
        assert sdk.tasks.v_3.get(made.task_id) == made
        assert [row.task_id for row in sdk.tasks.v_3.get_multi(encounter_id=encounter["encounter_id"]).items] == [
            made.task_id
        ]
        assert len(sdk.tasks.v_3.get_actions(made.task_id).actions) == 2
        done = sdk.tasks.v_3.update(made.task_id, request=types.TaskUpdateV3(status="finished"))
        assert done == sdk.tasks.v_3.get(made.task_id)
        assert done.updated_at > made.updated_at
        assert sdk.tasks.v_3.get_actions(made.task_id).actions == []
        rows = sdk.tasks.v_3.get_multi(updated_since=datetime.fromisoformat(since).astimezone(UTC)).items
        assert [row.task_id for row in rows if row.created_at >= datetime.fromisoformat(since)] == [made.task_id]


def test_an_old_task_that_is_updated_moves_to_the_end(fresh: tuple[Api, Emulator]) -> None:
    api, _ = fresh
    first = api.ok(PATH, sort="updated_at:asc", limit=1)["items"][0]
    user = "7e10cc4b-1a54-4b5e-a7c1-111111111111"
    body = {"blocks_claim_submission": not first["blocks_claim_submission"], "assignee_user_id": user}
    answer = api.http.patch(f"{PATH}/{first['task_id']}", json=body).json()
    assert answer["assignments"][0]["assignee_user_id"] == user
    assert api.ok(PATH, limit=1)["items"] == [answer]
    assert [row["task_id"] for row in api.rows(PATH)].count(first["task_id"]) == 1
    cleared = api.http.patch(f"{PATH}/{first['task_id']}", json={"assignee_user_id": None}).json()
    assert cleared["assignments"][0]["assignee_user_id"] is None
    assert cleared["blocks_claim_submission"] == answer["blocks_claim_submission"]


def test_errors_arrive_as_the_sdks_own_exceptions(fresh: tuple[Api, Emulator]) -> None:
    from candid.resources.commons.errors import EntityNotFoundError
    from candid.resources.tasks.resources.v_3.errors import TaskUpdatedToDeprecatedStatusError

    types: Any = import_module("candid.resources.tasks.resources.v_3")
    api, emulator = fresh
    with client(emulator) as sdk:
        task = sdk.tasks.v_3.get_multi(limit=1).items[0]
        with pytest.raises(TaskUpdatedToDeprecatedStatusError) as refused:
            sdk.tasks.v_3.update(task.task_id, request=types.TaskUpdateV3(status="sent_to_provider_group"))
        assert refused.value.body.deprecated_status == "sent_to_provider_group"
        assert sdk.tasks.v_3.get(task.task_id) == task
        with pytest.raises(EntityNotFoundError):
            sdk.tasks.v_3.update("00000000-0000-4000-8000-000000000000", request=types.TaskUpdateV3(status="open"))
    order = {"encounter_id": NOBODY, "task_type": "ELIGIBILITY", "description": "x", "work_queue_id": "q"}
    assert api.http.post(PATH, json=order).status_code == 404
    assert api.http.post(PATH, json=order | {"task_type": "NAP"}).status_code == 422
    assert api.http.patch(f"{PATH}/{task.task_id}", json={"status": None}).status_code == 422
