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

_home = tempfile.TemporaryDirectory(prefix="candid-tests-", ignore_cleanup_errors=True)
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
if os.environ.get("PYTHONDONTWRITEBYTECODE"):
    # Hundreds of interpreters start here, most with Airflow: each would compile it anew.
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    os.environ["PYTHONPYCACHEPREFIX"] = f"{_home.name}/bytecode"  # of the first process; its workers inherit it

import pytest  # noqa: E402 - after the environment is set
from xdist.scheduler import LoadScopeScheduling  # noqa: E402 - as above

from candid_provider.emulator import Emulator, EmulatorConfig, running  # noqa: E402 - as above

REPOSITORY = Path(__file__).parents[1]
LONGEST = ("cluster", "cli/test_demo.py", "airflow", "test_install.py", "versions")
"""What begins first, so that neither processor ends long before the other."""
LAST = "oauth/test_explore.py"
"""What fills both processors by itself, and so what they have left."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster", "how much tests/cluster runs")
    group.addoption("--cold-rounds", type=int, default=1, metavar="N", help="cold starts a deployment (%(default)s)")
    group.addoption("--cold-tasks", type=int, default=100, choices=(64, 100), help="tasks a cold start (%(default)s)")
    group.addoption("--waits", type=int, default=200, choices=(200, 1000, 2000), help="at once (%(default)s)")
    group.addoption("--triggers", type=int, default=200, choices=(200, 500), help="at once (%(default)s)")
    events = parser.getgroup("events", "how much tests/airflow/test_events.py runs")
    events.addoption("--events", type=int, default=800, metavar="N", help="come while it is killed (%(default)s)")
    several = parser.getgroup("jobs", "how much tests/airflow/test_jobs.py runs")
    several.addoption("--batches", type=int, default=12, metavar="N", help="eligibility batches (%(default)s)")


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keep what shares a running Airflow in one process; the files of other folders go wherever there is time.

    xdist's own groups (``--dist=loadgroup``) are names that it adds to the tests' ids, which pytest 9.2 overlooks.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups | None:
    return Groups(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest."""
    rank = {group: number for number, group in enumerate(LONGEST)} | {LAST: len(LONGEST) + 1}
    items.sort(key=lambda item: rank.get(group_of(item.nodeid), len(LONGEST)))


def group_of(nodeid: str) -> str:
    """Name the folder whose tests share an Airflow, or the file."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    folder = path.partition("/")[0]
    return folder if folder in ("airflow", "cluster", "versions") else path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            terminalreporter.section(name)
            terminalreporter.write_line(str(text))


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
    # A port may have been another emulator's, whose token this one would refuse.
    monkeypatch.setattr("candid_provider.hooks.sources._sources", {})

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
