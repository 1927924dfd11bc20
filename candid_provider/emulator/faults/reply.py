"""An answer as plain values, and how it goes out: whole, cut short, reset, or never."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

import msgspec

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BAD_GATEWAY: Final = """\
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>{status} Server Error</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Server Error</h1>
<h2>The server encountered a temporary error and could not complete your request.<p>
Please try again in 30 seconds.</h2>
<h2></h2>
</body></html>
"""


class Answered(Protocol):
    """What is used of a Starlette response."""

    status_code: int
    body: Any
    raw_headers: list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Cut:
    """The connection ends early: after `after` bytes of the body, or before any byte; closed or reset.

    With `hold`, nothing is sent until the client is gone or the event is set.
    """

    after: int | None = None
    reset: bool = True
    hold: asyncio.Event | None = None


@dataclass(frozen=True)
class Reply:
    """Status, body and headers (without Content-Length); an ASGI application that sends itself."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    cut: Cut | None = None

    @classmethod
    def json(cls, status: int, body: Any, **headers: str) -> Reply:
        return cls(status, msgspec.json.encode(body), _headers("application/json", headers))

    @classmethod
    def front_end(cls, status: int, **headers: str) -> Reply:
        """The HTML page of the load balancer in front of Candid."""
        page = _BAD_GATEWAY.format(status=status).encode()
        return cls(status, page, _headers("text/html; charset=UTF-8", headers))

    @classmethod
    def plain(cls, status: int, **headers: str) -> Reply:
        """What Candid's web framework says of a status."""
        phrases = {500: "Internal server error"}
        return cls.json(status, {"detail": phrases.get(status, HTTPStatus(status).phrase)}, **headers)

    @classmethod
    def of(cls, response: Answered) -> Reply:
        headers = [(name, value) for name, value in response.raw_headers if name.lower() != b"content-length"]
        return cls(response.status_code, bytes(response.body), headers)

    @property
    def seen(self) -> int | None:
        """The status of a whole answer; None if the client saw no or half of one."""
        return None if self.cut else self.status

    @property
    def size(self) -> int:
        """Bytes of the body that are sent."""
        if self.cut is None:
            return len(self.body)
        return min(self.cut.after or 0, len(self.body))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if self.cut is None:
            await self._start(send)
            await send({"type": "http.response.body", "body": self.body})
        elif self.cut.hold is None or not await _gone(receive, self.cut.hold):
            await self._cut(self.cut, _transport(send), receive, send)

    async def _start(self, send: Send) -> None:
        headers = list(self.headers)
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})

    async def _cut(self, cut: Cut, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
        if cut.after is not None:
            await self._start(send)
            await send({"type": "http.response.body", "body": self.body[: cut.after], "more_body": True})
            await _flushed(transport)
        _end(transport, reset=cut.reset)
        await _disconnected(receive)


def _headers(content_type: str, others: dict[str, str]) -> list[tuple[bytes, bytes]]:
    named = {name.replace("_", "-"): value for name, value in others.items()}
    return [(name.encode(), value.encode()) for name, value in ({"content-type": content_type} | named).items()]


def _transport(send: Send) -> asyncio.Transport:
    # The server's own `send` is a method of what knows the connection.
    connection = getattr(send, "__self__", None)
    transport: asyncio.Transport | None = getattr(connection, "transport", None)
    if transport is None:
        raise ConnectionResetError("there is no connection to cut")
    return transport


def _end(transport: asyncio.Transport, *, reset: bool) -> None:
    if not reset:
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    # Lingering for no time makes the kernel send RST in place of FIN.
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _flushed(transport: asyncio.Transport) -> None:
    while transport.get_write_buffer_size() and not transport.is_closing():
        await asyncio.sleep(0.001)


async def _disconnected(receive: Receive) -> None:
    # The server takes an application that returns before its connection is lost for a broken one.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _gone(receive: Receive, hold: asyncio.Event) -> bool:
    """Wait for the client to go or for the hold to end; whether it was the client."""
    gone, released = asyncio.create_task(_disconnected(receive)), asyncio.create_task(hold.wait())
    try:
        await asyncio.wait({gone, released}, return_when=asyncio.FIRST_COMPLETED)
        return gone.done()
    finally:
        gone.cancel()
        released.cancel()
