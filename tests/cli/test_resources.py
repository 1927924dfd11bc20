"""``candid resources``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from candid_provider.api.resources import RESOURCES
from candid_provider.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["resources", *arguments])
    return code, capsys.readouterr().out


def test_the_table_has_a_line_for_every_resource_with_its_whole_route(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys)
    lines = [line.split() for line in text.splitlines()[3:] if line.strip()]
    assert code == 0
    assert [line[:3] for line in lines] == [[row.name, row.verb, row.path] for _, row in sorted(RESOURCES.items())]


def test_a_row_says_how_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    _, text = said(capsys, "tasks", "patients", "patient_merges_search")
    tasks, patients, merges = (" ".join(line.split()) for line in text.splitlines()[3:6])
    assert tasks == "tasks GET /api/tasks/v3 token task_id since (updated_at) 100"
    assert patients == "patients GET /patients/v1/updates/scan since scan id scan (updated_at) 1000 (<= 1000)"
    assert merges == "patient_merges_search POST /patient-merge/v1/search token in body id 1000 (<= 1000) json.mrns"


def test_programs_read_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--json")
    rows = {row["name"]: row for row in map(json.loads, text.splitlines())}
    assert (code, rows.keys()) == (0, RESOURCES.keys())
    assert rows["coverages"] == {
        "name": "coverages",
        "route": "GET /coverages/v1/updates/scan",
        "paging": "since scan",
        "key": "id",
        "change_feed": "scan",
        "cursor": "updated_at",
        "page_size": 100,
        "largest_page": None,
        "needs": [],
        "ranges": [],
    }
    assert rows["visits"]["needs"] == ["query.filters"]
    assert rows["encounters"]["ranges"] == ["date_of_service_min", "date_of_service_max"]


def test_an_unknown_name_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "encuonters")
    assert code == 1
    assert "Did you mean 'encounters'" in text


def test_the_command_needs_no_airflow() -> None:
    code = "import sys; from candid_provider.cli import main; main(['resources']); print('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
