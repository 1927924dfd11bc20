"""Jobs that are submitted by operators: what they ask, and what the emulator has seen of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator
from candid_provider.operators.eligibility import CandidEligibilityBatchOperator
from candid_provider.operators.job import JobOperator
from tests.conftest import Connect
from tests.emulator.conftest import connected

Row = dict[str, Any]
BATCH = "POST /eligibility-checks/v1/batch"
NPI = "1234567893"


def request(number: int, **changes: Any) -> Row:
    """A request whose names carry the emulator's markers."""
    member = {"first_name": "Ashqvexzo", "last_name": f"Ozmvik{number}", "member_id": f"M{number}"}
    return {"payer_id": "10001", "provider": {"npi": NPI}, "subscriber": member} | changes


class Instance:
    """What an operator reads of its task instance."""

    stats_tags: dict[str, str] = {}

    def __init__(self, run_id: str = "run", map_index: int = -1) -> None:
        self.dag_id, self.task_id, self.map_index, self.run_id = "nightly", "check", map_index, run_id


class StateStore(dict[str, Any]):
    """Airflow's task state store, as it is for one task instance."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


class Office:
    """Executes operators, and looks at what came of it on both sides."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.input, self.output = folder / "requests.jsonl", folder / "results" / "results.jsonl"
        self.record = self.output.with_name(".results.jsonl.candid-job.json")

    def write(self, requests: list[Row | bytes]) -> None:
        lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in requests]
        self.input.write_bytes(b"".join(line + b"\n" for line in lines))

    def batch(self, **arguments: Any) -> CandidEligibilityBatchOperator:
        given = {"path": str(self.input), "output_path": str(self.output), "poll_interval": 0.05, **arguments}
        if "requests" in arguments:
            del given["path"]
        return CandidEligibilityBatchOperator(task_id="check", **given)

    def context(self, run_id: str = "run", map_index: int = -1, store: StateStore | None = None) -> Any:
        return {"ti": Instance(run_id, map_index), "task_state_store": store}

    def run(self, operator: JobOperator, *where: Any, **context: Any) -> Any:
        """Render and execute an operator, as a task would."""
        given = self.context(*where, **context)
        operator.render_template_fields(given)
        return operator.execute(given)

    def rows(self) -> list[Row]:
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]

    def names(self) -> list[str]:
        """Last names of those whose results are written."""
        return [row["request"]["subscriber"]["last_name"] for row in self.rows()]

    def submits(self, route: str = BATCH) -> int:
        return len(self.emulator.requests(route=route))

    def speed(self, seconds: float) -> None:
        """Let so many seconds pass at Candid in each second."""
        httpx.post(f"{self.emulator.url}/_emulator/clock", json={"speed": seconds}).raise_for_status()

    def state(self) -> str:
        return str(json.loads(self.record.read_bytes())["state"])

    def api(self) -> httpx.Client:
        return connected(self.emulator)


@pytest.fixture
def office(candid: Emulator, connect: Connect, tmp_path: Path) -> Office:
    return Office(candid, tmp_path)


@pytest.fixture
def fast(office: Office) -> Office:
    """Whose checks end within a second, but for those that take hours."""
    office.speed(1_000)
    return office


Deferred = Callable[[JobOperator], Any]
