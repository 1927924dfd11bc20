"""The table of endpoints: in docs/emulator.md and on the command line.

`python -m tests.emulator.test_table` writes the one of the document anew.
"""

from __future__ import annotations

import subprocess
import sys

from candid_provider.cli import main
from candid_provider.emulator import table
from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.endpoints import HANDLERS
from tests.conftest import REPOSITORY

GUIDE = REPOSITORY / "docs" / "emulator.md"


def test_the_table_of_the_guide_is_up_to_date() -> None:
    document = GUIDE.read_text()
    assert document == table.updated(document), "run: python -m tests.emulator.test_table"


def test_the_table_has_every_endpoint_once_and_says_which_are_emulated() -> None:
    rows = {name: done for name, _, _, done in table.rows()}
    assert len(rows) == len(table.rows()) == len(endpoints()) == 274
    assert {name for name, done in rows.items() if done == "yes"} == HANDLERS.keys() | {"auth.default.get_token"}
    assert table.count() == f"{len(HANDLERS) + 1} of 274 endpoints emulated"


def test_the_command_line_prints_it_and_ends() -> None:
    command = [sys.executable, "-m", "candid_provider.emulator", "--endpoints"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    assert printed == table.text() + "\n"
    assert printed.splitlines()[-1] == table.count()
    assert main(["emulator", "--endpoints", "markdown"]) == 0


if __name__ == "__main__":
    GUIDE.write_text(table.updated(GUIDE.read_text()))
