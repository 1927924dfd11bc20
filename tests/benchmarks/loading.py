"""Loading against its floor and its peer: ``python -m tests.benchmarks.loading``.

Floor: httpx's async client posting the same bodies with the same concurrency, and keeping the ids. Peer: the loop
that the official SDK's documentation suggests, one call after the other. Each runs in a process of its own, by turns,
against one emulator; in the last round 5 % of the creations are carried out and answered 500, and both sides count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.benchmarks.emulator import sign_in
from tests.emulator.test_encounter_writes import BODY

PATH = "/api/encounters/v4"
FAULT = {"kind": "processed_but_500", "route": f"POST {PATH}", "probability": 0.05, "seed": 7}


# --- what is measured, in a process of its own


def floor(url: str, path: Path, concurrency: int) -> int:
    """Post each line, keep each id, and do nothing else."""

    async def post() -> int:
        ids: list[str] = []
        lines = iter(path.read_bytes().splitlines())
        headers = {**sign_in(url), "Content-Type": "application/json"}

        async def work(client: httpx.AsyncClient) -> None:
            for line in lines:
                answer = await client.post(url + PATH, content=line, headers=headers)
                ids.append(answer.json()["encounter_id"])

        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(work(client) for _ in range(concurrency)))
        return len(ids)

    return asyncio.run(post())


def sdk(url: str, path: Path, concurrency: int) -> int:
    """Create each record with the official SDK, one after the other."""
    from candid import CandidApiClient
    from candid.environment import CandidApiClientEnvironment
    from candid.resources.encounters.resources.v_4 import EncounterCreate

    client = CandidApiClient(
        client_id="emulator",
        client_secret="emulator-secret",
        environment=CandidApiClientEnvironment(candid_api=url, pre_encounter=url),
    )
    ids = []
    with path.open("rb") as file:
        for line in file:
            request = EncounterCreate.model_validate_json(line)
            ids.append(client.encounters.v_4.create(request=request).encounter_id)
    return len(ids)


def operator(url: str, path: Path, concurrency: int) -> int:
    """Load the file as a task does."""
    from candid_provider.api.limit import RateLimit
    from candid_provider.hooks.candid import CandidHook
    from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator

    connection = {"conn_type": "candid", "host": url, "login": "emulator", "password": "emulator-secret"}
    os.environ["AIRFLOW_CONN_CANDID_DEFAULT"] = json.dumps({**connection, "extra": {"store": "memory"}})
    load = ObjectStorageToCandidOperator(
        task_id="load",
        path=str(path),
        resource="encounters",
        results_path=str(path.with_suffix(".results")),
        concurrency=concurrency,
    )
    # Candid's limit of 1,000 requests in 10 seconds would be all that is measured.
    load.hook = CandidHook(rate_limit=RateLimit(10**6))
    created: int = load.execute({})["outcomes"]["created"]
    return created


CONTESTANTS: dict[str, Callable[[str, Path, int], int]] = {"floor": floor, "operator": operator, "sdk": sdk}


def child(name: str, url: str, path: Path, concurrency: int) -> None:
    """Run one contestant and print what it took."""
    warm = path.with_suffix(".warm")
    warm.write_bytes(_records(f"{path.stem}-warm", 20))
    CONTESTANTS[name](url, warm, concurrency)
    before, started, used = psutil.Process().memory_info().rss, time.perf_counter(), time.process_time()
    count = CONTESTANTS[name](url, path, concurrency)
    found = {
        "records": count,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 1e6,
    }
    print(json.dumps(found))


# --- who measures


def _records(prefix: str, count: int) -> bytes:
    return b"".join(json.dumps(BODY | {"external_id": f"{prefix}-{n}"}).encode() + b"\n" for n in range(count))


@contextmanager
def emulator() -> Iterator[str]:
    """Serve an emulator from a process of its own."""
    command = [sys.executable, "-m", "candid_provider.emulator", "--port", "0", "--speed", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def measured(name: str, url: str, folder: Path, count: int, concurrency: int) -> dict[str, float]:
    """Run a contestant on records of its own."""
    path = folder / f"{name}-{time.monotonic_ns()}.jsonl"
    path.write_bytes(_records(path.stem, count))
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.loading", "--child", name, url, str(path)]
    done = subprocess.run([*command, str(concurrency)], stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def lossless(url: str, folder: Path, count: int, concurrency: int) -> str:
    """Load while 5 % of the creations are answered 500 after the deed, and count what is there."""
    with httpx.Client(base_url=url, headers=sign_in(url)) as http:
        http.delete("/_emulator/requests")
        http.post("/_emulator/faults", json=FAULT)
        found = measured("operator", url, folder, count, concurrency)
        http.delete("/_emulator/faults")
        path = max(folder.glob("operator-*.results"), key=lambda each: each.stat().st_mtime)
        rows = [json.loads(line) for line in (path / "results.jsonl").read_bytes().splitlines()]
        twice = http.get("/_emulator/requests", params={"limit": 1}).json()["duplicate_external_ids"]
        doubled = [row for row in twice if row["field"] == "external_id"]
    ids = {row["id"] for row in rows}
    return (
        f"{found['records']:.0f} of {count} created at {found['records'] / found['seconds']:.0f}/s; outcomes"
        f" {dict(Counter(row['outcome'] for row in rows))}, {len(ids)} ids, {len(doubled)} external ids sent twice"
    )


def main() -> None:
    """Print medians and their ratios."""
    if sys.argv[1:2] == ["--child"]:
        name, url, path, concurrency = sys.argv[2:]
        child(name, url, Path(path), int(concurrency))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000, help="of each contestant (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder, emulator() as url:
        os.environ["AIRFLOW_HOME"] = folder
        for _ in range(given.rounds):
            for name, rounds in found.items():
                # One call after the other takes its time; its rate does not depend on the number.
                count = given.records // 5 if name == "sdk" else given.records
                rounds.append(measured(name, url, Path(folder), count, given.concurrency))
        report(found)
        print("5 % processed but answered 500:", lossless(url, Path(folder), given.records, given.concurrency))


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Print a line for each contestant."""

    def median(name: str, value: Callable[[Any], float]) -> float:
        return statistics.median(value(each) for each in found[name])

    rates = {name: median(name, lambda each: each["records"] / each["seconds"]) for name in found}
    for name, rate in rates.items():
        cpu = median(name, lambda each: each["cpu"] / each["records"] * 1e6)
        memory = median(name, lambda each: each["megabytes"])
        print(
            f"{name:9}{rate:7.0f} records/s  {rate / rates['floor']:5.2f} of the floor {cpu:7.0f} us CPU a record"
            f" {memory:+7.1f} MB"
        )


if __name__ == "__main__":
    main()
