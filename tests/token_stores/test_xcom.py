"""The XCom store where Airflow's answers are rare: a race, a failure, a text that is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from candid_provider.oauth.store import StoreUnavailable
from candid_provider.token_stores import xcom
from candid_provider.token_stores.xcom import XComTokenStore


class Failed(Exception):
    """Shaped as Airflow's ``AirflowRuntimeError``."""

    def __init__(self, detail: Any) -> None:
        self.error = SimpleNamespace(detail=detail)
        super().__init__(f"API_SERVER_ERROR: {detail}")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the store asks of Airflow, within a task."""
    asked = SimpleNamespace(set=lambda **given: None, get_one=lambda **given: None)
    task = SimpleNamespace(task_id="root", upstream_task_ids=set(), iter_mapped_task_groups=lambda: iter(()))
    run = SimpleNamespace(dag_id="dag", run_id="run-409")
    context = {"dag": SimpleNamespace(task_dict={"root": task}), "dag_run": run, "task": task}
    monkeypatch.setattr(xcom, "XCom", asked)
    monkeypatch.setattr(xcom, "get_current_context", lambda: context)
    return asked


def failing(detail: Any) -> Any:
    def fail(**given: Any) -> None:
        raise Failed(detail)

    return fail


def test_a_lost_race_is_no_failure(airflow: SimpleNamespace) -> None:
    airflow.set = failing({"status_code": 409, "message": "Conflict"})
    XComTokenStore().save("candid_token__x", "sealed")


@pytest.mark.parametrize("detail", [{"status_code": 500, "message": "in run-409"}, None, "409"])
def test_another_failure_is_one_even_if_it_speaks_of_409(airflow: SimpleNamespace, detail: Any) -> None:
    airflow.set = failing(detail)
    with pytest.raises(StoreUnavailable, match="could not be written"):
        XComTokenStore().save("candid_token__x", "sealed")


def test_a_failed_read_says_so(airflow: SimpleNamespace) -> None:
    airflow.get_one = failing({"status_code": 404})
    with pytest.raises(StoreUnavailable, match="could not be read"):
        XComTokenStore().load("candid_token__x")


@pytest.mark.parametrize("value", [None, 5, {"token": "x"}, ["x"]])
def test_what_is_no_text_is_a_miss(airflow: SimpleNamespace, value: object) -> None:
    airflow.get_one = lambda **given: value
    assert XComTokenStore().load("candid_token__x") is None
