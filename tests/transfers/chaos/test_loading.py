"""Loads under faults and deaths: each line becomes one record, and its outcome is known."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.emulator.conftest import Api, connected
from tests.emulator.test_encounter_writes import BODY
from tests.transfers.chaos.child import Work
from tests.transfers.chaos.storm import Storm

LINES = 40


@pytest.mark.parametrize("seed", range(80))
def test_each_line_becomes_one_record(loading: Storm, tmp_path: Path, seed: int) -> None:
    names = [f"visit-{seed}-{number}" for number in range(LINES)]
    records = [copy.deepcopy(BODY) | {"external_id": name} for name in names]
    source, results = tmp_path / "in.jsonl", tmp_path / "results"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    arguments = {
        "task_id": "load",
        "resource": "encounters",
        "path": str(source),
        "results_path": str(results),
        "concurrency": 1 + seed % 6,
    }
    work = Work(ObjectStorageToCandidOperator, arguments)
    loading.rage(seed, work, LINES)
    rows = [json.loads(line) for line in (results / "results.jsonl").read_bytes().splitlines()]
    assert [row["external_id"] for row in rows] == names
    # A line that met one fault after the other has failed, and says so; it is not there.
    done = [row["external_id"] for row in rows if row["outcome"] == "created"]
    assert {row["outcome"] for row in rows} <= {"created", "failed"}
    assert created(loading, seed) == Counter(done)
    assert len({row["id"] for row in rows if row["id"]}) == len(done)
    letters = [json.loads(line)["external_id"] for line in (results / "dead-letters.jsonl").read_bytes().splitlines()]
    assert letters == [name for name in names if name not in done]
    assert {path.name for path in results.iterdir()} == {
        "dead-letters.jsonl",
        "results.jsonl",
        "summary.json",
        "unknown.jsonl",
    }
    loading.quietly(work)  # the next run sends what was not loaded, and nothing else
    assert created(loading, seed) == Counter(names)
    assert not (results / "dead-letters.jsonl").read_bytes()
    assert not loading.markers_in_log()


def created(storm: Storm, seed: int) -> Counter[str]:
    """External ids of a run's encounters, as Candid lists them."""
    with connected(storm.emulator) as http:
        rows = Api(http).rows("/api/encounters/v4", limit=1000)
    return Counter(row["external_id"] for row in rows if row["external_id"].startswith(f"visit-{seed}-"))
