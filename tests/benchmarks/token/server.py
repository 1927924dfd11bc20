"""A server that always answers the same: a token to POST, one payer to anything else; ``python -m`` runs it.

It gives out what the emulator answered once and does nothing else, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import re

import httpx

from candid_provider.emulator import EmulatorConfig, running
from tests.benchmarks.token.clients import CREDENTIALS, ONE_PAYER, TOKEN


class Answers(asyncio.Protocol):
    """Answer the requests of one connection, which stays open."""

    def __init__(self, token: bytes, page: bytes) -> None:
        self._token, self._page, self._received = token, page, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the request is there as a whole."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        if blank and len(body) >= int(length[1] if length else 0):
            self._transport.write(self._token if head.startswith(b"POST") else self._page)
            self._received = b""


def recorded() -> tuple[bytes, bytes]:
    """Ask an emulator for a token and a page, once."""
    with running(EmulatorConfig(encounters=1, patients=1)) as emulator, httpx.Client(base_url=emulator.url) as http:
        token = http.post(TOKEN, json=CREDENTIALS)
        page = http.get(ONE_PAYER, headers={"Authorization": f"Bearer {token.json()['access_token']}"})
        return _whole(token), _whole(page)


def _whole(answer: httpx.Response) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer.content)}\r\n\r\n"
    return head.encode() + answer.content


async def serve() -> None:
    """Print where it listens, and answer until the process ends."""
    token, page = recorded()
    server = await asyncio.get_running_loop().create_server(lambda: Answers(token, page), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"listening on http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
