"""Thousands of waits in a real triggerer, and a probe beside them that measures what they do to it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from candid_provider.triggers.candid import CandidPollTrigger
from tests.benchmarks.waiting import CONDITIONS, PATH
from tests.cluster.triggers import own_time

TICK = 0.02
"""Seconds for which the probe sleeps."""


def told(name: str) -> dict[str, Any]:
    """Read what the test has written for the triggers."""
    facts: dict[str, Any] = json.loads((Path(os.environ["AIRFLOW_HOME"]) / f"{name}.json").read_text())
    return facts


class Following(BaseTrigger):
    """Follow the encounter that is this task's, and end the task in the triggerer: no worker is needed for that."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        facts, task = told("waits"), self.task_instance
        assert task is not None
        trigger = CandidPollTrigger(
            candid_conn_id="waits",
            path=PATH,
            path_params={"encounter_id": facts["ids"][task.map_index]},
            conditions=CONDITIONS,
            poll_interval=facts["interval"],
            growth=1.0,
            timeout=facts["seconds"],
        )
        async for event in trigger.run():
            yield TaskSuccessEvent(xcoms={"return_value": event.payload})


class Probe(BaseTrigger):
    """Measure the triggerer until it is released: how late a sleeper wakes, and how much memory it holds.

    Lateness is counted on the clock, and in processor time of this thread, which no other process can lengthen.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        home, process = Path(os.environ["AIRFLOW_HOME"]), psutil.Process()
        before = most = process.memory_info().rss
        (home / "probe.started").touch()
        wall, cpu = list[float](), list[float]()
        while not (home / "probe.released").exists():
            clock, own = time.perf_counter(), own_time()
            await asyncio.sleep(TICK)
            wall.append(1000 * (time.perf_counter() - clock - TICK))
            cpu.append(1000 * (own_time() - own))
            most = max(most, process.memory_info().rss)
        facts: dict[str, Any] = {
            "grown": most - before,
            "wall_ms": _quantiles(wall),
            "cpu_ms": _quantiles(cpu),
            "pid": os.getpid(),
        }
        yield TaskSuccessEvent(xcoms={"return_value": facts})


def _quantiles(values: list[float]) -> dict[str, float]:
    values.sort()
    return {
        name: values[int(len(values) * share)] for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1 - 1e-9))
    }
