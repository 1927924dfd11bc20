"""Extracts under faults and deaths: each record once, in its place, and nothing else left behind."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from candid_provider.api.call import pages
from candid_provider.api.client import CandidClient
from candid_provider.api.resources import resource_named
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from tests.api.conftest import quick, settings_for
from tests.transfers.chaos.child import Work
from tests.transfers.chaos.storm import Storm

ITEMIZE = "/api/patient-ar/v1/invoice-itemization/{claim_id}"
DAYS = {"date_of_service_min": "2026-03-06", "date_of_service_max": "2026-03-15"}

TASKS: tuple[dict[str, Any], ...] = (
    {"resource": "encounters", "query": {"limit": 10}},
    {"resource": "encounters", "query": {"limit": 10}, "part_rows": 70},
    {"resource": "encounters", "query": {"limit": 10, **DAYS}, "parallel_windows": 3, "part_rows": 40},
    {"resource": "encounters", "query": {"limit": 20}, "compression": "gzip", "part_rows": 100},
    {"resource": "encounters", "query": {"limit": 20}, "compression": "zstd", "part_bytes": 1_000_000},
    {"resource": "patients", "query": {"maxResults": 10}, "part_rows": 25},
    {"resource": "events", "query": {"limit": 20}, "part_rows": 50},
    {"resource": "patient_ar_inventory", "query": {"limit": 5}, "detail": ITEMIZE, "part_rows": 20},
)


@pytest.mark.parametrize("seed", range(120))
def test_each_record_is_there_once(storm: Storm, tmp_path: Path, seed: int) -> None:
    number = seed % len(TASKS)
    work = Work(CandidToObjectStorageOperator, {"task_id": "extract", "path": str(tmp_path / "out"), **TASKS[number]})
    if seed % 3 == 0:
        storm.quietly(work)  # whose output is replaced
    storm.rage(seed, work, 30)
    assert sorted(lines(tmp_path / "out")) == sorted(wanted(storm, number))
    if "parallel_windows" not in TASKS[number]:
        assert lines(tmp_path / "out") == wanted(storm, number)
    assert not storm.markers_in_log()


def lines(directory: Path) -> list[bytes]:
    """Read an extract, which is what its manifest says, and nothing else in its directory."""
    manifest = json.loads((directory / "manifest.json").read_bytes())
    names = [part["name"] for part in manifest["parts"]]
    assert {path.name for path in directory.iterdir()} == {*names, "manifest.json"}
    contents = [(directory / name).read_bytes() for name in names]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [p["sha256"] for p in manifest["parts"]]
    found = [line for content in contents for line in plain(content).splitlines()]
    assert (manifest["rows"], manifest["failures"]) == (len(found), 0)
    return found


def plain(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    with (
        zstandard.ZstdDecompressor().stream_reader(content)
        if content.startswith(b"\x28\xb5\x2f\xfd")
        else (io.BytesIO(content)) as reader
    ):
        return bytes(reader.read())


@functools.cache
def wanted(storm: Storm, number: int) -> list[bytes]:
    """What Candid has, asked on a quiet day, in large pages."""
    task = TASKS[number]
    url = storm.emulator.url
    settings = settings_for(url)
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick)
    query = {name: value for name, value in task["query"].items() if name not in ("limit", "maxResults")}
    call = resource_named(task["resource"]).call(query)
    with CandidClient(settings, source) as client:
        rows = [bytes(row) for page in pages(client, call) for row in page.rows]
        assert len(rows) == storm.emulator.stats()["records"][task["resource"]]
        if "detail" in task:
            paths = [task["detail"].format(**json.loads(row)) for row in rows]
            rows = [client.get(path).content for path in paths]
    assert rows
    return rows
