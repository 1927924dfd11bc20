"""What is said of a CSV file beside its bytes: SHA-256, length, number of records; counted while it is written."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

_OTHERS = bytes(byte for byte in range(256) if byte not in b'"\n')
_BLOCK = 1 << 19
_BLOCKS_WAITING = 4


class Tally:
    """Count blocks of a CSV file (RFC 4180); a line break between quotes ends no record."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._breaks = self._quoted = self.nbytes = 0
        self._last = b""

    def add(self, block: bytes) -> None:
        """Take the next bytes."""
        self._digest.update(block)
        self.nbytes += len(block)
        self._last = block[-1:] or self._last
        # Two quotes with no line break between them change nothing; what is left is short.
        marks = block.translate(None, _OTHERS).replace(b'""', b"")
        if self._quoted or b'"' in marks:
            parts = marks.split(b'"')
            self._breaks += sum(map(len, parts[self._quoted :: 2]))
            self._quoted ^= (len(parts) - 1) & 1
        else:
            self._breaks += len(marks)

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hex."""
        return self._digest.hexdigest()

    @property
    def records(self) -> int:
        """The number of records, the header among them; one that no line break ends counts."""
        return self._breaks + (self._last not in (b"", b"\n"))


class TallyBehind:
    """Tally in a thread of its own, a few blocks behind the writer: hashing holds no other thread up."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="candid-tally")
        self._pending: deque[Future[None]] = deque()
        self.restart()

    def restart(self) -> None:
        """Forget what came so far."""
        self._wait(0)
        self._tally, self._chunks, self._held = Tally(), list[bytes](), 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; waits if the tally is too far behind, so that little is kept in memory."""
        self._chunks.append(chunk)
        self._held += len(chunk)
        if self._held >= _BLOCK:
            self._hand_over()
            self._wait(_BLOCKS_WAITING)

    def result(self) -> Tally:
        """Wait for the thread to catch up."""
        self._hand_over()
        self._wait(0)
        return self._tally

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)

    def _hand_over(self) -> None:
        if self._chunks:
            self._pending.append(self._pool.submit(_add_all, self._tally, self._chunks))
            self._chunks, self._held = [], 0

    def _wait(self, most: int) -> None:
        while len(self._pending) > most:
            self._pending.popleft().result()


def _add_all(tally: Tally, chunks: list[bytes]) -> None:
    for chunk in chunks:
        tally.add(chunk)
