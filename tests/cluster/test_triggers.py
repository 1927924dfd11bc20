"""Many triggers share one token in one triggerer, and hold its event loop for no length of time."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet

from tests.cluster.conftest import Fleet

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.cluster,
    pytest.mark.parametrize("fleet", ["postgresql_and_celery"], indirect=True),
]

ROUTE = "GET /api/payers/v4"


@pytest.mark.requirement(19)
def test_many_triggers_mint_once_and_never_hold_the_event_loop(
    fleet: Fleet, pytestconfig: pytest.Config, record_property: Callable[[str, str], None]
) -> None:
    size: int = pytestconfig.getoption("triggers")
    with fleet.connected("deferred", rate_limit=1) as candid:
        run_id = fleet.start(f"deferred_{size}")
        fleet.until(lambda: candid.stats()["requests"].get(ROUTE) == size, f"{size} calls")
        rows = fleet.database.query("select classpath, kwargs from trigger")
        fleet.release("deferred")
        state, tasks = fleet.wait(f"deferred_{size}", run_id)
        counts = candid.stats()["token"]
    held = [fleet.result(f"deferred_{size}", task) for task in tasks]
    wall, cpu = (sorted(each[name] for each in held) for name in ("wall_ms", "cpu_ms"))
    for name, longest in (("clock", wall), ("processor", cpu)):
        text = f"median {statistics.median(longest):.1f}, worst {longest[-1]:.1f}"
        record_property(f"longest step of {size} triggers, ms of {name}", text)
    assert (state, counts) == ("success", {"minted": 1, "rate_limited": 0, "refused": 0})
    assert len(held) == size
    assert len({each["process"] for each in held}) == 1
    assert [arguments_of(fleet, kwargs) for _, kwargs in rows] == [{"conn_id": "deferred"}] * size
    # The clock also counts what other processes take of this machine: of it, what is usual must do.
    assert cpu[-1] < 50
    assert statistics.median(wall) < 50


def arguments_of(fleet: Fleet, kwargs: str) -> object:
    """Open the arguments of a trigger, which the scheduler encrypts."""
    key = re.search(r"FERNET_KEY=(\S+)", (fleet.airflow.home / "airflow.env").read_text())
    assert key
    serialized = json.loads(Fernet(key[1]).decrypt(kwargs.encode()))
    return serialized.get("__var", serialized)
