"""Lineage: what Airflow is told of where data came from and went to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.lineage import hook as hook_lineage
from airflow.sdk.lineage import HookLineageCollector  # noqa: TID251 - what a reader of lineage brings about

from candid_provider.emulator import Emulator
from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.conftest import Connect
from tests.transfers.loading.conftest import encounter


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's own, which a deployment has that somebody reads lineage in."""
    found: Any = HookLineageCollector()  # type: ignore[no-untyped-call]  # it has no types
    monkeypatch.setattr(hook_lineage, "get_hook_lineage_collector", lambda: found)
    return found


def told(collector: Any) -> tuple[list[str], list[str]]:
    """URIs of inputs and outputs."""
    found = collector.collected_assets
    return [each.asset.uri for each in found.inputs], [each.asset.uri for each in found.outputs]


def test_an_extract_comes_from_its_resource(
    candid: Emulator, connect: Connect, tmp_path: Path, collector: Any
) -> None:
    secret = "Marker-Search"
    query = {"limit": 100, "search_term": secret}
    extract = CandidToObjectStorageOperator(
        task_id="extract", resource="encounters", path=str(tmp_path / "out"), query=query
    )
    extract.execute({})
    inputs, outputs = told(collector)
    assert inputs == [f"candid://{candid.url.removeprefix('http://')}/encounters"]
    assert outputs == [f"file://{tmp_path}/out"]
    assert secret not in repr((inputs, outputs, collector.collected_assets))


def test_an_export_comes_from_exports(candid: Emulator, connect: Connect, tmp_path: Path, collector: Any) -> None:
    export = CandidExportToObjectStorageOperator(
        task_id="export", path=str(tmp_path), first_day="2026-03-06", last_day="2026-03-09", deferrable=False
    )
    export.execute({})
    inputs, outputs = told(collector)
    assert inputs == [f"candid://{candid.url.removeprefix('http://')}/exports"]
    assert outputs == [f"file://{tmp_path}"]


def test_a_load_goes_to_its_resource(candid: Emulator, connect: Connect, tmp_path: Path, collector: Any) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(encounter("visit-1")) + "\n")
    load = ObjectStorageToCandidOperator(
        task_id="load",
        resource="encounters",
        path=str(tmp_path / "in.jsonl"),
        results_path=str(tmp_path / "results"),
    )
    load.execute({})
    inputs, outputs = told(collector)
    assert inputs == [f"file://{tmp_path}/in.jsonl"]
    assert outputs == [f"candid://{candid.url.removeprefix('http://')}/encounters"]
