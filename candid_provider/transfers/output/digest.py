"""SHA-256 beside the writing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Final, NamedTuple

AT_ONCE: Final = 1 << 19
"""Bytes that are gathered before they are hashed: a thread that is woken for less costs more than it saves."""


class _Task(NamedTuple):
    """Hash these blocks, and then say so, or what went wrong."""

    hash: hashlib._Hash
    blocks: Sequence[bytes]
    ends: SimpleQueue[BaseException | None]


class Digest:
    """Work out a SHA-256 in a second thread: hashing takes as long as reading and writing do, and needs no lock.

    What it is given must not change afterwards. A signal handler may raise an exception anywhere: what was being
    taken is then lost, and the digest with it.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._gathered: list[bytes] = []
        self._size = 0
        # Its methods cannot be broken off halfway, as those of a lock or an event can.
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        self._under_way = self._lost = False

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._lost:
            return  # whoever ends because of it may have buffers to empty
        try:
            self._take(data)
        except BaseException:
            self._lost = True
            raise

    @property
    def hex(self) -> str:
        """The digest of all bytes so far.

        :raises RuntimeError: an exception came while it was taking some.
        """
        if self._lost:
            raise RuntimeError("the digest was lost when an exception came")
        try:
            return self._worked_out()
        except BaseException:
            self._lost = True
            raise

    def _worked_out(self) -> str:
        self._wait()
        for block in self._gathered:
            self._hash.update(block)
        self._gathered, self._size = [], 0
        return self._hash.hexdigest()

    def _take(self, data: bytes) -> None:
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= AT_ONCE:
            self._wait()  # so that no more than two lots are held
            _tasks().put(_Task(self._hash, self._gathered, self._ends))
            self._under_way, self._gathered, self._size = True, [], 0

    def _wait(self) -> None:
        if self._under_way:
            error = self._ends.get()
            self._under_way = False
            if error:
                raise error


_worker: SimpleQueue[_Task] | None = None
_starting = threading.Lock()


def _forget_worker() -> None:
    """A process that was forked has no thread yet, and the lock may have been held."""
    global _worker, _starting
    _worker, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_worker)


def _tasks() -> SimpleQueue[_Task]:
    global _worker
    if _worker is not None:
        return _worker  # without the lock: a signal's exception could leave it held
    with _starting:
        if _worker is None:
            queue = SimpleQueue[_Task]()
            threading.Thread(target=_work, args=(queue,), name="candid-hash", daemon=True).start()
            _worker = queue
        return _worker


def _work(queue: SimpleQueue[_Task]) -> None:
    while True:
        _do(queue.get())


def _do(task: _Task) -> None:
    error = None
    try:
        for block in task.blocks:
            task.hash.update(block)
    except BaseException as problem:
        error = problem
    task.ends.put(error)
