"""The client for signed URLs: no token, bytes as they are stored, large reads."""

from __future__ import annotations

import httpx

from candid_provider.api.client import tls_context, user_agent
from candid_provider.api.large_reads import read_more_at_once
from candid_provider.api.settings import is_loopback
from candid_provider.exceptions import CandidUnavailableError

ROUTE = "GET the signed URL"
"""What logs and errors say in place of a URL that is a key to patients' data."""


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
        read_more_at_once(self)


def _refuse_clear_text(request: httpx.Request) -> None:
    """Refuse to fetch patients' data in clear text, also where a redirect leads to it."""
    if request.url.scheme != "https" and not is_loopback(request.url.host):
        raise CandidUnavailableError(
            f"{ROUTE}: it is not https://, and not on this machine", route=ROUTE, retryable=False
        )
