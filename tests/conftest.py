"""An Airflow home of the tests' own, set before anything imports Airflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Protocol

_home = tempfile.TemporaryDirectory(prefix="candid-tests-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

import pytest  # noqa: E402 - after the environment is set

from candid_provider.emulator import Emulator, EmulatorConfig, running  # noqa: E402 - as above

REPOSITORY = Path(__file__).parents[1]


class Connect(Protocol):
    """Define the connection ``candid_default`` for the length of a test."""

    def __call__(self, **changes: Any) -> None: ...


@pytest.fixture
def candid() -> Iterator[Emulator]:
    """An emulator nobody else talks to, so that its counts are this test's."""
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=230, days=10)) as emulator:
        yield emulator


@pytest.fixture
def connect(candid: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def define(**changes: Any) -> None:
        connection = {
            "conn_type": "candid",
            "login": "emulator",
            "password": "emulator-secret",
            "host": candid.url,
            "extra": {"store": "memory"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_CANDID_DEFAULT", json.dumps({**connection, **changes}))

    define()
    return define


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a clone would hold."""
    target = tmp_path_factory.mktemp("clone") / "airflow-provider-candid"
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", "uv.lock", "dist")
    shutil.copytree(REPOSITORY, target, ignore=ignored)
    return target


@pytest.fixture(scope="session")
def wheel(checkout: Path) -> Path:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=checkout, check=True, capture_output=True)
    (built,) = (checkout / "dist").glob("*.whl")
    return built
