"""Parts as Parquet."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from candid_provider.api.columns import columns_of
from candid_provider.emulator import Emulator
from candid_provider.transfers.extraction.parquet import encode, schema_of
from tests.api.columns import FILE, columns, written
from tests.conftest import Connect
from tests.transfers.extraction.conftest import extract, manifest

COLUMNS = {
    "id": "string",
    "paid_cents": "int64",
    "at": "timestamp",
    "day": "date",
    "open": "bool",
    "names": "json",
    "rate": "float64",
}


def table(*records: Any) -> tuple[list[dict[str, Any]], int]:
    """Write records and read them."""
    spool, file = io.BytesIO(b"".join(json.dumps(record).encode() + b"\n" for record in records)), io.BytesIO()
    unfit = encode(COLUMNS, "zstd", spool, file)
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(file.getvalue())).to_pylist()
    return found, unfit


@pytest.mark.filterwarnings("ignore")
def test_the_columns_are_those_of_the_sdks_models() -> None:
    assert FILE.read_text() == written(columns())


def test_values_have_their_columns_types() -> None:
    record = {"id": "a", "paid_cents": 12, "at": "2026-03-14T01:02:03.000004+02:00", "day": "2026-03-14"}
    ((row,), unfit) = table({**record, "open": True, "names": ["é"], "rate": 1})
    at = datetime.datetime(2026, 3, 13, 23, 2, 3, 4, tzinfo=datetime.UTC)
    assert (row["id"], row["paid_cents"], row["at"], row["day"]) == ("a", 12, at, datetime.date(2026, 3, 14))
    assert (row["open"], json.loads(row["names"]), row["rate"], row["_rest"], unfit) == (True, ["é"], 1.0, None, 0)


def test_what_is_missing_or_null_is_null() -> None:
    rows, unfit = table({}, dict.fromkeys(COLUMNS))
    assert rows == [dict.fromkeys([*COLUMNS, "_rest"])] * 2
    assert unfit == 0


def test_what_has_no_column_or_does_not_fit_is_kept() -> None:
    rows, unfit = table(
        {"id": "a", "new": {"x": 1}}, {"id": 7, "paid_cents": "12"}, {"id": "c"}, {"paid_cents": 2**70, "new": 2}, "d"
    )
    assert [row["id"] for row in rows] == ["a", None, "c", None, None]
    assert [row["_rest"] and json.loads(row["_rest"]) for row in rows] == [
        {"new": {"x": 1}},
        {"id": 7, "paid_cents": "12"},
        None,
        {"paid_cents": 2**70, "new": 2},
        "d",
    ]
    assert unfit == 3


@pytest.mark.parametrize("resource", ["encounters", "patients", "events", "payers"])
def test_every_part_of_a_resource_has_one_schema_and_loses_nothing(
    candid: Emulator, connect: Connect, tmp_path: Path, resource: str
) -> None:
    plain = extract(resource=resource, path=str(tmp_path / "jsonl"))
    summary = extract(resource=resource, path=str(tmp_path / "parquet"), format="parquet", part_rows=50)
    described = manifest(tmp_path / "parquet")
    tables = [pq.read_table(tmp_path / "parquet" / part["name"]) for part in described["parts"]]
    schema = schema_of(columns_of(described["route"]))
    assert all(table.schema.equals(schema) for table in tables)
    assert (summary["rows"], described["unfit"]) == (plain["rows"], 0)
    assert sum(len(table) for table in tables) == plain["rows"]
    assert not any(row["_rest"] for table in tables for row in table.to_pylist())


def test_unknown_fields_of_the_api_are_kept(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    candid.faults.add(kind="extra_field", field="brand_new", value=5, route="GET /api/payers/v4", count=None)
    extract(resource="payers", path=str(tmp_path), format="parquet")
    (part,) = manifest(tmp_path)["parts"]
    rests = [row["_rest"] for row in pq.read_table(tmp_path / part["name"]).to_pylist()]
    assert any(rest and "brand_new" in rest for rest in rests)
