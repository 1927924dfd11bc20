"""What users install: the wheel, and the README's commands in a fresh copy of the repository."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.airflow.conftest import readme_blocks
from tests.conftest import REPOSITORY


def test_the_wheel_holds_the_package_the_examples_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = (REPOSITORY / "candid_provider").rglob("*.py")
    facts = (REPOSITORY / "candid_provider").rglob("*.json")
    package = {str(path.relative_to(REPOSITORY)) for path in (*sources, *facts)}
    examples = {f"candid_provider/example_dags/{path.name}" for path in (REPOSITORY / "example_dags").glob("*.py")}
    meta = {name for name in names if ".dist-info/" in name}
    assert examples
    assert names - meta == package | examples | {"candid_provider/py.typed"}
    assert {name.rpartition("/")[2] for name in meta} == {
        "METADATA",
        "WHEEL",
        "entry_points.txt",
        "LICENSE",
        "RECORD",
    }


def test_the_wheel_declares_its_entry_points(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(name).decode()
    assert "candid = candid_provider.cli:main" in text
    assert "[apache_airflow_provider]" in text
    assert "[pytest11]" in text


def shell(command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "VIRTUAL_ENV"))}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env={**kept, **env}, capture_output=True, text=True, check=False
    )


@pytest.mark.airflow
@pytest.mark.timeout(1200)
def test_the_readmes_first_command_runs_the_demo_on_a_fresh_machine(checkout: Path) -> None:
    command = readme_blocks("bash")[0]
    done = shell(command, checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"token mints\s+1 for 22 processes", done.stdout)


@pytest.mark.airflow
@pytest.mark.timeout(1200)
def test_the_readmes_install_puts_the_wheel_beside_airflow(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    """Runs after the first command, in the environment that made, as a reader would."""
    if not (checkout / ".venv").exists():
        shell("python3 -m venv .venv && .venv/bin/pip install -q uv", checkout)
    done = shell(readme_blocks("bash")[1], checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = "../.venv/bin/candid demo --help && ../.venv/bin/airflow providers list -o plain"
    listed = shell(commands, checkout / "dist", AIRFLOW_HOME=str(tmp_path))
    assert "airflow-provider-candid" in listed.stdout, listed.stdout + listed.stderr
    located = shell(".venv/bin/python -P -c 'import candid_provider; print(candid_provider.__file__)'", checkout)
    assert "site-packages" in located.stdout


def test_ci_runs_the_readmes_test_command_as_written() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text()
    printed = subprocess.run(
        ["bash", "-c", script.replace('eval "$command"', "").replace('"$(dirname "$0")/.."', ".")],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert printed.stdout == f"+ {readme_blocks('bash')[-1].strip()}\n"
    assert "uv run pytest" in printed.stdout
