"""Extracts, and what is in them."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import zstandard

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

PAGE = {"limit": 10}


def operator(**arguments: Any) -> CandidToObjectStorageOperator:
    """Make the operator, rendered."""
    made = CandidToObjectStorageOperator(**{"task_id": "extract", **arguments})
    context: Any = {"ds": "2026-03-14"}
    made.render_template_fields(context)
    return made


def extract(context: dict[str, Any] | None = None, /, **arguments: Any) -> dict[str, Any]:
    """Run it once."""
    given: Any = context or {}
    return operator(**arguments).execute(given)


def manifest(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "manifest.json").read_bytes())
    return found


def rows(directory: Path) -> list[dict[str, Any]]:
    """Read an extract, which has to be what its manifest says, and nothing else in its directory."""
    described = manifest(directory)
    found: list[dict[str, Any]] = []
    for part in described["parts"]:
        content = (directory / part["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
        lines = [json.loads(line) for line in _plain(part["name"], content).splitlines()]
        assert len(lines) == part["rows"]
        found += lines
    names = {part["name"] for part in (*described["parts"], *described["failure_parts"])}
    assert {path.name for path in directory.iterdir()} == names | {"manifest.json"}
    assert len(found) == described["rows"]
    return found


def _plain(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(content)
    return zstandard.decompress(content) if name.endswith(".zst") else content


def ids(directory: Path, key: str = "encounter_id") -> list[str]:
    return [row[key] for row in rows(directory)]
