"""A real Airflow on this machine: SQLite, LocalExecutor, scheduler, DAG processor, triggerer, API server."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet

from candid_provider.cli.processes import Processes, environment

# The API server reads the logs from the disk; serving them would take fixed ports on all addresses.
COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
START_DEADLINE = 180.0
PARALLELISM = 6
PAGE = 1000


class AirflowFailed(Exception):
    """Say that Airflow did not start or ended early, with the last lines it printed."""


class LocalAirflow:
    """Set up, start and drive an Airflow of one's own.

    :param home: its AIRFLOW_HOME; database, logs and DAGs go there.
    :param dags: DAG files to serve.
    :param settings: environment variables besides, such as connections.
    :param components: what runs: arguments of the ``airflow`` command, by a name for the log.
    """

    def __init__(
        self,
        home: Path,
        dags: Sequence[Path],
        settings: Mapping[str, str],
        components: Mapping[str, Sequence[str]] = COMPONENTS,
    ) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{free_port()}"
        self.user, self.password = "admin", secrets.token_urlsafe(12)
        self._dags, self._components = dags, components
        self._settings = {**_settings(home, self.url), **settings}
        self._env = environment(**self._settings)
        self._api = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def prepare(self) -> None:
        """Make the folders, the login, the database, and ``airflow.env``, which starts it again from a shell."""
        folder = self.home / "dags"
        folder.mkdir(parents=True)
        for dag in self._dags:
            shutil.copy(dag, folder)
        _write_private(self.home / "passwords.json", json.dumps({self.user: self.password}))
        # Without its Fernet key the database could not be read once this process has ended.
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(self._settings.items())]
        _write_private(self.home / "airflow.env", "".join(lines))
        done = subprocess.run(
            [*_AIRFLOW, "db", "migrate"], env=self._env, cwd=self.home, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AirflowFailed(f"airflow db migrate ended with {done.returncode}:\n{done.stderr[-2000:]}")

    def start(self, processes: Processes, dag_ids: Sequence[str]) -> None:
        """Start all components and wait until the DAGs can be triggered.

        :raises AirflowFailed: one ended, or they did not get ready in time.
        """
        for name in self._components:
            self.start_component(processes, name)
        self._wait(processes, "the API server", lambda: self._log_in())
        self._wait(processes, "a DAG", lambda: all(self._get(f"/dags/{dag_id}") for dag_id in dag_ids))

    def start_component(self, processes: Processes, name: str) -> None:
        """Start a component, for the first time or after it was killed."""
        processes.start(name, [*_AIRFLOW, *self._components[name]], self._env, self.home)

    def trigger(self, dag_id: str, **body: Any) -> str:
        """Start a run of a DAG and give its id."""
        answer = self._api.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        answer.raise_for_status()
        run_id: str = answer.json()["dag_run_id"]
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Give the state of a run."""
        run = self._get(f"/dags/{dag_id}/dagRuns/{run_id}") or {}
        return str(run.get("state"))

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """List the task instances of a run."""
        path, instances = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", list[dict[str, Any]]()
        while True:
            answer = self._get(f"{path}?limit={PAGE}&offset={len(instances)}") or {}
            instances += (page := answer.get("task_instances", []))
            if len(page) < PAGE:
                return instances

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Any:
        """Give what a task returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return (self._get(f"{path}?map_index={map_index}&deserialize=true") or {}).get("value")

    def post(self, path: str, body: Any) -> httpx.Response:
        """Ask Airflow's REST API for something else."""
        return self._api.post(path, json=body)

    def get(self, path: str) -> httpx.Response:
        """Ask Airflow's REST API for something else."""
        return self._api.get(path)

    def close(self) -> None:
        """Close the connection to the API server."""
        self._api.close()

    def _get(self, path: str) -> dict[str, Any] | None:
        answer = self._api.get(f"/api/v2{path}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def _log_in(self) -> bool:
        answer = self._api.post("/auth/token", json={"username": self.user, "password": self.password})
        if answer.is_success:
            self._api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer.is_success

    def _wait(self, processes: Processes, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            if name := processes.ended():
                raise AirflowFailed(f"airflow {name} ended early:\n{processes.tail(name)}")
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.3)
        raise AirflowFailed(f"{what} was not ready after {START_DEADLINE:.0f} s")


_AIRFLOW = (sys.executable, "-m", "airflow")


def _settings(home: Path, url: str) -> dict[str, str]:
    port = url.rpartition(":")[2]
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": str(PAGE),  # what tasks() asks for; Airflow gives 100
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # only what is triggered runs
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def free_port() -> int:
    """Find a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
