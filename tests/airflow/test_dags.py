"""DAGs on a real Airflow: the README's, and ones that go wrong on purpose."""

from __future__ import annotations

import re
import sqlite3

import pytest

from tests.airflow.conftest import Deployment, readme_blocks

pytestmark = pytest.mark.airflow


def test_the_readme_has_three_dags() -> None:
    assert len(readme_blocks("python")) == 3


def test_the_readmes_extract_writes_a_days_encounters(deployment: Deployment) -> None:
    state, (task,) = deployment.run("candid_encounters")
    (file,) = (deployment.output / "encounters").glob("*/part-*.jsonl")
    assert state == "success", deployment.log(task)
    assert len(file.read_bytes().splitlines()) == deployment.result("candid_encounters", task)["rows"] == 150


def test_the_readmes_call_hands_ids_on(deployment: Deployment) -> None:
    state, tasks = deployment.run("candid_payers")
    (count,) = (task for task in tasks if task["task_id"] == "count")
    assert state == "success"
    assert f"{deployment.emulator.stats()['records']['payers']} payers" in deployment.log(count)


def test_the_readmes_hook_counts_open_balances(deployment: Deployment) -> None:
    state, (task,) = deployment.run("candid_open_balances")
    assert state == "success", deployment.log(task)
    assert deployment.result("candid_open_balances", task) > 0


@pytest.mark.requirement(18)
def test_a_wrong_secret_costs_one_try_and_one_token_request(deployment: Deployment) -> None:
    refused = deployment.emulator.stats()["token"]["refused"]
    state, (task,) = deployment.run("candid_refused")
    assert (state, task["try_number"]) == ("failed", 1)
    assert deployment.emulator.stats()["token"]["refused"] == refused + 1
    assert "password (Client Secret)" in deployment.log(task)
    assert "wrong-secret" not in deployment.log(task).replace("candid_wrong_secret", "")


def test_a_missing_environment_costs_one_try_and_names_the_fix(deployment: Deployment) -> None:
    state, (task,) = deployment.run("candid_misconfigured")
    assert (state, task["try_number"]) == ("failed", 1)
    assert "Set the extra 'environment' to one of: production, staging" in deployment.log(task)


def test_a_variable_holds_what_was_saved_last_for_every_task(deployment: Deployment) -> None:
    state, tasks = deployment.run("candid_variable_store")
    results = {task["task_id"]: deployment.result("candid_variable_store", task) for task in tasks}
    assert state == "success"
    assert results == {"save_and_load": {"missing": None, "loaded": "second"}, "load_elsewhere": "second"}


@pytest.mark.requirement(10)
def test_asterisks_saved_over_the_token_cost_one_mint(deployment: Deployment) -> None:
    state, tasks = deployment.run("candid_overwritten_token")
    minted = sum(len(re.findall("decision=minted", deployment.log(task))) for task in tasks)
    assert state == "success", [deployment.log(task) for task in tasks]
    assert minted <= 2


def test_a_run_shares_one_token_through_xcom_and_the_next_has_its_own(deployment: Deployment) -> None:
    minted = deployment.emulator.stats()["token"]["minted"]
    hashes = []
    for _ in range(2):
        state, tasks = deployment.run("candid_shared_by_xcom")
        calls = [task for task in tasks if task["task_id"] == "call"]
        assert state == "success", [deployment.log(task) for task in calls]
        hashes.append({deployment.result("candid_shared_by_xcom", task) for task in calls})
    assert [len(each) for each in hashes] == [1, 1]
    assert hashes[0] != hashes[1]
    assert deployment.emulator.stats()["token"]["minted"] == minted + 2
    assert "decision=fail_open" not in "".join(deployment.log(task) for task in tasks)


@pytest.mark.requirement(21)
def test_what_lies_in_xcom_is_sealed(deployment: Deployment) -> None:
    deployment.run("candid_shared_by_xcom")
    with sqlite3.connect(deployment.airflow.home / "airflow.db") as database:
        rows = database.execute("select value from xcom where substr(key, 1, 14) = 'candid_token__'").fetchall()
    bearers = deployment.emulator.tokens()
    assert rows
    assert bearers
    assert all("gAAAA" in value and not any(bearer in value for bearer in bearers) for (value,) in rows)


@pytest.mark.requirement(19)
def test_an_async_task_shares_the_token(deployment: Deployment) -> None:
    state, (task,) = deployment.run("candid_async_task")
    assert state == "success", deployment.log(task)
    assert deployment.result("candid_async_task", task) == 40


@pytest.mark.requirement(2)
def test_dags_that_come_later_share_the_token_that_is_there(deployment: Deployment) -> None:
    deployment.run("candid_payers")
    minted = deployment.emulator.stats()["token"]["minted"]
    for dag_id in ("candid_payers", "candid_open_balances"):
        deployment.run(dag_id)
    assert deployment.emulator.stats()["token"]["minted"] == minted
