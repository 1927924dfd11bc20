"""Triggers that call Candid from the triggerer's event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import structlog
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from candid_provider.api.call import Call
from candid_provider.hooks.candid import CandidHook


class Collector:
    """Count the processor time of each thread that went into collecting garbage.

    A full collection of the triggerer's heap takes some 200 ms, in whosesoever step it happens to begin.
    """

    def __init__(self) -> None:
        self.seconds: dict[int, float] = defaultdict(float)
        gc.callbacks.append(self._on)

    def _on(self, phase: str, info: object) -> None:
        sign = -1 if phase == "start" else 1
        self.seconds[threading.get_ident()] += sign * time.thread_time()


collector = Collector()


def own_time() -> float:
    """This thread's processor time without that of the garbage collector."""
    return time.thread_time() - collector.seconds[threading.get_ident()]


class Held:
    """Await a coroutine step by step and keep how long its longest step held the event loop.

    A step's seconds on the clock include what other threads and processes took; its seconds of processor time
    in this thread are its own.
    """

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self.wall = self.cpu = 0.0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        advance: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            wall, cpu = time.perf_counter(), own_time()
            try:
                step = advance(value)
            except StopIteration as done:
                return done.value
            finally:
                self.wall = max(self.wall, time.perf_counter() - wall)
                self.cpu = max(self.cpu, own_time() - cpu)
            try:
                advance, value = steps.send, (yield step)
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # such as being cancelled, which the coroutine is to hear of
                advance, value = steps.throw, error


class AskingTrigger(BaseTrigger):
    """Send one call, wait with all the others until they are released, and say what it cost the event loop."""

    def __init__(self, conn_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no annotations
        self.conn_id = conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"conn_id": self.conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        call = Call(method="GET", path="/api/payers/v4", params={"limit": 1})
        asking = Held(CandidHook(self.conn_id).asend(call))
        await asking
        await self.released()
        wall, cpu = asking.wall * 1000, asking.cpu * 1000
        yield TaskSuccessEvent(xcoms={"return_value": {"wall_ms": wall, "cpu_ms": cpu, "process": os.getpid()}})

    async def released(self) -> None:
        """Wait for a file named after the connection."""
        while not (Path(os.environ["AIRFLOW_HOME"]) / f"{self.conn_id}.released").exists():
            await asyncio.sleep(0.2)


class ShowingTrigger(AskingTrigger):
    """Log what must never be read in a log; and carry something that the search for it has to find."""

    def __init__(self, conn_id: str, planted: str) -> None:
        super().__init__(conn_id)
        self.planted = planted

    def serialize(self) -> tuple[str, dict[str, Any]]:
        classpath, kwargs = super().serialize()
        return classpath, {**kwargs, "planted": self.planted}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async with await CandidHook(self.conn_id).get_async_conn() as client:
            answer = await client.get("/api/payers/v4")
        show("triggerer", answer.request.headers["Authorization"].removeprefix("Bearer "))
        await self.released()
        yield TriggerEvent("done")  # type: ignore[no-untyped-call]  # as above


def show(place: str, bearer: str) -> None:
    """Log a bearer and the secret in a form that only the masker can hide.

    Airflow rewrites whatever looks like a JWT, registered or not, but only where a whole value is text.
    """
    structlog.get_logger("shown").info("shown", place=place, values=[bearer, "emulator-secret"])
