"""Extracts, exports and loads on a server that speaks the protocol of S3, through Airflow's Amazon provider."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from candid_provider.emulator import Emulator
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.whole_file import whole_file
from tests.conftest import Connect
from tests.transfers.extraction.conftest import PAGE, extract
from tests.transfers.extraction.test_incremental import Instance
from tests.transfers.extraction.test_resume import PAGES, States, asked, fail_once_at
from tests.transfers.loading.conftest import Desk, encounter, encounters
from tests.transfers.object_stores.server import Bucket
from tests.transfers.test_candid_export_to_object_storage import export


def described(bucket: Bucket, prefix: str = "out/") -> Any:
    return json.loads(bucket.read(f"{prefix}manifest.json"))


def rows(bucket: Bucket, prefix: str = "out/") -> list[dict[str, Any]]:
    """Read an extract, which has to be what its manifest says, and nothing else below its prefix."""
    manifest = described(bucket, prefix)
    contents = [bucket.read(prefix + part["name"]) for part in manifest["parts"]]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [p["sha256"] for p in manifest["parts"]]
    assert set(bucket.keys(prefix)) == {"manifest.json", *(part["name"] for part in manifest["parts"])}
    plain = [gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content for content in contents]
    found = [json.loads(line) for content in plain for line in content.splitlines()]
    assert len(found) == manifest["rows"]
    return found


@pytest.mark.parametrize("states", [None, States()], ids=["file", "state store"])
def test_parts_come_one_by_one_and_the_manifest_last(
    candid: Emulator, connect: Connect, bucket: Bucket, states: States | None
) -> None:
    path = bucket.path("out")
    summary = extract(
        {"task_state_store": states}, resource="encounters", path=path, query=PAGE, part_rows=100, compression="gzip"
    )
    assert (summary["path"], summary["manifest"]) == (path, f"{path}/manifest.json")
    assert len({row["encounter_id"] for row in rows(bucket)}) == summary["rows"] == 420
    put = [key for key in bucket.puts() if "checkpoint" not in key]
    assert put == [*(f"out/{part['name']}" for part in described(bucket)["parts"]), "out/manifest.json"]


def test_parquet_is_readable(candid: Emulator, connect: Connect, bucket: Bucket) -> None:
    extract(resource="patients", path=bucket.path("out"), format="parquet")
    (part,) = described(bucket)["parts"]
    table = pyarrow.parquet.read_table(io.BytesIO(bucket.read(f"out/{part['name']}")))
    assert len(set(table["id"].to_pylist())) == table.num_rows == 230


def test_a_run_replaces_what_the_task_left_there_and_nothing_else(
    candid: Emulator, connect: Connect, bucket: Bucket
) -> None:
    path = ObjectStoragePath(bucket.path("out"))
    extract(resource="encounters", path=path, part_rows=100)
    others = {"out/notes.txt", "out/deeper/part-00000-mine.jsonl", "outer/manifest.json", "out/"}
    for key in others:
        bucket.write(key, b"mine")
    extract(resource="encounters", path=path)
    parts = {f"out/{part['name']}" for part in described(bucket)["parts"]}
    assert len(parts) == 1
    assert set(bucket.keys()) == {"out/manifest.json", *parts, *others}
    with pytest.raises(AirflowFailException, match="path holds the output of another task"):
        extract(task_id="another", resource="payers", path=path)


@pytest.mark.parametrize("states", [None, States()], ids=["file", "state store"])
def test_a_retry_asks_for_no_page_twice(
    candid: Emulator, connect: Connect, bucket: Bucket, states: States | None
) -> None:
    arguments = {"resource": "encounters", "path": bucket.path("out"), "query": PAGE}
    fail_once_at(candid, 30)
    with pytest.raises(AirflowFailException):
        extract({"task_state_store": states}, **arguments)
    assert extract({"task_state_store": states}, **arguments)["rows"] == 420
    assert len({row["encounter_id"] for row in rows(bucket)}) == 420
    assert [part["rows"] for part in described(bucket)["parts"]] == [290, 130]
    assert asked(candid) == PAGES + 1


def test_a_watermark_lies_there_as_well(candid: Emulator, connect: Connect, bucket: Bucket) -> None:
    for number in (1, 2):
        extract(
            {"ti": Instance("nightly"), "dag_run": None},
            resource="patients",
            path=bucket.path(f"run-{number}"),
            incremental=True,
            watermark=bucket.path("marks/patients.json"),
        )
    assert len({row["id"] for row in rows(bucket, "run-1/")}) == 230
    assert rows(bucket, "run-2/") == []
    assert described(bucket, "run-2/")["began_at"] == described(bucket, "run-1/")["cursor"]


def test_what_others_write_is_seen(bucket: Bucket) -> None:
    directory = Directory(bucket.path("out"))
    bucket.write("out/old", b"one\n")
    assert directory.sizes() == {"old": 4}
    bucket.write("out/old", b"one\ntwo\n")
    bucket.write("out/new", b"new")
    assert list(directory.lines("old")) == [b"one\n", b"two\n"]
    directory.sizes()
    bucket.write("out/newer", b"newer")
    assert directory.read("newer") == b"newer"


def test_a_large_file_goes_there_in_pieces_and_appears_whole(bucket: Bucket) -> None:
    content = random.Random(0).randbytes(1_000_000) * 110
    with whole_file(bucket.path("large")) as file:
        file.write(content)
        assert bucket.keys() == []
    assert hashlib.sha256(bucket.read("large")).digest() == hashlib.sha256(content).digest()
    assert len(bucket.puts()) > 1
    assert bucket.unfinished_uploads() == 0


def test_a_file_that_fails_leaves_what_was_there(bucket: Bucket) -> None:
    bucket.write("file", b"old")
    with pytest.raises(ZeroDivisionError), whole_file(bucket.path("file")) as file:
        file.write(bytes(1 // 0))
    assert bucket.read("file") == b"old"


def test_a_bucket_that_is_not_there_is_named_at_once(desk: Desk, bucket: Bucket) -> None:
    nowhere: Any = "s3://lake@nowhere/out"
    told = rf"path: {nowhere}\S* cannot be written \(there is no such bucket or container\)"
    with pytest.raises(AirflowFailException, match=told):
        extract(resource="encounters", path=nowhere)
    with pytest.raises(AirflowFailException, match=told):
        export(nowhere)
    with pytest.raises(AirflowFailException, match=f"results_{told}"):
        desk.load(encounters(3), results_path=nowhere)
    assert desk.sent() == 0


@pytest.mark.parametrize("columns", [{}, {"columns": ["encounter_id", "claim_id"]}], ids=["as it is", "columns"])
def test_an_export_is_fetched(
    candid: Emulator, connect: Connect, bucket: Bucket, columns: Any, tmp_path: Path
) -> None:
    for _ in range(2):
        summary = export(bucket.path("exports"), **columns)  # type: ignore[arg-type]  # a URL
    export(tmp_path, **columns)
    name = "export_2026-03-06_2026-03-09.csv"
    assert set(bucket.keys("exports/")) == {name, "manifest.json"}
    assert bucket.read(f"exports/{name}") == (tmp_path / name).read_bytes()
    assert summary["bytes"] == len(bucket.read(f"exports/{name}")) > 1000
    assert bucket.puts()[-1] == "exports/manifest.json"


def test_a_load_leaves_its_results_and_its_dead_letters(desk: Desk, bucket: Bucket) -> None:
    lines = desk.write([*encounters(20), encounter("visit-bad", date_of_service="yesterday"), b"{"])
    bucket.write("outbox/one.jsonl", b"\n".join(lines[:12]) + b"\n")
    bucket.write("outbox/two.jsonl.gz", gzip.compress(b"\n".join(lines[12:]) + b"\n"))
    bucket.write("outbox/manifest.json", b"{}")
    places: dict[str, Any] = {"path": bucket.path("outbox"), "results_path": bucket.path("uploads")}
    summary = desk.load(**places)
    assert summary["outcomes"] == {"created": 20, "refused": 1, "invalid": 1}
    assert desk.created() == sorted(f"visit-{number}" for number in range(20))
    found = [json.loads(line) for line in bucket.read("uploads/results.jsonl").splitlines()]
    assert [(row["file"], row["line"]) for row in found][11:13] == [("one.jsonl", 12), ("two.jsonl.gz", 1)]
    assert bucket.read("uploads/dead-letters.jsonl").splitlines() == lines[20:]
    files = {"results.jsonl", "dead-letters.jsonl", "unknown.jsonl", "summary.json"}
    assert set(bucket.keys("uploads/")) == files
    assert bucket.puts()[-1] == "uploads/summary.json"
    sent = desk.sent()
    desk.load(**places)
    assert desk.sent() == sent + 1  # the line that Candid had refused
    assert set(bucket.keys("uploads/")) == files
