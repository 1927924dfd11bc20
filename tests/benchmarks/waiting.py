"""Thousands of waits on one event loop: ``python -m tests.benchmarks.waiting``.

Each contender waits on an event loop of its own, as a triggerer does, in a process of its own, made of the arguments
that Airflow stores: ours (``CandidPollTrigger``) on claims, and triggers that only sleep, which show what a wait
costs whoever waits. The HTTP provider's ``HttpSensorTrigger`` (dependency group ``bench``) knows no statuses and no
token: it and ours wait for records that are not there (404), it with a bearer among its stored arguments. The world
at Candid runs fast until the last seconds, in which it stands still, so that every end can be checked.

Memory per wait is what resident memory grows by from before the triggers are made until all wait, sleeping triggers
taken off. Lag is how much later than asked a coroutine goes on that sleeps 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from airflow.triggers.base import BaseTrigger, TriggerEvent

from candid_provider.api.outcome import Conditions, Outcome
from candid_provider.api.statuses import CLAIM, with_defaults
from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.benchmarks.emulator import sign_in

PATH = "/api/encounters/v4/{encounter_id}"
CONDITIONS = {"status_path": "claims.*.status", **with_defaults({"succeeded": ("paid", "finalized_paid")}, CLAIM)}
STILL = 0.25
"""Share of the time at the end in which nothing happens at Candid any more."""
LIMIT, PER = 1000, 10.0


class Sleeping(BaseTrigger):
    """Wait for nothing, for so many seconds."""

    def __init__(self, seconds: float, encounter_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no annotations
        self.seconds, self.encounter_id = seconds, encounter_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(self.seconds)
        yield TriggerEvent({"status": "timeout"})  # type: ignore[no-untyped-call]  # as above


# --- what is measured, in a process of its own


def made(contender: str, url: str, seconds: float, interval: float, ids: Iterable[str]) -> list[Any]:
    if contender == "sleeping":
        return [Sleeping(seconds, each) for each in ids]
    if contender == "http_404":
        from airflow.providers.http.triggers.http import HttpSensorTrigger

        headers = sign_in(url)  # in clear in Airflow's database
        return [
            HttpSensorTrigger(
                endpoint=PATH.format(encounter_id=each), headers=headers, method="GET", poke_interval=interval
            )
            for each in ids
        ]
    from candid_provider.triggers.candid import CandidPollTrigger

    conditions = {"not_yet": [404]} if contender == "ours_404" else CONDITIONS
    common: dict[str, Any] = {"candid_conn_id": "candid_default", "path": PATH, "conditions": conditions}
    pace: dict[str, Any] = {"poll_interval": interval, "growth": 1.0, "deadline": time.time() + seconds}
    return [CandidPollTrigger(**common, **pace, path_params={"encounter_id": each}) for each in ids]


async def waited(triggers: list[Any], seconds: float) -> dict[str, Any]:
    process = psutil.Process()
    before, cpu, lags, events = process.memory_info().rss, process.cpu_times(), list[float](), dict[int, Any]()

    async def one(number: int, trigger: Any) -> None:
        async for event in trigger.run():
            events[number] = event.payload

    async def lag() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.02)
            lags.append(time.perf_counter() - begun - 0.02)

    probe = asyncio.create_task(lag())
    tasks = [asyncio.create_task(one(number, trigger)) for number, trigger in enumerate(triggers)]
    await asyncio.wait(tasks, timeout=seconds * 0.7)
    grown = process.memory_info().rss - before
    await asyncio.wait(tasks, timeout=seconds * 0.3 + 60)
    probe.cancel()
    for task in tasks:
        task.cancel()
    used = process.cpu_times()
    return {
        "events": events,
        "lags": sorted(lags),
        "bytes_per_wait": grown / len(triggers),
        "cpu": used.user + used.system - cpu.user - cpu.system,
    }


def contend(contender: str, url: str, seconds: float, interval: float, folder: Path) -> None:
    ids = json.loads((folder / "ids.json").read_text())
    connection = {"conn_type": "candid", "login": "emulator", "password": "emulator-secret", "host": url}
    os.environ["AIRFLOW_CONN_CANDID_DEFAULT"] = json.dumps({**connection, "extra": {"store": "memory"}})
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": url})
    # What a triggerer has imported before its first wait.
    import candid_provider.hooks.candid
    import candid_provider.triggers.candid  # noqa: F401 - as above

    # To the end of what stands still; the sleeping ones have nothing to end for.
    report = asyncio.run(waited(made(contender, url, seconds, interval, ids), seconds))
    lags = report.pop("lags")
    report["lag_ms"] = {name: 1000 * lags[int(len(lags) * share)] for name, share in (("p50", 0.5), ("p99", 0.99))}
    report["lag_ms"]["worst"] = 1000 * lags[-1]
    (folder / "report.json").write_text(json.dumps(report))


# --- the measurement


def encounters(emulator: Emulator, count: int) -> list[str]:
    """Find encounters whose claims have not ended."""
    found, params = list[str](), {"limit": "100"}
    with httpx.Client(base_url=emulator.url, headers=sign_in(emulator.url)) as api:
        while len(found) < count:
            page = api.get("/api/encounters/v4", params=params).json()
            for row in page["items"]:
                if Conditions(**CONDITIONS).verdict(row).outcome is Outcome.PENDING:
                    found.append(row["encounter_id"])
            params["page_token"] = page["next_page_token"]
            assert params["page_token"] or len(found) >= count, f"only {len(found)} have not ended"
    return found[:count]


def clock(emulator: Emulator, speed: float) -> None:
    httpx.post(f"{emulator.url}/_emulator/clock", json={"speed": speed}).raise_for_status()


def received(emulator: Emulator) -> list[float]:
    """Give when the API was asked; its token endpoint has a limit of its own."""
    requests = [each for each in emulator.requests() if not each.path.startswith("/api/auth/")]
    return sorted(datetime.fromisoformat(each.at).timestamp() for each in requests)


def most_in_any(seconds: float, times: list[float]) -> int:
    """Count the most requests in any so many seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def right(emulator: Emulator, ids: list[str], events: dict[str, Any]) -> Counter[str]:
    """Count the ends, and those that were missed, as shows now that the world stands still."""
    ends = Counter[str]()
    with httpx.Client(base_url=emulator.url, headers=sign_in(emulator.url)) as api:
        for number, each in enumerate(ids):
            event = events.get(str(number), {"status": "none"})
            answer = api.get(PATH.format(encounter_id=each)).json()
            over = Conditions(**CONDITIONS).verdict(answer).outcome is not Outcome.PENDING
            ends[event["status"]] += 1
            ends["missed"] += event["status"] in ("none", "timeout") and over
            ends["gone back"] += event["status"] not in ("none", "timeout") and not over
    return ends


def measure(contender: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Let one contender wait on a world of its own."""
    world = EmulatorConfig(
        as_of=date(2026, 3, 15), encounters=arguments.waits * 6, patients=500, days=30, speed=arguments.speed
    )
    with running(world) as emulator, tempfile.TemporaryDirectory() as folder:
        missing = contender.endswith("404")
        ids = (
            [str(uuid.uuid4()) for _ in range(arguments.waits)] if missing else encounters(emulator, arguments.waits)
        )
        emulator.forget_requests()
        before = emulator.stats()
        (Path(folder) / "ids.json").write_text(json.dumps(ids))
        command = [sys.executable, "-m", "tests.benchmarks.waiting", "--contend", contender, "--url", emulator.url]
        command += ["--seconds", str(arguments.seconds), "--interval", str(arguments.interval), "--folder", folder]
        with (Path(folder) / "log").open("w") as log:  # written, as a triggerer's logs are
            child = subprocess.Popen(command, stdout=log, stderr=log)
            time.sleep(arguments.seconds * (1 - STILL))
            clock(emulator, 0.0)
            child.wait()
        report: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text())
        after = emulator.stats()
        report["requests"] = dict(Counter(after["requests"]) - Counter(before["requests"]))
        report["minted"] = after["token"]["minted"] - before["token"]["minted"]
        report["most_in_10_s"] = most_in_any(PER, received(emulator))
        report["ends"] = dict(right(emulator, ids, report.pop("events"))) if contender == "ours" else {}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waits", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=100.0, help="for which each wait may last")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two questions of a wait")
    parser.add_argument("--speed", type=float, default=7200.0, help="simulated seconds a second")
    parser.add_argument("--contend")
    parser.add_argument("--url", default="")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.contend:
        contend(arguments.contend, arguments.url, arguments.seconds, arguments.interval, arguments.folder)
        return
    peers = ["http_404"] if importlib.util.find_spec("airflow.providers.http") else []
    reports = {contender: measure(contender, arguments) for contender in ("sleeping", "ours", "ours_404", *peers)}
    floor = reports["sleeping"]["bytes_per_wait"]
    for contender, report in reports.items():
        requests = report["requests"]
        print(f"\n{contender}: {arguments.waits} waits, asking every {arguments.interval:.0f} s")
        print("  requests a minute  ", round(60 * sum(requests.values()) / arguments.seconds), requests)
        print("  most in any 10 s   ", report["most_in_10_s"], f"(Candid allows {LIMIT})")
        print("  token mints        ", report["minted"])
        print("  lag, ms            ", {name: round(value, 1) for name, value in report["lag_ms"].items()})
        print(
            "  KB a wait          ",
            f"{(report['bytes_per_wait'] - floor) / 1000:.1f} above {floor / 1000:.1f} asleep",
        )
        print("  CPU seconds        ", f"{report['cpu']:.1f}")
        print("  ends               ", report["ends"] or "-")


if __name__ == "__main__":
    main()
