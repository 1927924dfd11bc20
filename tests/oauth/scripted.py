"""A real local HTTP server that answers from a script: for what the emulator would never say."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TOKEN_PATH = "/api/auth/v2/token"


@dataclass(frozen=True)
class Answer:
    """One answer; ``manner`` says how it goes wrong on the way."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    manner: Literal["whole", "hang", "reset", "truncated", "trickle", "slow"] = "whole"


HANG, RESET, TRUNCATED = Answer(manner="hang"), Answer(manner="reset"), Answer(body=b"{}", manner="truncated")
HTML = Answer(502, b"<html>Jane Roe</html>", {"Content-Type": "text/html"})


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """Answer JSON; underscores in header names stand for hyphens."""
    return Answer(status, json.dumps(value).encode(), {name.replace("_", "-"): v for name, v in headers.items()})


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)


class Scripted:
    """What a running server will say and what it was asked; the last answer of a script repeats.

    Without a script, each token request gets another bearer that lives for five hours.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers: Sequence[Answer] = (answer({}),)
        self.token_answers: Sequence[Answer] = ()
        self.requests: list[Request] = []
        self.token_requests: list[Request] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()

    @property
    def token_url(self) -> str:
        return self.url + TOKEN_PATH

    @property
    def authorizations(self) -> list[str | None]:
        return [request.headers.get("authorization") for request in self.requests]

    def take(self, request: Request) -> Answer:
        with self.lock:
            if request.target != TOKEN_PATH:
                self.requests.append(request)
                return self.answers[min(len(self.requests), len(self.answers)) - 1]
            self.token_requests.append(request)
            number = len(self.token_requests)
            if self.token_answers:
                return self.token_answers[min(number, len(self.token_answers)) - 1]
            return answer({"access_token": f"bearer-number-{number}", "expires_in": 18000, "token_type": "Bearer"})


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them and no socket is left open
    request_queue_size = 256

    def __init__(self, script: Scripted, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logging.getLogger(__name__).debug("a client went away")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        script = self.server.script
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = self.read_chunks()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.give(script.take(Request(self.command, self.path, headers, body)), script.closing)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def give(self, answer: Answer, closing: threading.Event) -> None:
        match answer.manner:
            case "hang":
                closing.wait(30)
                return
            case "reset":
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                return
            case "slow":
                closing.wait(0.4)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + 100 * (answer.manner == "truncated")))
        self.end_headers()
        if answer.manner == "trickle":
            self.trickle(answer.body, closing)
        else:
            self.wfile.write(answer.body)

    def trickle(self, body: bytes, closing: threading.Event) -> None:
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            if closing.wait(0.05):
                return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Scripted]:
    """Serve a script on a free loopback port for the length of a ``with`` block.

    :param certificate: file with a certificate and its key, for TLS.
    """
    script = Scripted()
    with Server(script, certificate) as server:
        script.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield script
        finally:
            script.closing.set()
            server.shutdown()
            thread.join()


def self_signed(folder: Path) -> Path:
    """Make a certificate for this host that nobody has reason to trust, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(address, critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "server.pem", (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *private) + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return pem


def everything_in(error: BaseException) -> str:
    """All that a log, a traceback or a debugger would show of an error and of what led to it."""
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        if (one := todo.pop()) is not None and one not in chain:
            chain.append(one)
            todo += [one.__cause__, one.__context__]
    return "\n".join(f"{type(one).__module__} {one} {one!r} {one.args!r} {vars(one)!r}" for one in chain)
