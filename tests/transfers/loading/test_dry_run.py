"""A dry run: what is wrong with which line, and nothing sent."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.transfers.loading.conftest import Desk, encounter


def test_a_dry_run_names_lines_and_fields_and_sends_nothing(desk: Desk) -> None:
    wrong = encounter("visit-1", billable_status="Ashqvexzo", diagnoses=[{"code": 7}])
    summary = desk.load([encounter("visit-0"), wrong, b"{broken"], dry_run=True)
    assert summary["outcomes"] == {"valid": 1, "invalid": 2}
    rows = desk.rows("dry-run.jsonl")
    assert [(row["line"], row["external_id"], row["error"], row["fields"]) for row in rows] == [
        (2, "visit-1", "missing, string_type", ["diagnoses.code", "diagnoses.code_type"]),
        (3, None, "NotAJsonObject", []),
    ]
    assert "qvexzo" not in (desk.results / "dry-run.jsonl").read_text()
    assert sum(desk.emulator.stats()["requests"].values()) == 0
    assert [path.name for path in desk.results.iterdir()] == ["dry-run.jsonl"]


def test_a_dry_run_finds_values_that_the_api_does_not_list(desk: Desk) -> None:
    desk.load([encounter("visit-0", billable_status="Ashqvexzo"), encounter("visit-1")], dry_run=True)
    assert [(row["error"], row["fields"]) for row in desk.rows("dry-run.jsonl")] == [("enum", ["billable_status"])]


def test_a_dry_run_fails_the_task_like_a_load_would(desk: Desk) -> None:
    with pytest.raises(AirflowFailException, match="1 of 2 lines are errors"):
        desk.load([encounter("visit-0"), {"external_id": "visit-1"}], dry_run=True, max_errors=0)
