"""The same package on Airflow 2.11, on the Airflow of these tests, and without one."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import httpx
import psutil
import pytest
from cryptography.fernet import Fernet

from candid_provider.cli.processes import Processes
from candid_provider.emulator import Emulator
from tests.benchmarks.waiting import clock
from tests.benchmarks.waiting import encounters as unended
from tests.conftest import REPOSITORY
from tests.operators.jobs.conftest import request as a_request
from tests.transfers.extraction.conftest import ids, manifest
from tests.transfers.loading.conftest import Desk, encounters

DAG = Path(__file__).parent / "shared_token.py"
WATERMARK = Path(__file__).parent / "kept_watermark.py"
MOVES = Path(__file__).parent / "data_moves.py"
BATCH = Path(__file__).parent / "one_batch.py"
FAILING = Path(__file__).parent / "failing.py"
WAITING = Path(__file__).parent / "waiting.py"
ENCOUNTER = "GET /api/encounters/v4/{encounter_id}"
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])) or "uv"


class Deployment:
    """Airflow commands on an environment, with a metadata database of their own."""

    databases: ClassVar[dict[Path, Path]] = {}
    """One that is migrated and empty, by the Python of its Airflow: to make one takes longer than most tests."""

    def __init__(self, python: Path, home: Path, emulator: Emulator) -> None:
        self._python, self._emulator = python, emulator
        (home / "dags").mkdir(parents=True)
        for dag in (DAG, WATERMARK, MOVES, BATCH, FAILING, WAITING):
            shutil.copy(dag, home / "dags")
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "CANDID_FOLDER": str(home.parent),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            **{f"AIRFLOW_CONN_CANDID_{store.upper()}": self._connection(store) for store in ("variable", "xcom")},
            "AIRFLOW_CONN_CANDID_WRONG": self._connection("memory", password="wrong-secret"),
        }
        self.dag = home / "dags" / DAG.name
        if python in self.databases:
            shutil.copy(self.databases[python], home / "airflow.db")
        else:
            self.run("-m", "airflow", "db", "migrate")
            self.databases[python] = Path(shutil.copy(home / "airflow.db", home / "migrated.db"))

    def _connection(self, store: str, password: str = "emulator-secret") -> str:
        login = {"login": "emulator", "password": password, "host": self._emulator.url}
        return json.dumps({"conn_type": "candid", **login, "extra": {"store": store}})

    def run(self, *arguments: str, expected: int = 0) -> str:
        """Run Python with these arguments, outside the repository, and give all it prints.

        :param expected: with which code it is to end.
        """
        command = [str(self._python), *arguments]
        done = subprocess.run(
            command, env=self._env, cwd=self.dag.parent, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kill(self, *arguments: str, when: Callable[[], bool]) -> None:
        """Run Python with these arguments and kill it, and all it has started, at a moment."""
        process = psutil.Popen([str(self._python), *arguments], env=self._env, cwd=self.dag.parent)
        while process.poll() is None and not when():
            time.sleep(0.01)
        for member in (*process.children(recursive=True), process):
            member.kill()
        assert process.wait() == -signal.SIGKILL

    def start(self, processes: Processes, component: str, **settings: str) -> None:
        """Start a part of Airflow, which ends with the processes."""
        command = [str(self._python), "-m", "airflow", component, "--skip-serve-logs"]
        # The executor runs the command "airflow".
        path = os.pathsep.join([str(self._python.parent), os.environ["PATH"]])
        processes.start(component, command, {**self._env, **settings, "PATH": path}, self.dag.parent)

    def runs(self, dag_id: str) -> list[str]:
        """List the states of a DAG's runs."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self._env['AIRFLOW_HOME']}/airflow.db?mode=ro", uri=True)
        ) as db:
            return [state for (state,) in db.execute("SELECT state FROM dag_run WHERE dag_id = ?", (dag_id,))]

    @property
    def minted(self) -> int:
        return int(self._emulator.stats()["token"]["minted"])


@pytest.fixture(scope="session")
def airflow_2(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """An environment with the wheel and Airflow 2.11.2; its Python."""
    python = tmp_path_factory.mktemp("airflow-2") / "bin" / "python"
    for command in (
        ["venv", "-q", "--python", sys.executable, str(python.parents[1])],
        ["pip", "install", "-q", "--python", str(python), str(wheel), "apache-airflow==2.11.2"],
    ):
        # In the repository, whose settings of uv say up to which date packages count.
        subprocess.run([UV, *command], cwd=REPOSITORY, check=True)
    return python


@pytest.mark.airflow
@pytest.mark.timeout(900)
@pytest.mark.requirement(23)
def test_two_dag_runs_on_airflow_2_share_one_token(airflow_2: Path, candid: Emulator, tmp_path: Path) -> None:
    deployment = Deployment(airflow_2, tmp_path / "home", candid)
    assert "airflow-provider-candid" in deployment.run("-m", "airflow", "providers", "list", "-o", "plain")
    shown = deployment.run("-m", "airflow", "dags", "test", "candid_shared_token")
    assert deployment.minted == 2, shown  # one in the Variable, one in the run's XCom
    shown += deployment.run(str(deployment.dag))
    assert deployment.minted == 3, shown  # for the XCom of the second run
    assert shown.count("decision=minted") == 3
    assert "decision=fail_open" not in shown
    assert "emulator-secret" not in shown
    assert candid.stats()["requests"]["GET /api/payers/v4"] == 8


@pytest.mark.airflow
@pytest.mark.requirement(23)
def test_a_dag_test_on_airflow_3_mints_once_for_each_store(candid: Emulator, tmp_path: Path) -> None:
    deployment = Deployment(Path(sys.executable), tmp_path / "home", candid)
    shown = deployment.run(str(deployment.dag))
    assert deployment.minted == 2, shown
    assert "decision=fail_open" not in shown
    assert candid.stats()["requests"]["GET /api/payers/v4"] == 4


@pytest.mark.airflow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["2", "3"])
def test_a_watermark_is_found_by_the_next_run(
    version: str, request: pytest.FixtureRequest, candid: Emulator, tmp_path: Path
) -> None:
    python = request.getfixturevalue("airflow_2") if version == "2" else Path(sys.executable)
    deployment = Deployment(python, tmp_path / "home", candid)
    shown = deployment.run(str(deployment.dag.with_name(WATERMARK.name)))
    found = re.findall(r"task=(\w+) found=(\S+) interval=None in=(Variable|state)", shown)
    outlet = "Variable" if version == "2" else "state"
    assert sorted(found) == [
        ("with_outlet", "2026-01-02T00:00:00+00:00", outlet),
        ("with_outlet", "None", outlet),
        ("without", "2026-01-02T00:00:00+00:00", "Variable"),
        ("without", "None", "Variable"),
    ], shown


@pytest.mark.airflow
@pytest.mark.timeout(900)
def test_a_batch_whose_process_was_killed_on_airflow_2_is_gone_on_with(
    airflow_2: Path, candid: Emulator, tmp_path: Path
) -> None:
    """Airflow 2 gives the same run to the same date; Airflow 3 makes another (see tests/airflow/test_jobs.py)."""
    deployment = Deployment(airflow_2, tmp_path / "home", candid)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(a_request(number)) + "\n" for number in range(5)))
    record, route = tmp_path / ".out.jsonl.candid-job.json", "POST /eligibility-checks/v1/batch"
    candid.faults.add(kind="latency", ms=1000, route=route)
    test = ("-m", "airflow", "dags", "test", "candid_one_batch", "2026-01-02")
    deployment.kill(*test, when=record.exists)
    httpx.post(f"{candid.url}/_emulator/clock", json={"speed": 20_000}).raise_for_status()
    deployment.run(*test)
    assert len(candid.requests(route=route)) == 1
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 5


@pytest.mark.airflow
@pytest.mark.timeout(900)
def test_data_moves_both_ways_on_airflow_2(airflow_2: Path, candid: Emulator, tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "visits.jsonl").write_text("".join(json.dumps(row) + "\n" for row in encounters(30)))
    deployment = Deployment(airflow_2, tmp_path / "home", candid)
    shown = deployment.run(str(deployment.dag.with_name(MOVES.name)))
    assert len(set(ids(tmp_path / "encounters"))) == len(ids(tmp_path / "encounters")) == 420, shown
    (exported,) = manifest(tmp_path / "exports")["parts"]
    with (tmp_path / "exports" / exported["name"]).open(newline="") as file:
        assert exported["rows"] == len(list(csv.DictReader(file))) > 0
    outcomes = [json.loads(line) for line in (tmp_path / "results" / "results.jsonl").read_bytes().splitlines()]
    assert [(row["external_id"], row["outcome"]) for row in outcomes] == [
        (f"visit-{n}", "created") for n in range(30)
    ]
    assert Desk(candid, tmp_path).created() == sorted(f"visit-{number}" for number in range(30))
    assert not [marker for marker in candid.markers if marker in shown]


@pytest.mark.airflow
@pytest.mark.timeout(900)
def test_on_airflow_2_a_wrong_secret_costs_one_try(airflow_2: Path, candid: Emulator, tmp_path: Path) -> None:
    deployment = Deployment(airflow_2, tmp_path / "home", candid)
    dag = str(deployment.dag.with_name(FAILING.name))
    told = deployment.run(dag)
    assert "none: retry_policy: this Airflow has no retry policies; they need 3.3" in told
    assert "with failing_for_good()" in told
    shown = deployment.run("-m", "airflow", "dags", "test", "candid_failing", expected=1)
    ends = re.findall(r"Marking task as (\w+)\. dag_id=candid_failing, task_id=(\w+)", shown)
    assert sorted(ends) == [("FAILED", "ask"), ("FAILED", "call"), ("FAILED", "mapped")], shown
    assert candid.stats()["token"]["refused"] == 1


@pytest.mark.airflow
@pytest.mark.timeout(900)
def test_a_triggerer_of_airflow_2_waits_for_a_claim(airflow_2: Path, candid: Emulator, tmp_path: Path) -> None:
    clock(candid, 1.0)
    (encounter,) = unended(candid, 1)
    deployment = Deployment(airflow_2, tmp_path / "home", candid)
    with Processes(tmp_path / "logs") as processes:
        for component in ("scheduler", "triggerer"):
            deployment.start(processes, component, CANDID_ENCOUNTER=encounter)
        until(lambda: len(candid.requests(route=ENCOUNTER)) >= 3, processes)
        assert deployment.runs("candid_waiting") == ["running"]
        clock(candid, 864_000.0)
        until(lambda: deployment.runs("candid_waiting") != ["running"], processes)
        assert deployment.runs("candid_waiting") == ["success"]
    assert deployment.minted == 2  # the deployment's one, and this test's


def until(happened: Callable[[], bool], processes: Processes) -> None:
    """Wait for something, and show the scheduler's last lines if it does not come."""
    deadline = time.monotonic() + 240
    while not happened():
        assert processes.ended() is None, processes.tail(processes.ended() or "")
        assert time.monotonic() < deadline, processes.tail("scheduler")
        time.sleep(0.2)


WITHOUT_AIRFLOW = """
import sys
from candid_provider.api.call import Call, send
from candid_provider.api.client import CandidClient
from candid_provider.api.settings import CandidSettings
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import FileTokenStore
url, directory = sys.argv[1:]
settings = CandidSettings.from_connection(login="emulator", password="emulator-secret", host=url, extra={})
with CandidClient(settings, TokenSource(settings.credentials, FileTokenStore(directory))) as client:
    assert send(client, Call(method="GET", path="/api/payers/v4"))["items"]
print(*(name for name in sys.modules if name.partition(".")[0] == "airflow"))
"""


@pytest.mark.requirement(23)
def test_plain_python_shares_a_token_and_imports_no_airflow(candid: Emulator, tmp_path: Path) -> None:
    for _ in range(2):
        command = [sys.executable, "-c", WITHOUT_AIRFLOW, candid.url, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert candid.stats()["token"]["minted"] == 1


PARSE = """
import runpy, sys
reached = []
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect"):
        reached.append(event)
sys.addaudithook(note)
for path in sys.argv[1:]:
    runpy.run_path(path)
print(*reached)
"""


@pytest.mark.requirement(23)
def test_parsing_dags_reaches_neither_network_nor_database(tmp_path: Path) -> None:
    dags = [*(REPOSITORY / "example_dags").glob("*.py"), *(REPOSITORY / "tests").glob("*/dags/*.py"), DAG]
    done = subprocess.run([sys.executable, "-c", PARSE, *map(str, dags)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
