"""A real Airflow for the tests of this folder: scheduler, API server, triggerer, DAG processor, real processes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from candid_provider.cli.local_airflow import LocalAirflow
from candid_provider.cli.processes import Processes
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.conftest import REPOSITORY

DAGS = Path(__file__).parent / "dags"
DEMO = REPOSITORY / "example_dags" / "example_candid_nightly.py"
EXAMPLES = sorted({*DEMO.parent.glob("*.py")} - {DEMO})
"""The demo runs the one that is missing."""
NAME = r"^def ((?:example_)?candid_\w+)"


def readme_blocks(language: str) -> list[str]:
    """Give the README's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)


class Deployment:
    """Run DAGs and say how they ended."""

    def __init__(self, airflow: LocalAirflow, emulator: Emulator, output: Path) -> None:
        self.airflow, self.emulator, self.output = airflow, emulator, output

    def run(self, dag_id: str, **conf: Any) -> tuple[str, list[dict[str, Any]]]:
        """Run a DAG to its end and give its state and task instances."""
        return self.wait(dag_id, self.start(dag_id, **conf))

    def start(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG and give its id."""
        return self.airflow.trigger(dag_id, logical_date=datetime.now(UTC).isoformat(), conf=conf)

    def wait(self, dag_id: str, run_id: str, seconds: float = 180) -> tuple[str, list[dict[str, Any]]]:
        """Wait for the end of a run and give its state and task instances."""
        deadline = time.monotonic() + seconds
        while (state := self.airflow.run_state(dag_id, run_id)) not in ("success", "failed"):
            assert time.monotonic() < deadline, f"{dag_id} is still {state}"
            time.sleep(0.3)
        return state, self.airflow.tasks(dag_id, run_id)

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something to happen."""
        deadline = time.monotonic() + 120
        while not happened():
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(0.3)

    def result(self, dag_id: str, task: dict[str, Any]) -> Any:
        """Give what a task returned."""
        return self.airflow.xcom(dag_id, task["dag_run_id"], task["task_id"], task["map_index"])

    def log(self, task: dict[str, Any]) -> str:
        """Give a task's log, of all its tries."""
        folder = self.airflow.home / "logs" / f"dag_id={task['dag_id']}" / f"run_id={task['dag_run_id']}"
        files = (folder / f"task_id={task['task_id']}").rglob("*.log")
        return "\n".join(file.read_text() for file in sorted(files))


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home, output = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("billing")
    sources = tmp_path_factory.mktemp("readme")
    for number, block in enumerate(readme_blocks("python")):
        # The README's bucket is a folder here; nothing else of the blocks is changed.
        (sources / f"readme_{number}.py").write_text(block.replace("s3://billing", str(output)))
    dags = [*sources.glob("*.py"), *DAGS.glob("*.py"), *EXAMPLES]
    dag_ids = [name for dag in dags for name in re.findall(NAME, dag.read_text(), re.MULTILINE)]
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    world = EmulatorConfig(encounters=600, patients=150, days=4, as_of=tomorrow)
    with running(world) as emulator, Processes(home / "logs" / "components") as processes:
        folders = {"CANDID_OUTPUT": str(output), "CANDID_INPUT": str(output / "outbox"), "CANDID_POLL_INTERVAL": "2"}
        airflow = LocalAirflow(home, dags, _connections(emulator.url) | folders)
        airflow.prepare()
        airflow.start(processes, dag_ids)
        yield Deployment(airflow, emulator, output)
        airflow.close()


def _connections(url: str) -> dict[str, str]:
    good = {"conn_type": "candid", "login": "emulator", "password": "emulator-secret", "host": url}
    connections = {
        "candid_default": good,
        "candid_xcom": {**good, "extra": {"store": "xcom"}},
        "candid_wrong_secret": {**good, "password": "wrong-secret"},
        "candid_refused": {**good, "password": "wrong-secret-too"},
        "candid_unset": {"conn_type": "candid", "login": "emulator", "password": "emulator-secret"},
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}
