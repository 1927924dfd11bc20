"""Listings into files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.api.call import Call
from candid_provider.api.paging import TokenPaging
from candid_provider.api.resources import RESOURCES
from candid_provider.emulator import Emulator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from tests.conftest import Connect


def extract(**arguments: Any) -> dict[str, Any]:
    operator = CandidToObjectStorageOperator(task_id="extract", **arguments)
    context: Any = {"ds": "2026-03-14"}
    operator.render_template_fields(context)
    return operator.execute(context)


@pytest.mark.parametrize(
    "resource", ["encounters", "events", "payers", "patient_ar_inventory", "patients", "coverages"]
)
def test_every_record_is_written_once(candid: Emulator, connect: Connect, tmp_path: Path, resource: str) -> None:
    target = tmp_path / "file.jsonl"
    summary = extract(resource=resource, path=str(target))
    keys = [json.loads(line)[RESOURCES[resource].key or ""] for line in target.read_bytes().splitlines()]
    assert len(set(keys)) == len(keys) == summary["rows"] == candid.stats()["records"][resource]


def test_the_summary_describes_the_file(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    target = tmp_path / "file.jsonl"
    summary = extract(resource="encounters", path=str(target), query={"limit": 100})
    content = target.read_bytes()
    assert summary == {
        "resource": "encounters",
        "path": str(target),
        "rows": content.count(b"\n"),
        "bytes": len(content),
        "pages": 5,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_a_query_and_a_path_are_templates(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    query = {"date_of_service_min": "{{ ds }}", "date_of_service_max": "{{ ds }}"}
    summary = extract(resource="encounters", path=f"{tmp_path}/{{{{ ds }}}}.jsonl", query=query)
    lines = (tmp_path / "2026-03-14.jsonl").read_text().splitlines()
    assert {json.loads(line)["date_of_service"] for line in lines} == {"2026-03-14"}
    assert summary["rows"] == len(lines) == 42


def test_a_call_of_ones_own_is_extracted_like_a_resource(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    call = Call(method="GET", path="/api/payers/v4", params={"limit": 7}, paging=TokenPaging())
    summary = extract(resource=call, path=str(tmp_path / "payers.jsonl"))
    assert summary["rows"] == candid.stats()["records"]["payers"]
    assert summary["resource"] == "GET /api/payers/v4"


def test_a_token_revoked_in_mid_run_costs_one_mint_and_no_row(
    candid: Emulator, connect: Connect, tmp_path: Path
) -> None:
    extract(resource="payers", path=str(tmp_path / "payers.jsonl"))
    candid.revoke_tokens()
    summary = extract(resource="encounters", path=str(tmp_path / "encounters.jsonl"))
    assert summary["rows"] == 420
    assert candid.stats()["token"]["minted"] == 2


def test_a_failed_extract_leaves_the_old_file(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    target = tmp_path / "file.jsonl"
    target.write_text("old")
    with pytest.raises(AirflowFailException, match="fields: date_of_service_min"):
        extract(resource="encounters", path=str(target), query={"date_of_service_min": "yesterday"})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"resource": "claims"}, "resource"),
        ({"resource": "encounters", "format": "csv"}, "format"),
        ({"resource": "encounters", "path": "out.jsonl"}, "path"),
        ({"resource": Call(method="GET", path="/api/payers/v4")}, "paging"),
    ],
)
def test_a_wrong_argument_names_itself_before_anything_is_sent(
    candid: Emulator, connect: Connect, tmp_path: Path, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=field):
        extract(**{"path": str(tmp_path / "file.jsonl"), **arguments})
    assert sum(candid.stats()["requests"].values()) == 0
    assert list(tmp_path.iterdir()) == []
