"""A file storage that does what it is told, over real HTTP: cuts, refusals, changed files, missing headers."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Storage:
    """One file, and what to do with the next requests for it."""

    content: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    framing: str = "length"
    headers: dict[str, str] = field(default_factory=dict)
    deeds: deque[Any] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    sent: int = 0

    def ask(self) -> str:
        """Give a URL that says what must not be read anywhere."""
        return f"{self.url}/file?signature=secret-signature"


@contextmanager
def serving(storage: Storage) -> Iterator[Storage]:
    """Serve a file on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": storage}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    storage.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: Storage

    def do_GET(self) -> None:
        storage = self.storage
        storage.requests.append({name.lower(): value for name, value in self.headers.items()})
        match storage.deeds.popleft() if storage.deeds else None:
            case int(status), headers:
                self._refuse(status, headers)
            case ("cut", count):
                self._serve(cut=count)
            case ("stall", count):
                self._serve(cut=count, stalls=True)
            case ("part", content_range):
                self._serve(content_range=content_range)
            case _:
                self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        body = b"<?xml version='1.0'?><Error><Code>OddCode</Code><Message>secret-signature</Message></Error>"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _serve(self, cut: int | None = None, content_range: str | None = None, stalls: bool = False) -> None:
        storage, start = self.storage, 0
        asked = self.headers.get("Range")
        if asked and storage.ranges and self.headers.get("If-Range", storage.etag) == storage.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        size = len(storage.content)
        if start and start >= size:
            self._refuse(416, {"Content-Range": f"bytes */{size}"})
            return
        part = storage.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", content_range or f"bytes {start}-{size - 1}/{size}")
        if storage.etag:
            self.send_header("ETag", storage.etag)
        for name, value in storage.headers.items():
            self.send_header(name, value)
        self._frame(len(part))
        self._send(part if cut is None else part[:cut], broken=cut is not None and not stalls)
        if stalls:
            self.close_connection = True
            with suppress(ConnectionError):
                self.connection.recv(1)  # until the other side has had enough

    def _frame(self, length: int) -> None:
        if self.storage.framing == "length":
            self.send_header("Content-Length", str(length))
        elif self.storage.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, part: bytes, broken: bool) -> None:
        chunked = self.storage.framing == "chunked"
        self.storage.sent += len(part)
        self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked and part else part)
        if chunked and not broken:
            self.wfile.write(b"0\r\n\r\n")
        if broken:
            self.wfile.flush()
            # Closed without lingering, a socket resets its connection once the other side has read all.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        self.close_connection = self.close_connection or broken
