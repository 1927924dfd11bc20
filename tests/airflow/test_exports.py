"""An export on a real Airflow: the triggerer waits, a worker fetches, and nobody keeps the signed URL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.airflow.conftest import Deployment

pytestmark = pytest.mark.airflow

EXPORTS = "GET /api/exports/v3"


def test_the_triggerer_waits_and_a_worker_fetches(deployment: Deployment, tmp_path: Path) -> None:
    emulator = deployment.emulator
    later = {"route": EXPORTS, "kind": "status", "error_name": "ExportNotYetAvailableError", "count": 3}
    assert httpx.post(f"{emulator.url}/_emulator/faults", json=[later]).status_code == 201
    counts = emulator.stats()["requests"]
    last = datetime.now(UTC).date() - timedelta(days=10)
    days = {"first_day": str(last - timedelta(days=40)), "last_day": str(last)}
    state, (task,) = deployment.run("candid_exported", path=str(tmp_path / "exports"), **days)
    log = deployment.log(task)
    assert state == "success", log
    summary = deployment.result("candid_exported", task)
    manifest = json.loads(Path(summary["manifest"]).read_bytes())
    assert summary["parts"] == 2
    assert [part["bytes"] for part in manifest["parts"]] == [
        (tmp_path / "exports" / part["name"]).stat().st_size for part in manifest["parts"]
    ]
    owner = {"dag_id": "candid_exported", "task_id": "export", "run_id": task["dag_run_id"], "map_index": -1}
    assert manifest["owner"] == owner
    # Both windows before the task defers, the second until it is there, both when it resumes, and to fetch them.
    assert emulator.stats()["requests"][EXPORTS] - counts.get(EXPORTS, 0) == 2 + 2 + 2 + 2
    assert "not yet (ExportNotYetAvailableError)" in log
    database = (deployment.airflow.home / "airflow.db").read_bytes()
    for secret in ("signature=", "/_files/", *emulator.markers):
        assert secret not in log
        assert secret.encode() not in database
