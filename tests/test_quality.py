"""The rules of the house, checked by their own tools."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PLAIN = ("oauth", "api")


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=" ".join,
)
def test_a_tool_finds_nothing(command: list[str]) -> None:
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run([tool, *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plain_part_silences_no_type_error() -> None:
    files = [path for room in PLAIN for path in (REPOSITORY / "candid_provider" / room).glob("*.py")]
    assert files
    assert [path.name for path in files if "type: ignore" in path.read_text()] == []


def test_the_package_itself_imports_nothing() -> None:
    tree = ast.parse((REPOSITORY / "candid_provider" / "__init__.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_no_function_is_longer_than_forty_lines() -> None:
    long = [
        f"{path.name}:{node.name}"
        for path in (REPOSITORY / "candid_provider").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert long == []


def test_parsing_a_dag_imports_nothing_heavy() -> None:
    """What ``BaseOperator`` does not import anyway, an operator imports only when it runs."""
    transfers = ("candid_to_object_storage", "object_storage_to_candid", "candid_export_to_object_storage")
    operators = ("candid", "checks", "eligibility")
    ours = (
        "sensors.candid",
        *(f"operators.{name}" for name in operators),
        *(f"transfers.{name}" for name in transfers),
    )
    code = f"import sys, {', '.join(f'candid_provider.{name}' for name in ours)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    heavy = {"candid", "jwt", "pyarrow", "starlette", "uvicorn", "fastapi", "pandas", "cryptography.x509"}
    heavy |= {"candid_provider.hooks.candid", "candid_provider.api.client", "candid_provider.transfers.loading"}
    heavy |= {
        "candid_provider.api.eligibility",
        "candid_provider.api.posting",
        "candid_provider.operators.submission",
    }
    assert modules.isdisjoint(heavy)
