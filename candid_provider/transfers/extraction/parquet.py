"""Parts as Parquet (extra ``[parquet]``): the same columns in every part of every run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from candid_provider.api.columns import columns_of
from candid_provider.transfers.extraction.records import REST, Records

__all__ = ["columns_of", "encode", "schema_of"]

GROUP_BYTES = 8_000_000
"""JSON of a row group."""
BATCH_BYTES = 500_000
"""JSON that is turned into columns at a time: what lies between takes many times that in memory."""

_TYPES: Mapping[str, Any] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "json": pa.string(),
}


def schema_of(columns: Mapping[str, str]) -> Any:
    """Give the schema of a part: what is nested is JSON text, and so is the last column."""
    return pa.schema([*((name, _TYPES[kind]) for name, kind in columns.items()), (REST, pa.string())])


def encode(columns: Mapping[str, str], compression: str, spool: IO[bytes], file: IO[bytes]) -> int:
    """Turn JSON lines into Parquet, a row group at a time.

    :returns: how many rows had something that did not fit its column; it is in the last one.
    """
    schema, records = schema_of(columns), Records(columns)
    kinds = [*columns.values(), "string"]
    # A dictionary of JSON texts would save nothing, and takes memory.
    repeating = [name for name, kind in columns.items() if kind == "string"]
    options: dict[str, Any] = {"compression": compression, "use_dictionary": repeating}
    with _frugally(), pq.ParquetWriter(pa.PythonFile(file, "w"), schema, **options) as writer:
        batches, size = list[Any](), 0
        for lines in _batches(spool):
            values = zip(*map(records.row, lines), strict=True)
            arrays = [_array(kind, column) for kind, column in zip(kinds, values, strict=True)]
            batches.append(pa.record_batch(arrays, schema=schema))
            size += sum(map(len, lines))
            if size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(batches))
                batches, size = [], 0
        if batches:
            writer.write_table(pa.Table.from_batches(batches))
    return records.unfit


@contextlib.contextmanager
def _frugally() -> Iterator[None]:
    """Have Arrow use the system's allocator: its own keeps 15 MB more (measured on encounters)."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _array(kind: str, values: tuple[Any, ...]) -> Any:
    if kind == "json":
        texts = (bytes(raw) if isinstance(raw, msgspec.Raw) else b"" for raw in values)
        return pa.array([text if text not in (b"", b"null") else None for text in texts], pa.string())
    return pa.array(values, _TYPES[kind])


def _batches(spool: IO[bytes]) -> Iterator[list[bytes]]:
    rest = b""
    while block := spool.read(BATCH_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
