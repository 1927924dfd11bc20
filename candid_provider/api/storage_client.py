"""The client for signed URLs: no token, bytes as they are stored, large reads."""

from __future__ import annotations

from typing import Any

import httpx

from candid_provider.api.client import tls_context, user_agent
from candid_provider.api.settings import is_loopback
from candid_provider.exceptions import CandidUnavailableError

ROUTE = "GET the signed URL"
"""What logs and errors say in place of a URL that is a key to patients' data."""

READ_AT_ONCE = 1 << 18


class StorageClient(httpx.Client):
    """Send requests to signed URLs; it knows no token.

    :param timeout: seconds for connecting and for each wait for data.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(
            timeout=timeout,
            verify=tls_context(),
            follow_redirects=True,
            max_redirects=5,
            headers={"User-Agent": user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"},
            event_hooks={"request": [_refuse_clear_text]},
        )
        _read_more_at_once(self)


def _refuse_clear_text(request: httpx.Request) -> None:
    """Refuse to fetch patients' data in clear text, also where a redirect leads to it."""
    if request.url.scheme != "https" and not is_loopback(request.url.host):
        raise CandidUnavailableError(
            f"{ROUTE}: it is not https://, and not on this machine", route=ROUTE, retryable=False
        )


def _read_more_at_once(client: httpx.Client) -> None:
    """Let each read from a socket take 256 KiB at most, where httpcore has 64: a third of a download's cost.

    There is no public way. A httpx that keeps its backend elsewhere is left as it is, and slower.
    """
    pool: Any = getattr(getattr(client, "_transport", None), "_pool", None)
    if backend := getattr(pool, "_network_backend", None):
        pool._network_backend = _LargeReads(backend)


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
