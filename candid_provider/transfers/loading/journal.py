"""What was begun and what came of it, so that a load that was killed goes on without sending a line twice.

A line is named in the journal before it is sent, and its outcome after. On a local disk that is one file that
grows; where files cannot grow it is a row of numbered ones, and lines are named in blocks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.loading.outcomes import FAILED, Outcome, Outcomes
from candid_provider.transfers.output.directory import Directory

FLUSH_EVERY = 2.0
"""Seconds for which outcomes may be in memory only, where files cannot grow."""
BLOCK = 256
"""Lines that are named at a time, where files cannot grow and a line can be looked up."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a journal: what it is of, lines that are about to be sent or were not after all, or an outcome."""

    of: Mapping[str, Any] | None = None
    begun: Sequence[int] = ()
    unsent: Sequence[int] = ()
    number: int = -1
    outcome: Outcome | None = None


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(Entry).decode


class Medium(Protocol):
    """Keep lines durably."""

    quick: bool
    """Adding takes microseconds, so that it may hold up the event loop."""

    def read(self) -> Iterator[bytes]:
        """Give what was kept, oldest first."""

    def add(self, lines: bytes) -> None:
        """Keep some more; it is durable on return."""

    def remove(self) -> None:
        """Forget all of it."""


class Journal:
    """Write and read the journal of one load.

    :param medium: where.
    :param block: how many lines are named at a time.
    :param patience: seconds for which outcomes may be in memory only.
    :param clock: seconds that never go back.
    """

    def __init__(
        self, medium: Medium, *, block: int = 1, patience: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.block = block
        self._medium, self._patience, self._clock = medium, patience, clock
        self._pending: list[bytes] = []
        self._written = clock()
        self._lock = asyncio.Lock()

    def resume(self, of: Mapping[str, Any], outcomes: Outcomes) -> set[int] | None:
        """Read what an earlier process left; None if there is nothing.

        :param of: what is loaded.
        :param outcomes: where the outcomes go that are final.
        :returns: numbers of the lines that may have been sent.
        :raises CandidConfigError: the journal is of another load.
        """
        entries = map(_DECODE, self._medium.read())
        first = next(entries, None)
        if first is None:
            return None
        _check_same(of, first.of or {})
        begun: set[int] = set()
        for entry in entries:
            begun.update(entry.begun)
            begun.difference_update(entry.unsent)
            if entry.outcome is not None and entry.outcome.outcome != FAILED:  # it may have arrived since
                begun.discard(entry.number)
                outcomes.put(entry.number, entry.outcome)
        return begun

    def open(self, of: Mapping[str, Any]) -> None:
        """Begin a new one."""
        self._medium.add(_ENCODE(Entry(of=of)) + b"\n")

    async def begin(self, numbers: Sequence[int]) -> None:
        """Name lines before they are sent."""
        await self._add(Entry(begun=numbers), at_once=True)

    async def note(self, number: int, outcome: Outcome) -> None:
        """Note the outcome of a line."""
        await self._add(Entry(number=number, outcome=outcome))

    async def end(self, unsent: Sequence[int]) -> None:
        """Make all of it durable, and take back lines that were named but not sent."""
        await self._add(Entry(unsent=unsent), at_once=True)

    def remove(self) -> None:
        """Forget it: the results are in place."""
        self._medium.remove()

    async def _add(self, entry: Entry, *, at_once: bool = False) -> None:
        self._pending.append(_ENCODE(entry) + b"\n")
        if not at_once and self._clock() - self._written < self._patience:
            return
        async with self._lock:
            if self._pending:
                lines, self._pending = b"".join(self._pending), []
                if self._medium.quick:
                    self._medium.add(lines)
                else:
                    await asyncio.to_thread(self._medium.add, lines)
                self._written = self._clock()


class LocalMedium:
    """A file of mode 0600 that grows.

    :param path: where it is.
    :param sync: each addition also survives the machine.
    """

    def __init__(self, path: Path, *, sync: bool) -> None:
        self._path, self._sync, self.quick = path, sync, not sync
        self._descriptor: int | None = None

    def read(self) -> Iterator[bytes]:
        """Read it, without a last line that was cut short."""
        if not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for text in file:
                if text.endswith(b"\n"):
                    whole += len(text)
                    yield text
        os.truncate(self._path, whole)

    def add(self, lines: bytes) -> None:
        """Append some lines."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        left = memoryview(lines)
        while left:  # a disk that is nearly full takes a part
            left = left[os.write(self._descriptor, left) :]
        if self._sync:
            os.fsync(self._descriptor)

    def remove(self) -> None:
        """Delete the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._path.unlink(missing_ok=True)


class RemoteMedium:
    """Numbered files in a directory of their own."""

    quick = False

    def __init__(self, directory: Directory) -> None:
        self._directory, self._next = directory, 0

    def read(self) -> Iterator[bytes]:
        """Read them in their order."""
        for name in self._names():
            self._next = int(name.partition(".")[0]) + 1
            yield from self._directory.lines(name)

    def add(self, lines: bytes) -> None:
        """Write one more."""
        self._directory.write(f"{self._next:08d}.jsonl", lines)
        self._next += 1

    def remove(self) -> None:
        """Delete them, the first one last: without it the others say nothing."""
        self._directory.remove(reversed(self._names()))

    def _names(self) -> list[str]:
        return sorted(name for name in self._directory.sizes() if name.endswith(".jsonl"))


def journal_in(directory: Directory, *, keyed: bool, concurrency: int) -> Journal:
    """Make the journal of a load in the directory of its results.

    :param keyed: a line whose fate is unknown can be looked up; if not, the journal names as few as it can.
    :param concurrency: how many lines are under way at a time.
    """
    if directory.local:
        return Journal(LocalMedium(directory.local / ".candid-journal.jsonl", sync=not keyed))
    medium = RemoteMedium(Directory(directory.target / ".candid-journal", directory.field))
    return Journal(medium, block=BLOCK if keyed else concurrency, patience=FLUSH_EVERY if keyed else 0.0)


def _check_same(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    odd = next((name for name, value in wanted.items() if found.get(name) != value), None)
    if odd:
        raise CandidConfigError(
            f"results_path holds a load that did not end, with another {odd}. Run that one to its end, or give this"
            " one a results_path of its own",
            field="results_path",
        )
