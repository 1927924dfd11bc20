"""Child processes that end with this one, whatever they started themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

PATIENCE = 5.0
"""Seconds a process has to end by itself before it is killed."""


class Processes:
    """Start processes that all end when the ``with`` block does.

    Each gets a session of its own, so that Ctrl-C reaches only the parent, which then ends them in order.

    :param logs: directory for their output, one file each.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Path:
        """Start a process and give the file its output goes to."""
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self._logs / f"{name}.log"
        with path.open("ab") as log:
            self._started[name] = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return path

    def ended(self) -> str | None:
        """Name a process that has ended, if one has."""
        return next((name for name, process in self._started.items() if process.poll() is not None), None)

    def tail(self, name: str, lines: int = 15) -> str:
        """Give the last lines of a process's output."""
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def kill(self, name: str) -> None:
        """Kill a process and all that it started, without a last word."""
        child = self._started.pop(name)
        for process in _family(child.pid):
            _signal(process, kill=True)
        child.wait()

    def descendants(self, name: str) -> list[psutil.Process]:
        """List what a process has started and what that has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self._started[name].pid).children(recursive=True))
        return []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _uninterrupted():
            _end([child.pid for child in self._started.values()])
            for child in self._started.values():
                child.wait()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C pass, so that ending the processes comes to its end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _family(pid: int) -> set[psutil.Process]:
    """Find a process's session and descendants; the session remains when the process itself is dead."""
    found = {process for process in psutil.process_iter() if _session(process.pid) == pid}
    with contextlib.suppress(psutil.NoSuchProcess):
        found |= {psutil.Process(pid), *psutil.Process(pid).children(recursive=True)}
    return found


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _end(pids: list[int]) -> None:
    family = {process for pid in pids for process in _family(pid)}
    for process in family:
        _signal(process, kill=False)
    deadline = time.monotonic() + PATIENCE
    while any(_is_alive(process) for process in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in family | {process for pid in pids for process in _family(pid)}:
        _signal(process, kill=True)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()


def _is_alive(process: psutil.Process) -> bool:
    try:
        # Children of this very process stay zombies until they are waited for.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def environment(**changes: str) -> dict[str, str]:
    """Give this process's environment without any Airflow settings, and with some changes.

    The level of logging is passed on, so that a run can be watched at DEBUG.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW_") or name == "AIRFLOW__LOGGING__LOGGING_LEVEL"
    }
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **changes}
