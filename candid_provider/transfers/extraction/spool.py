"""Rows on their way into a part: JSON lines in a private file that can be cut back to what a checkpoint knows."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

BLOCK = 1 << 20


class Spool:
    """Write a file of mode 0600, counting and hashing what goes in.

    :param path: where it is, to be found again by a retry; without one it has no name and ends with the process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.length, self._hash = path, 0, hashlib.sha256()
        self.file: IO[bytes]
        if path is None:
            self.file = tempfile.TemporaryFile(prefix="candid-", buffering=0)  # noqa: SIM115 - closed by close()
        else:
            # Unbuffered: what is written outlives the process, and pages are larger than any buffer.
            self.file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]
        self._hash.update(data)
        self.length += len(data)

    def cut(self, length: int) -> None:
        """Keep the first bytes and go on behind them.

        :param length: how many; the file holds at least so many.
        """
        self.file.truncate(length)
        self.file.seek(0)
        self._hash, self.length = hashlib.sha256(), length
        while block := self.file.read(BLOCK):
            self._hash.update(block)

    def close(self) -> None:
        """Let go of the file; one without a name is gone then."""
        self.file.close()

    def __del__(self) -> None:
        # The signal that ends a task may come when nobody holds the spool yet, or any more.
        if "file" in self.__dict__:
            self.file.close()

    def whole(self) -> Path:
        """Give a path at which all of it can be read, as long as it is open."""
        self.file.seek(0)
        return self.path or Path(f"/dev/fd/{self.file.fileno()}")

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        if self.path:
            self.path.unlink(missing_ok=True)


def digest_of(path: Path, length: int) -> str | None:
    """Hash the first bytes of a file; None if it has fewer or is not there."""
    digest, left = hashlib.sha256(), length
    try:
        with path.open("rb") as file:
            while left and (block := file.read(min(BLOCK, left))):
                digest.update(block)
                left -= len(block)
    except FileNotFoundError:
        return None
    return None if left else digest.hexdigest()
