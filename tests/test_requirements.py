"""The table of docs/token.md against the markers of the tests."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.conftest import REPOSITORY

TESTS = REPOSITORY / "tests"
MARK = re.compile(r"pytest\.mark\.requirement\((\d+)\)")
ROW = re.compile(r"^\| (\d+) \|.*?\|.*?\| (.*?) \|", re.MULTILINE)


def marked() -> dict[int, set[str]]:
    """Name the modules whose tests carry each requirement."""
    modules: dict[int, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for number in MARK.findall(path.read_text()):
            modules[int(number)].add(path.relative_to(TESTS).as_posix())
    return modules


@pytest.mark.parametrize("number", range(1, 26))
def test_each_requirement_has_tests_and_the_table_names_them(number: int) -> None:
    table = (REPOSITORY / "docs" / "token.md").read_text()
    listed = {int(row): set(re.findall("`(.*?)`", shown)) for row, shown in ROW.findall(table)}
    assert listed[number] == marked()[number] != set()
