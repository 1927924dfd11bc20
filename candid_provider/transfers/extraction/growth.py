"""A spool is read while it is written, so that a part is all but packed when the last page arrives."""

from __future__ import annotations

import os
from queue import SimpleQueue
from typing import IO


class AbandonedError(Exception):
    """Nothing becomes of a spool, and whoever reads it can stop."""


class Growth:
    """Let a second thread read a file as far as the first says that it will not be cut back.

    :param file: the first thread's; its position is left alone.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at, self._length, self._whole = file, 0, 0, False
        # Its put is reentrant: the signal that ends a task may come at any time.
        self._said: SimpleQueue[int | None] = SimpleQueue()

    def reach(self, length: int) -> None:
        """Say that so many bytes stay."""
        self._said.put(length)

    def end(self, length: int) -> None:
        """Say that there are so many bytes, and no more to come."""
        self._said.put(length)
        self._said.put(_WHOLE)

    def abandon(self) -> None:
        """Let the reader stop."""
        self._said.put(None)

    def read(self, size: int) -> bytes:
        """Read on, as soon as there is something; empty at the end.

        :raises AbandonedError: :meth:`abandon` was called.
        """
        if not self.begun_behind(self._at):
            return b""
        data = os.pread(self._file.fileno(), min(size, self._length - self._at), self._at)
        self._at += len(data)
        return data

    def begun_behind(self, place: int) -> bool:
        """Wait until there is more than so many bytes, or no more to come; say which."""
        while self._length <= place and not self._whole:
            self._hear()
        return self._length > place

    def wait(self) -> None:
        """Wait until there is no more to come."""
        while not self._whole:
            self._hear()

    def _hear(self) -> None:
        said = self._said.get()
        if said is None:
            raise AbandonedError
        if said == _WHOLE:
            self._whole = True
        else:
            self._length = said


_WHOLE = -1
