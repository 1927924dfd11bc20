"""The example DAGs on a real Airflow; the demo's tests run the nightly one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pytest

from candid_provider.emulator import Emulator
from tests.airflow.conftest import EXAMPLES, Deployment
from tests.emulator.conftest import connected
from tests.transfers.loading.conftest import encounter

pytestmark = pytest.mark.airflow


def run(deployment: Deployment, dag_id: str, **conf: Any) -> dict[str, Any]:
    """Run an example and give what each task returned; None for one that was skipped."""
    state, tasks = deployment.run(dag_id, **conf)
    assert state == "success", [deployment.log(task) for task in tasks]
    done = {task["task_id"]: task["state"] == "success" for task in tasks}
    return {task["task_id"]: deployment.result(dag_id, task) if done[task["task_id"]] else None for task in tasks}


def test_each_example_is_run_here() -> None:
    ran = {"patients", "upload", "balances", "export", "eligibility", "claim", "events"}  # and in two other files
    assert {path.stem for path in EXAMPLES} == {f"example_candid_{name}" for name in ran}


def test_the_second_run_brings_the_patient_that_has_changed(deployment: Deployment) -> None:
    everybody = deployment.emulator.stats()["records"]["patients"]
    first = run(deployment, "example_candid_patients")["patients"]
    with connected(deployment.emulator) as api:
        oldest = {"since": "1970-01-01T00:00:00Z", "maxResults": "1"}
        (patient,) = api.get("/patients/v1/updates/scan", params=oldest).json()
        changed = api.put(f"/patients/v1/{patient['id']}/{patient['version'] + 1}", json=patient).json()
    second = run(deployment, "example_candid_patients")["patients"]
    assert first["rows"] >= everybody
    assert second["rows"] == 1
    table = pyarrow.dataset.dataset(second["path"], format="parquet", exclude_invalid_files=True).to_table()
    assert table.select(["id", "version"]).to_pylist() == [{"id": changed["id"], "version": changed["version"]}]


def test_encounters_are_uploaded_and_what_is_refused_goes_to_a_person(deployment: Deployment) -> None:
    outbox = deployment.output / "outbox"
    outbox.mkdir(exist_ok=True)
    lines = [json.dumps(encounter(f"example-{number}")) for number in range(20)] + ['{"external_id": "example-bad"}']
    (outbox / f"encounters-{datetime.now(UTC).date()}.jsonl").write_text("\n".join(lines) + "\n")
    results = run(deployment, "example_candid_upload")
    load = results["encounters"]
    assert load["outcomes"] == {"created": 20, "refused": 1}
    assert results["to_a_person"] == load["dead_letters"]
    assert Path(load["dead_letters"]).read_text() == lines[-1] + "\n"


def test_balances_are_itemised_claim_by_claim(deployment: Deployment) -> None:
    results = run(deployment, "example_candid_balances")
    balances = results["balances"]
    claims = {
        json.loads(line)["claim_id"]
        for part in Path(balances["path"]).glob("part-*.jsonl")
        for line in part.read_bytes().splitlines()
    }
    assert results["complete"] == balances["rows"] == len(claims) > 0


def test_a_days_export_has_the_columns_in_order(deployment: Deployment) -> None:
    claims = run(deployment, "example_candid_export")["claims"]
    (part,) = json.loads(Path(claims["manifest"]).read_bytes())["parts"]
    header = Path(claims["manifest"]).with_name(part["name"]).read_text().splitlines()[0]
    assert header.startswith("claim_id,encounter_id,claim_status,")


def test_everybody_who_comes_tomorrow_is_checked(deployment: Deployment) -> None:
    with later(deployment.emulator):
        results = run(deployment, "example_candid_eligibility")
    check = results["eligibility"]
    asked = Path(results["requests"]).read_text().splitlines()
    assert check["results"] == check["submitted"] == len(asked) > 0
    assert sum(check["statuses"].values()) + sum(check["errors"].values()) == len(asked)
    found = [json.loads(line)["request"] for line in Path(check["path"]).read_text().splitlines()]
    name = "submitter_transaction_identifier"
    assert [row[name] for row in found] == [json.loads(line)[name] for line in asked]


@contextlib.contextmanager
def later(emulator: Emulator) -> Iterator[None]:
    """Let a quarter of an hour pass at Candid in each second."""
    with connected(emulator) as api:
        api.post("/_emulator/clock", json={"speed": 900}).raise_for_status()
        yield
        api.post("/_emulator/clock", json={"speed": 0}).raise_for_status()
