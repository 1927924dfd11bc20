"""The position of a stream moves in the transaction that stores an event, in a metadata database of Airflow's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from candid_provider.api.position import Event, Position, position_from
from tests.conftest import REPOSITORY
from tests.plugins.stored import STREAM, event

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    env = os.environ | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tests.plugins.stored"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "log": done.stdout + done.stderr}


def position(of: dict[str, Any]) -> Position:
    return position_from(of["states"][STREAM])


def has(position: Position, number: int) -> bool:
    payload = event(number)
    return position.has(Event(payload["id"], payload["event_type"], payload["created_at"]))


def test_it_has_what_was_stored_and_not_what_was_rolled_back(stored: dict[str, Any]) -> None:
    assert [payload["id"] for payload in stored["one"]["events"]] == ["event-1", "event-2", "event-2"]
    assert [has(position(stored["one"]), number) for number in (1, 2, 3)] == [True, True, False]


def test_each_asset_of_a_watcher_has_a_position_of_its_own(stored: dict[str, Any]) -> None:
    assert stored["two"] == stored["too"]
    assert has(position(stored["two"]), 1)
    assert not has(position(stored["two"]), 2)


def test_the_events_of_others_leave_nothing(stored: dict[str, Any]) -> None:
    assert len(stored["other"]["events"]) == 1
    assert stored["other"]["states"] == {}


def test_an_event_is_stored_though_its_position_cannot_be_kept(stored: dict[str, Any]) -> None:
    assert [payload["id"] for payload in stored["spoilt"]["events"]] == ["event-1", "event-2"]
    assert stored["spoilt"]["states"] == {STREAM: "***"}
    assert "was not kept (ValueError)" in stored["log"]


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    """Each of Airflow's processes does, and each command."""
    code = (
        "import sys, airflow.providers.common.compat.sdk as s; s.AirflowPlugin, s.hookimpl; before = set(sys.modules)"
    )
    code += "; import candid_provider.plugins.events; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    ours = {name for name in loaded if name.startswith("candid_provider")}
    assert ours <= {"candid_provider", "candid_provider.plugins", "candid_provider.plugins.events"}
    assert len(loaded) < 15, sorted(loaded)
