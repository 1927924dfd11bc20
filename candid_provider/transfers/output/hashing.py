"""Length and SHA-256 of what is written, for the manifest."""

from __future__ import annotations

import hashlib
from typing import IO


class Hashing:
    """Count and hash what is written through it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.length = file, hashlib.sha256(), 0

    @property
    def digest(self) -> str:
        """SHA-256 of what was written."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Write on."""
        self._hash.update(data)
        size = memoryview(data).nbytes
        self.length += size
        self._file.write(data)
        return size

    def flush(self) -> None:
        """Do nothing: the file is flushed when it is whole."""

    def close(self) -> None:
        """Do nothing: whoever opened the file closes it."""
