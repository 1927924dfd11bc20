"""What the emulator costs a measurement of its clients: ``python -m tests.benchmarks.emulator``.

Speed is given beside that of a file of the same bytes (starlette's ``StaticFiles``) and of a ready answer of the same
bytes, both served by the same server in this run; start and memory are those of a process with five million
encounters.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from candid_provider.emulator import EmulatorConfig, running

PATH = "/api/encounters/v4?limit=100"
LARGE = ["--encounters", "5000000", "--patients", "1000000", "--days", "365"]


def sign_in(url: str) -> dict[str, str]:
    answer = httpx.post(
        f"{url}/api/auth/v2/token", json={"client_id": "emulator", "client_secret": "emulator-secret"}
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@contextmanager
def serving(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def megabytes_per_second(url: str, path: str, headers: dict[str, str], count: int) -> float:
    """Read an answer over and over on one connection, and do nothing with it."""
    connection, buffer, size = http.client.HTTPConnection(url.removeprefix("http://")), bytearray(1 << 16), 0
    started = time.perf_counter()
    for _ in range(count):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        while read := answer.readinto(buffer):
            size += read
    rate = size / (time.perf_counter() - started) / 1e6
    connection.close()
    return rate


def speeds(rounds: int, count: int) -> dict[str, list[float]]:
    """Megabytes per second of a precomputed page, of a file and of a ready answer with its bytes, by turns."""
    found: dict[str, list[float]] = {"precomputed": [], "file": [], "ready": []}
    with running(EmulatorConfig(precompute=True)) as emulator, tempfile.TemporaryDirectory() as directory:
        bearer = sign_in(emulator.url)
        page = httpx.get(emulator.url + PATH, headers=bearer).content
        Path(directory, "page.json").write_bytes(page)

        async def ready(scope: Any, receive: Any, send: Any) -> None:
            await Response(page, media_type="application/json")(scope, receive, send)

        with (
            serving(Starlette(routes=[Mount("/", StaticFiles(directory=directory))])) as files,
            serving(ready) as floor,
        ):
            for _ in range(rounds):
                found["precomputed"].append(megabytes_per_second(emulator.url, PATH, bearer, count))
                found["file"].append(megabytes_per_second(files, "/page.json", {}, count))
                found["ready"].append(megabytes_per_second(floor, "/", {}, count))
    return found


def large_world(count: int) -> dict[str, float]:
    """Start a process with five million encounters and read pages of it."""
    command = [sys.executable, "-m", "candid_provider.emulator", "--port", "0", "--speed", "0", *LARGE]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        seconds = time.perf_counter() - started
        try:
            costs = page_costs(url, count)
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
        finally:
            process.terminate()
    return {"seconds to start": seconds, "MB after its pages": memory} | costs


def page_costs(url: str, count: int) -> dict[str, float]:
    """Milliseconds that a page takes to make, by the emulator's own log."""
    with httpx.Client(base_url=url, headers=sign_in(url)) as client:
        query = {"limit": "100"}
        for _ in range(count):
            query["page_token"] = client.get("/api/encounters/v4", params=query).json()["next_page_token"]
        pages = client.get("/_emulator/requests", params={"route": "GET /api/encounters/v4"}).json()["requests"]
    times = [page["milliseconds"] for page in pages]
    size = statistics.median(page["response_bytes"] for page in pages) / 1e3
    return {"ms to make a page, median": statistics.median(times), "ms, best": min(times), "KB a page": size}


def main() -> None:
    """Print the ratios, and what the large world took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=100, help="requests a round, and pages of the large world")
    options = parser.parse_args()
    found = speeds(options.rounds, options.count)
    ours = statistics.median(found["precomputed"])
    for name in ("file", "ready"):
        other = statistics.median(found[name])
        print(f"precomputed page {ours:.0f} MB/s, {name} {other:.0f} MB/s: {ours / other:.2f}")
    for name, value in large_world(options.count).items():
        print(f"5,000,000 encounters: {name} {value:.1f}")


if __name__ == "__main__":
    main()
