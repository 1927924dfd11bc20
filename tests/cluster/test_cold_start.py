"""Many processes need the token at once, and nobody has it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import TOGETHER, Fleet

pytestmark = [pytest.mark.airflow, pytest.mark.cluster]

ONE_MINT = {"minted": 1, "rate_limited": 0, "refused": 0}


@pytest.mark.requirement(1)
@pytest.mark.requirement(7)
@pytest.mark.requirement(23)
@pytest.mark.parametrize("fleet", ["sqlite_and_local", "postgresql_and_celery"], indirect=True)
def test_a_cold_fleet_mints_once_at_an_endpoint_that_allows_one_a_minute(
    fleet: Fleet,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, str], None],
) -> None:
    size: int = pytestconfig.getoption("cold_tasks")
    rounds = []
    for number in range(pytestconfig.getoption("cold_rounds")):
        folder = tmp_path / str(number)
        folder.mkdir()
        rounds.append(cold_start(fleet, size, f"cold_{number}", folder))
        print(f"round {number + 1}: {size} tasks, token requests {rounds[-1]}", flush=True)
    counted = Counter(json.dumps(counts) for counts in rounds)
    record_property(f"cold starts of {size} tasks", str(dict(counted)))
    assert rounds == [ONE_MINT] * len(rounds)


def cold_start(fleet: Fleet, size: int, conn_id: str, folder: Path) -> dict[str, int]:
    """Run so many tasks on a new connection, none of which may fail, and give what the token endpoint counted."""
    with fleet.connected(conn_id, rate_limit=1) as candid:
        state, tasks = fleet.run(f"fleet_of_{size}", conn_id=conn_id, folder=str(folder), together=TOGETHER)
        counts: dict[str, int] = candid.stats()["token"]
        callers = candid.stats()["requests"]["GET /api/payers/v4"]
    failed = [task for task in tasks if task["state"] != "success"]
    assert state == "success", [fleet.log(task)[-3000:] for task in failed[:3]]
    processes = {(task["hostname"], task["pid"]) for task in tasks}
    assert len(tasks) == len(processes) == callers == size
    return counts
