"""Many processes need the token at once, and nobody has it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.conftest import TOGETHER, Fleet

pytestmark = [pytest.mark.airflow, pytest.mark.cluster, pytest.mark.requirement(1), pytest.mark.requirement(23)]

DEPLOYMENTS = ("sqlite_and_local", "postgresql_and_celery")


@pytest.fixture(params=DEPLOYMENTS, scope="session")
def fleet(request: pytest.FixtureRequest) -> Fleet:
    deployment: Fleet = request.getfixturevalue(request.param)
    return deployment


def cold_start(fleet: Fleet, size: int, conn_id: str, folder: Path, **config: int) -> dict[str, int]:
    """Run so many tasks on a new connection and give what the token endpoint counted."""
    folder.mkdir()
    with fleet.connected(conn_id, **config) as candid:
        state, tasks = fleet.run(
            f"fleet_of_{size}", conn_id=conn_id, folder=str(folder), together=min(TOGETHER, size)
        )
        failed = [task for task in tasks if task["state"] != "success"]
        assert state == "success", [fleet.log(task)[-3000:] for task in failed[:3]]
        assert len(tasks) == size
        counts: dict[str, int] = candid.stats()["token"]
        return counts


def test_64_processes_mint_once_at_an_endpoint_that_allows_one_a_minute(
    fleet: Fleet, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    rounds = [
        cold_start(fleet, 64, f"cold_{number}", tmp_path / str(number), rate_limit=1)
        for number in range(pytestconfig.getoption("cold_rounds"))
    ]
    print(Counter(json.dumps(counts) for counts in rounds))
    assert [counts["minted"] for counts in rounds] == [1] * len(rounds)


def test_100_mapped_tasks_mint_once(fleet: Fleet, tmp_path: Path) -> None:
    assert cold_start(fleet, 100, "cold_100", tmp_path / "100")["minted"] == 1
