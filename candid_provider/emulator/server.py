"""Serving the emulator: from the command line, or in a thread beside a test."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import uvicorn
from rich.console import Console
from rich.progress import track

from candid_provider.emulator import table
from candid_provider.emulator.app import App, Emulation
from candid_provider.emulator.config import EmulatorConfig, add_arguments, config_from
from candid_provider.emulator.faults.received import ReceivedRequest
from candid_provider.emulator.tokens import Clock
from candid_provider.emulator.world.people import MARKERS

__all__ = ["Emulator", "EmulatorConfig", "add_arguments", "config_from", "main", "run", "running", "serve"]

LOCAL_PORT: Final = 5050
LOCAL_PRE_ENCOUNTER_PORT: Final = 4000
_START_SECONDS: Final = 10.0


class Emulator:
    """A running emulator: where it is, how to sign in, what it was asked."""

    def __init__(self, emulation: Emulation, url: str) -> None:
        self._emulation = emulation
        self.config = emulation.config
        self.url = url
        self.markers = MARKERS
        self.faults = emulation.faults

    @property
    def connection(self) -> str:
        """The value of an `AIRFLOW_CONN_*` variable that leads here."""
        return _connection(self.config, self.url)

    def advance(self, seconds: float) -> None:
        """Let simulated time pass."""
        self._emulation.state.clock.advance(seconds)

    def stats(self) -> dict[str, Any]:
        """The same as GET /_emulator/stats, without a request."""
        return self._emulation.stats()

    def requests(self, *, route: str | None = None, status: int | str | None = None) -> list[ReceivedRequest]:
        """The log of what was received, oldest first; `route` as in a fault rule, `status` a number or "cut"."""
        return self._emulation.received.requests(route=route, status=status)

    def duplicate_external_ids(self) -> list[dict[str, Any]]:
        """External ids that were written to one route more than once."""
        return self._emulation.received.duplicate_external_ids()

    def forget_requests(self) -> int:
        """Empty the log of what was received; how many entries it had."""
        return self._emulation.received.clear()

    def tokens(self) -> list[str]:
        """The bearers given out that still live: what must not be found in a log."""
        return self._emulation.tokens.live()

    def revoke_tokens(self) -> int:
        """Make every token minted so far invalid; how many there were."""
        return self._emulation.tokens.revoke()

    def rotate_secret(self, client_secret: str) -> None:
        """Accept another client secret from now on and no other; tokens minted so far become invalid."""
        self._emulation.tokens.rotate(client_secret)


def _listen(host: str, port: int) -> socket.socket:
    # getaddrinfo would wrap 70000 round to 4464.
    if not 0 <= port <= 65_535:
        raise OSError("a port is a number from 0 to 65535")
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, which waits at its end for requests that hang on purpose unless they are let go."""

    def __init__(self, settings: uvicorn.Config, emulation: Emulation) -> None:
        super().__init__(settings)
        self._emulation = emulation

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._emulation.faults.release()
        await super().shutdown(sockets)


def _server(emulation: Emulation) -> uvicorn.Server:
    settings = uvicorn.Config(
        App(emulation),
        http="auto",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(settings, emulation)


@contextmanager
def running(config: EmulatorConfig | None = None, *, clock: Clock = time.time, port: int = 0) -> Iterator[Emulator]:
    """Run an emulator in a thread, on a loopback port (0: a free one), for the length of a `with` block.

    `clock` (seconds since 1970) decides when tokens expire and when the rate limit lets go. Any number may
    run at once.
    """
    emulation = Emulation(config or EmulatorConfig(), clock)
    deque(emulation.precompute(), maxlen=0)
    listener = _listen("127.0.0.1", port)
    url, server = _url(listener), _server(emulation)
    thread = threading.Thread(target=server.run, args=([listener],), name="candid-emulator", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield Emulator(emulation, url)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the emulator did not start")
        time.sleep(0.002)


def serve(
    config: EmulatorConfig,
    host: str = "127.0.0.1",
    port: int = LOCAL_PORT,
    pre_encounter_port: int | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. To be called in the main thread.

    `port` 0 takes any free one. `pre_encounter_port` opens a second port with the same API: 0 is none, None
    is 4000 when `port` is 5050 (the SDK's LOCAL environment) and otherwise none.
    """
    if pre_encounter_port is None:
        pre_encounter_port = LOCAL_PRE_ENCOUNTER_PORT if port == LOCAL_PORT else 0
    with ExitStack() as stack:
        listeners = []
        for number in (port, pre_encounter_port) if pre_encounter_port else (port,):
            try:
                listeners.append(stack.enter_context(_listen(host, number)))
            except OSError as problem:
                print(f"error: cannot listen on {host} port {number}: {problem}", file=sys.stderr)
                return 1
        with suppress(_Ended), _signals_end_it():
            emulation = Emulation(config)
            _precompute(emulation)
            print(_introduction(config, [_url(listener) for listener in listeners]), flush=True)
            _server(emulation).run(listeners)
    return 0


def _precompute(emulation: Emulation) -> None:
    if emulation.precomputed is not None:
        # At a terminal only: rich draws no bar elsewhere.
        pages = -(-emulation.config.encounters // 100) or 1
        deque(track(emulation.precompute(), "making pages", pages, console=Console(stderr=True)), maxlen=0)


class _Ended(BaseException):
    """SIGINT or SIGTERM came."""


@contextmanager
def _signals_end_it() -> Iterator[None]:
    # uvicorn raises the signal again after its own shutdown; the default reactions would spoil the exit code.
    def end(number: int, _: object) -> None:
        raise _Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _connection(config: EmulatorConfig, url: str) -> str:
    fields = {"conn_type": "candid", "login": config.client_id, "password": config.client_secret, "host": url}
    return json.dumps(fields, separators=(",", ":"))


def _introduction(config: EmulatorConfig, urls: list[str]) -> str:
    return "\n".join(
        [
            *(f"listening on {url}" for url in urls),
            f"client id       {config.client_id}",
            f"client secret   {config.client_secret}",
            f"world           {config.encounters} encounters, {config.days} days to {config.as_of}",
            f"AIRFLOW_CONN_CANDID_DEFAULT={_connection(config, urls[0])}",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m candid_provider.emulator`: serve the emulator as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m candid_provider.emulator",
        description="Serve an emulator of the Candid Health API with invented patients, over plain HTTP.",
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Serve as parsed arguments say; the exit code, 2 for a value out of range. `--endpoints` prints and ends."""
    if arguments.endpoints:
        print(table.markdown() if arguments.endpoints == "markdown" else table.text())
        return 0
    try:
        config = config_from(arguments)
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return serve(config, arguments.host, arguments.port, arguments.pre_encounter_port)
