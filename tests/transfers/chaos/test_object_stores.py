"""Extracts and loads under faults and deaths when what they leave lies on S3, where no file grows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.transfers.chaos.child import Death, Work
from tests.transfers.chaos.storm import Storm
from tests.transfers.chaos.test_extraction import TASKS, plain, wanted
from tests.transfers.loading.conftest import Desk, encounters
from tests.transfers.object_stores.server import Bucket


@pytest.mark.parametrize("seed", range(6))
def test_each_record_is_there_once(storm: Storm, bucket: Bucket, seed: int) -> None:
    number = seed % len(TASKS)
    arguments = {"task_id": "extract", "path": bucket.path("out"), **TASKS[number]}
    work = Work(CandidToObjectStorageOperator, arguments, environment=bucket.environment)
    if seed % 3 == 0:
        storm.quietly(work)  # whose output is replaced
    storm.rage(seed, work, 30)
    assert sorted(lines(bucket)) == sorted(wanted(storm, number))
    assert not storm.markers_in_log()


@pytest.mark.parametrize("request_number", [3, 28])
def test_a_killed_extract_is_gone_on_with(storm: Storm, bucket: Bucket, request_number: int) -> None:
    arguments = {"task_id": "extract", "path": bucket.path("out"), **TASKS[1]}
    work = Work(CandidToObjectStorageOperator, arguments, environment=bucket.environment)
    storm.emulator.faults.clear()
    assert storm.attempt(work, Death(request_number, 0.0, gently=False)) < 0
    assert "manifest.json" not in bucket.keys("out/")
    storm.quietly(work)
    assert lines(bucket) == wanted(storm, 1)


@pytest.mark.parametrize("seed", range(2))
def test_each_line_becomes_one_record(loading: Storm, bucket: Bucket, tmp_path: Path, seed: int) -> None:
    desk = Desk(loading.emulator, tmp_path)
    bucket.write("outbox/in.jsonl", b"\n".join(json.dumps(row).encode() for row in encounters(40)) + b"\n")
    places = {"path": bucket.path("outbox"), "results_path": bucket.path("results")}
    arguments = {"task_id": "task", "resource": "encounters", "concurrency": 4, **places}
    work = Work(ObjectStorageToCandidOperator, arguments, environment=bucket.environment)
    loading.rage(seed, work, 40)
    loading.quietly(work)  # sends what met one fault after the other
    assert desk.created() == sorted(f"visit-{number}" for number in range(40))
    found = [json.loads(line) for line in bucket.read("results/results.jsonl").splitlines()]
    assert [row["external_id"] for row in found] == [f"visit-{number}" for number in range(40)]
    assert bucket.read("results/dead-letters.jsonl") == b""
    names = {"results.jsonl", "dead-letters.jsonl", "unknown.jsonl", "summary.json"}
    assert set(bucket.keys("results/")) == names
    assert not loading.markers_in_log()


def lines(bucket: Bucket) -> list[bytes]:
    """Read an extract, which is what its manifest says, and nothing else below its prefix."""
    names = [part["name"] for part in json.loads(bucket.read("out/manifest.json"))["parts"]]
    assert set(bucket.keys("out/")) == {*names, "manifest.json"}
    return [line for name in names for line in plain(bucket.read(f"out/{name}")).splitlines()]
