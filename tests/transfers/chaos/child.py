"""What a process does that is going to fail: one try of a task, on an operator of its own."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.api.limit import RateLimit
from candid_provider.exceptions import CandidError
from candid_provider.hooks.candid import CandidHook
from tests.transfers.hurry import hurried

DONE, AGAIN, NEVER, BROKEN = 0, 11, 12, 13
"""How a try ends by itself: well, with an error that Airflow retries, with one it does not, with any other."""


@dataclass(frozen=True)
class Death:
    """When and how a process ends.

    :param request: it dies some time after its nth request was let go,
    :param seconds: so much later,
    :param gently: by a signal that it reacts to as Airflow's tasks do, or by one that leaves it no last word.
    """

    request: int
    seconds: float
    gently: bool


class Instance:
    """What an operator reads of its task instance."""

    dag_id, task_id, map_index, run_id = "nightly", "task", -1, "run"


@dataclass(frozen=True)
class Work:
    """One task: which operator, told what."""

    operator: type[Any]
    arguments: dict[str, Any]
    context: dict[str, Any] = field(default_factory=lambda: {"ti": Instance()})
    environment: dict[str, str] = field(default_factory=dict)


class Mortal(RateLimit):
    """Sets off the process's end once so many requests were let go."""

    def __init__(self, death: Death) -> None:
        patient = hurried()
        super().__init__(clock=patient._clock, sleep=patient.sleep, asleep=patient.asleep)
        self._death, self._left = death, death.request

    def enter(self, patience: float = 0.0) -> None:
        super().enter(patience)
        self._count()

    async def aenter(self, patience: float = 0.0) -> None:
        await super().aenter(patience)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            signal.setitimer(signal.ITIMER_REAL, max(self._death.seconds, 1e-6))


def live(work: Work, emulator: str, log: Path, death: Death | None) -> None:
    """Try once, and end with a code that says how it went; or die."""
    os.environ.update({"AIRFLOW_CONN_CANDID_DEFAULT": _connection(emulator), **work.environment})
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    nothing: Any = {}
    operator = work.operator(**work.arguments)
    operator.render_template_fields(nothing)
    operator.hook = CandidHook(rate_limit=Mortal(death) if death else hurried())
    # Without a handler the alarm ends the process between any two instructions, as kill -9 does.
    if death and death.gently:
        signal.signal(signal.SIGALRM, functools.partial(_terminate, operator))
    try:
        operator.execute(work.context)
    except Exception as error:
        traceback.print_exc()
        code = AGAIN if isinstance(error, CandidError) else NEVER if _is_final(error) else BROKEN
    else:
        code = DONE
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _is_final(error: Exception) -> bool:
    return isinstance(error, AirflowFailException)


def _terminate(operator: Any, *_: object) -> None:
    operator.on_kill()
    os._exit(128 + signal.SIGTERM)


def _connection(url: str) -> str:
    plain = {"conn_type": "candid", "login": "emulator", "password": "emulator-secret", "host": url}
    return json.dumps({**plain, "extra": {"store": "memory", "timeout": 5}})
