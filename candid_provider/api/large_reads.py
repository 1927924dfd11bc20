"""Large reads: httpcore takes 64 KiB from a socket at a time, which is a fifth of what a large answer costs."""

from __future__ import annotations

from typing import Any

import httpx

READ_AT_ONCE = 1 << 18
LARGEST_BLOCK = 1 << 23


def read_more_at_once(client: httpx.Client) -> None:
    """Let each read of a client from a socket take 256 KiB at most.

    There is no public way. A httpx that keeps its backend elsewhere is left as it is, and slower.
    """
    _keep_freed_memory()
    pool: Any = getattr(getattr(client, "_transport", None), "_pool", None)
    if backend := getattr(pool, "_network_backend", None):
        pool._network_backend = _LargeReads(backend)


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of one answer for the next: up to twice the largest block that was ever freed.

    Else it gives back what is over 2 MB or so after each page and asks the system anew, which costs 0.2 ms of
    the 2 that a page of 800 KB takes. Nobody writes to the block, not even zeros, so that it takes no memory itself.
    """
    bytes(LARGEST_BLOCK)


class _LargeReads:
    """Wrap httpcore's backend, and the streams it makes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, *args: Any, **options: Any) -> _LargeReads:
        return _LargeReads(self._inner.connect_tcp(*args, **options))

    def start_tls(self, *args: Any, **options: Any) -> _LargeReads:
        return _LargeReads(self._inner.start_tls(*args, **options))

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content: bytes = self._inner.read(max(max_bytes, READ_AT_ONCE), timeout)
        return content
