from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pytest
from airflow.sdk.io import attach  # noqa: TID251 - how a deployment adds a file system

from candid_provider.emulator import Emulator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator
from tests.conftest import Connect
from tests.emulator.conftest import Api, connected
from tests.emulator.test_encounter_writes import BODY

Row = dict[str, Any]
CREATE = "POST /api/encounters/v4"
PAY = "POST /api/patient-payments/v4"


def encounter(external_id: str, **changes: Any) -> Row:
    """An encounter as it is sent; names and addresses in it carry markers."""
    return copy.deepcopy(BODY) | {"external_id": external_id} | changes


def encounters(count: int) -> list[Row]:
    return [encounter(f"visit-{number}") for number in range(count)]


class Desk:
    """Loads records, and looks at what came of it on both sides."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.input = folder / "in.jsonl"
        self.results = folder / "results"

    def write(self, records: Sequence[Row | bytes]) -> list[bytes]:
        lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        self.input.write_bytes(b"".join(line + b"\n" for line in lines))
        return lines

    def operator(self, **arguments: Any) -> ObjectStorageToCandidOperator:
        given = {"path": str(self.input), "results_path": str(self.results), "resource": "encounters", **arguments}
        return ObjectStorageToCandidOperator(task_id="load", **given)

    def load(self, records: Sequence[Row | bytes] | None = None, *, run_id: str = "run", **arguments: Any) -> Row:
        if records is not None:
            self.write(records)
        operator = self.operator(**arguments)
        context: Any = {"ti": Instance(run_id)}
        operator.render_template_fields(context)
        return operator.execute(context)

    def rows(self, name: str = "results.jsonl") -> list[Row]:
        return [json.loads(line) for line in (self.results / name).read_bytes().splitlines()]

    def lines(self, name: str) -> list[bytes]:
        return (self.results / name).read_bytes().splitlines()

    def outcomes(self) -> list[tuple[str | None, str, str | None]]:
        return [(row["external_id"], row["outcome"], row["error"]) for row in self.rows()]

    def sent(self, route: str = CREATE) -> int:
        return len(self.emulator.requests(route=route))

    def created(self) -> list[str]:
        """External ids of the encounters that were created, as Candid lists them."""
        with connected(self.emulator) as http:
            rows = Api(http).rows("/api/encounters/v4", limit=1000)
        return sorted(row["external_id"] for row in rows if row["external_id"].startswith("visit-"))

    def http(self) -> httpx.Client:
        return connected(self.emulator)


class Instance:
    """What a load reads of its task instance."""

    def __init__(self, run_id: str) -> None:
        self.dag_id, self.task_id, self.map_index, self.run_id = "nightly", "load", -1, run_id


@pytest.fixture(autouse=True)
def memory() -> None:
    """An object store that Airflow knows, where files do not grow: fsspec's own, in memory."""
    attach("memory", fs=fsspec.filesystem("memory"))


@pytest.fixture
def desk(candid: Emulator, connect: Connect, tmp_path: Path) -> Desk:
    return Desk(candid, tmp_path)


def numbered(count: int) -> list[str]:
    return sorted(f"visit-{number}" for number in range(count))


def payments(desk: Desk, count: int) -> list[dict[str, Any]]:
    with desk.http() as http:
        made = http.post("/api/encounters/v4", json=encounter("paid")).json()
    target = {"type": "claim", "value": made["claims"][0]["claim_id"]}
    return [
        {
            "amount_cents": 100 + number,
            "patient_external_id": "pat-1",
            "allocations": [{"amount_cents": 100 + number, "target": {"type": "unattributed"}}],
            "payment_note": f"Ashqvexzo {number} {target['type']}",
        }
        for number in range(count)
    ]
