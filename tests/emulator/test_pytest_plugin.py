"""The fixture that users' own tests of DAGs stand on, used as they use it: in a pytest of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from candid_provider.emulator import Emulator
from tests.conftest import REPOSITORY

GUIDE = REPOSITORY / "docs" / "emulator.md"


@pytest.mark.candid_emulator(encounters=7, seed=3)
def test_the_marker_sets_it_up_and_the_connection_leads_there(candid_emulator: Emulator) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_CANDID_DEFAULT"])
    assert (connection["conn_type"], connection["host"]) == ("candid", candid_emulator.url)
    assert candid_emulator.stats()["records"]["encounters"] == 7
    before = candid_emulator.stats()["now"]
    candid_emulator.advance(86_400)
    assert candid_emulator.stats()["now"] > before


def test_each_test_has_one_of_its_own(candid_emulator: Emulator) -> None:
    assert candid_emulator.stats()["records"]["encounters"] == 100
    assert candid_emulator.requests() == []
    assert httpx.get(f"{candid_emulator.url}/_emulator/health").status_code == 200


def run(project: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run a user's test file in a project of theirs, with an Airflow home and settings of its own."""
    (project / "test_theirs.py").write_text(test)
    (project / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\npythonpath = .\n")
    return airflow_shell(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py")


def airflow_shell(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    env |= {"AIRFLOW_HOME": str(project / "home"), "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags")}
    env |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.airflow
def test_the_example_of_the_guide_tests_a_dag(tmp_path: Path) -> None:
    dag, test = (example(name) for name in ("a DAG", "its test"))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "payers.py").write_text(dag)
    assert airflow_shell(tmp_path, sys.executable, "-m", "airflow", "db", "migrate").returncode == 0
    done = run(tmp_path, test)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def example(name: str) -> str:
    [code] = re.findall(rf"<!-- example: {name} -->\n+```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(code)


def test_settings_without_names_are_refused(tmp_path: Path) -> None:
    test = "import pytest\n\n@pytest.mark.candid_emulator(7)\ndef test_it(candid_emulator):\n    pass\n"
    assert "takes settings by name" in run(tmp_path, test).stdout


def test_it_costs_a_pytest_that_does_not_use_it_nothing(tmp_path: Path) -> None:
    heavy = "{'starlette', 'uvicorn', 'airflow', 'httpx'}"
    test = f"import sys\n\ndef test_it():\n    assert not {heavy} & sys.modules.keys()\n"
    assert "1 passed" in run(tmp_path, test).stdout
