"""Every operator, sensor and transfer fails for good, at whichever step the credentials turn out to be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidAuthError
from candid_provider.hooks.candid import CandidHook
from candid_provider.operators.candid import CandidOperator
from candid_provider.sensors.candid import CandidEventSensor, CandidSensor, CandidTaskSensor
from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.conftest import Connect

SUCCEEDED = {"status": "succeeded", "route": "GET /x", "asked": 1, "statuses": {}}
EVENTS: dict[str, Any] = {"event_types": ["CandidApi.Encounter.Created"], "created_after": "2026-03-01T00:00:00Z"}
DAYS: dict[str, Any] = {"first_day": "2026-03-09", "last_day": "2026-03-11"}


class Instance:
    """What an operator asks its task instance for."""

    dag_id, task_id, run_id, map_index, try_number = "paths", "x", "run", -1, 1


@pytest.fixture
def context() -> Any:
    return {"ti": Instance(), "run_id": "run"}


@pytest.fixture
def operators(tmp_path: Path, candid: Emulator) -> list[BaseOperator]:
    (tmp_path / "in.jsonl").write_text('{"external_id": "1"}\n')
    places: dict[str, Any] = {"path": str(tmp_path / "in.jsonl"), "results_path": str(tmp_path / "results")}
    return [
        CandidOperator(task_id="call", path="/api/payers/v4"),
        CandidOperator(task_id="file", path="/api/payers/v4", output_path=str(tmp_path / "payers.json")),
        CandidToObjectStorageOperator(task_id="extract", resource="payers", path=str(tmp_path / "out")),
        CandidToObjectStorageOperator(
            task_id="changes",
            resource="patients",
            incremental=True,
            path=str(tmp_path / "changed"),
            watermark=str(tmp_path / "mark"),
        ),
        ObjectStorageToCandidOperator(task_id="load", resource="encounters", **places),
        *(
            kind(task_id="wait", deferrable=deferrable, **arguments)
            for deferrable in (False, True)
            for kind, arguments in (
                (CandidSensor, {"path": "/api/payers/v4"}),
                (CandidTaskSensor, {"candid_task_id": "1"}),
                (CandidEventSensor, EVENTS),
                (CandidExportToObjectStorageOperator, {"path": str(tmp_path / "exported"), **DAYS}),
            )
        ),
    ]


def test_wrong_credentials_cost_one_try(operators: list[BaseOperator], connect: Connect, context: Any) -> None:
    connect(password="wrong-from-the-start")
    for operator in operators:
        with pytest.raises(AirflowFailException, match="refused"):
            operator.execute(context)


def test_wrong_credentials_after_a_wait_cost_one_try(operators: list[BaseOperator], connect: Connect) -> None:
    connect(password="wrong-in-the-end")
    after: list[Any] = [each for each in operators if isinstance(each, CandidEventSensor)]
    after += [each for each in operators if isinstance(each, CandidExportToObjectStorageOperator)]
    assert len(after) == 4
    for operator in after:
        with pytest.raises(AirflowFailException) as failure:
            operator.execute_complete({"ti": Instance(), "run_id": "run"}, SUCCEEDED, deadline=2e9)
        assert isinstance(failure.value.__cause__, CandidAuthError)


def test_wrong_credentials_in_a_filter_cost_one_try(connect: Connect) -> None:
    def look_up(answer: Any) -> Any:
        connect(password="wrong-in-a-filter")
        return CandidHook().request("GET", "/api/contracts/v3")

    with pytest.raises(AirflowFailException):
        CandidOperator(task_id="filter", path="/api/payers/v4", response_filter=look_up).execute({})
