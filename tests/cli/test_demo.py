"""The demo, run as a user runs it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from cryptography.fernet import Fernet

from candid_provider.emulator import EmulatorConfig, running
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.token import AccessToken

pytestmark = pytest.mark.airflow

DEMO = [sys.executable, "-m", "candid_provider.cli", "demo"]


class Finished:
    """Hold what a demo with ``--home`` left behind."""

    def __init__(self, home: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.home, self.done = home, done
        self.report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}

    @property
    def texts(self) -> Iterator[tuple[Path, bytes]]:
        """All files but the extracts, where patients belong, and the two that are there to tell the secret."""
        for path in self.home.rglob("*"):
            told = path.name in ("airflow.env", "emulator.log")
            if path.is_file() and not told and self.home / "output" not in path.parents:
                yield path, path.read_bytes()

    def rows(self, query: str) -> list[Any]:
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run the demo at DEBUG, with an endpoint that gives one token a minute."""
    home = tmp_path_factory.mktemp("demo") / "home"
    command = [*DEMO, "--home", str(home), "--json", "--rate-limit", "1", "--encounters", "2000"]
    env = {**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    return Finished(home, subprocess.run(command, env=env, capture_output=True, text=True, timeout=500, check=False))


def test_the_verdict_is_the_exit_code(demo: Finished) -> None:
    assert demo.done.returncode == 0, demo.done.stderr
    assert demo.report["passed"] is True


@pytest.mark.requirement(1)
def test_one_token_served_more_than_eighteen_processes(demo: Finished) -> None:
    assert demo.report["mints"] == 1
    assert demo.report["token_users"] == 22
    assert demo.report["task_processes"] == demo.report["tasks"] == 24


def test_every_record_is_in_the_files_once(demo: Finished) -> None:
    assert demo.report["rows"] == demo.report["expected"] == {"encounters": 2000, "patients": 2000}
    ids = [
        json.loads(line)["encounter_id"]
        for file in (demo.home / "output" / "encounters").glob("*/part-*.jsonl")
        for line in file.read_bytes().splitlines()
    ]
    assert len(set(ids)) == len(ids) == 2000


def test_progress_was_told_while_it_ran(demo: Finished) -> None:
    assert "airflow: starting" in demo.done.stderr
    assert re.search(r"tasks: \d+ done, \d+ running, 0 failed", demo.done.stderr)


def test_the_logs_are_at_debug_and_say_what_was_done(demo: Finished) -> None:
    text = b"".join(content for path, content in demo.texts if path.suffix == ".log")
    assert b'"level":"debug"' in text
    assert b"GET /api/encounters/v4 status=200" in text
    assert b"decision=minted" in text


def test_no_patient_is_anywhere_but_in_the_files(demo: Finished) -> None:
    with running(EmulatorConfig(encounters=1)) as emulator:
        markers = [marker.encode() for marker in emulator.markers]
    extracts = b"".join(path.read_bytes() for path in (demo.home / "output").rglob("*.jsonl"))
    assert all(marker in extracts for marker in markers)
    leaks = [(path, marker) for path, content in demo.texts for marker in markers if marker in content]
    assert leaks == []


@pytest.mark.requirement(5)
def test_no_secret_token_or_query_is_in_a_log_or_in_the_database(demo: Finished) -> None:
    token = the_token_of(demo)
    wanted = [token.value.encode(), token.value.rpartition(".")[2].encode(), b"emulator-secret"]
    wanted += [b"date_of_service_min=", b"page_token=", b"maxResults=", b"since=1970"]
    leaks = [(path, text[:20]) for path, content in demo.texts for text in wanted if text in content]
    assert leaks == []


@pytest.mark.requirement(21)
def test_the_token_is_in_the_database_sealed_within_airflows_own_encryption(demo: Finished) -> None:
    stored = demo.rows("select val, is_encrypted from variable where substr(key, 1, 14) = 'candid_token__'")
    ((value, is_encrypted),) = stored
    assert is_encrypted
    assert value.startswith("gAAAA")
    assert the_token_of(demo).minted_by


def test_xcom_holds_counts_and_paths_only(demo: Finished) -> None:
    results = [json.loads(value) for (value,) in demo.rows("select value from xcom where task_id = 'encounters'")]
    assert len(results) == 21
    counts = {"parts", "rows", "bytes", "pages", "deactivated", "failures"}
    assert all(set(result) == {"resource", "path", "manifest", *counts} for result in results)


@pytest.mark.requirement(5)
def test_rendered_fields_show_names_of_parameters_only(demo: Finished) -> None:
    fields = [
        json.loads(value)
        for (value,) in demo.rows(
            "select rendered_fields from rendered_task_instance_fields where task_id = 'encounters'"
        )
    ]
    assert {field["query"] for field in fields} == {"date_of_service_max, date_of_service_min (values not shown)"}


@pytest.mark.requirement(24)
def test_the_number_of_mints_can_be_told_from_the_logs(demo: Finished) -> None:
    folder = demo.home / "logs" / "dag_id=example_candid_nightly"
    text = "".join(path.read_text() for path in folder.rglob("*.log"))
    assert text.count("decision=minted") == demo.report["mints"]
    assert text.count("decision=load") + text.count("decision=adopt") == demo.report["token_users"] - 1


def test_it_leaves_no_process(demo: Finished) -> None:
    assert processes_of(demo.home) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(DEMO, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        while "starting" not in demo.stdout.readline():
            assert demo.poll() is None
        time.sleep(3)
        for _ in range(3):  # a person does not press it only once
            demo.send_signal(number)
            time.sleep(0.2)
        rest = demo.stdout.read()
    assert demo.returncode == 130
    assert "interrupted" in rest
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_keep_leaves_everything_up_until_ctrl_c(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [*DEMO, "--keep", "--encounters", "200", "--patients", "50"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout
        while not (line := demo.stdout.readline()).startswith("Airflow "):
            assert demo.poll() is None
        _, url, _, user, _, password = line.split()
        answer = httpx.post(f"{url}/auth/token", json={"username": user, "password": password}, timeout=30)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert answer.status_code == 201
    assert demo.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_a_failure_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*DEMO, "--timeout", "1"], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "the run was not over after 1 s" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_a_home_that_exists_is_not_touched(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, "--home", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "exists" in done.stdout
    assert list(tmp_path.iterdir()) == []


def the_token_of(demo: Finished) -> AccessToken:
    """Open the stored token as a task would: Airflow's Fernet first, then our seal."""
    key = re.search(r"FERNET_KEY=(\S+)", (demo.home / "airflow.env").read_text())
    assert key
    ((value,),) = demo.rows("select val from variable where substr(key, 1, 14) = 'candid_token__'")
    sealed = Fernet(key[1]).decrypt(value.encode()).decode()
    emulator = (demo.home / "logs" / "components" / "emulator.log").read_text().split()[2]
    credentials = ClientCredentials("emulator", "emulator-secret", f"{emulator}/api/auth/v2/token")
    token = Envelope(credentials).open(sealed, time.time())
    assert token
    return token


def processes_of(folder: Path) -> list[list[str]]:
    """Processes that work below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if folder in [Path(process.cwd()), *Path(process.cwd()).parents]:
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
