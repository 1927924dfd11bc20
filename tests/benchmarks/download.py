"""What a download costs beside ``httpx.stream`` into a file: ``python -m tests.benchmarks.download``.

A process of its own serves a CSV file from the disk (``sendfile``). By turns, each in a fresh process, it is fetched
by a loop that writes what ``httpx.stream`` gives, and by ours, which also digests it, can go on after a cut, and, as
the operator does when told to, counts records. Memory is what the process grows by at its highest from when it has
fetched a file of 1 MB, which is not timed: by then it has imported all it needs.
"""

from __future__ import annotations

import argparse
import json
import resource
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import IO, Any

import httpx

from tests.benchmarks.memory import forget_peak

ROW = b'%036d,%036d,CH-%08d,1,biller_received,2026-03-01,"Family, Given",Ren\xc3\xa9e,12500,,' + b"." * 340 + b"\n"


def make(path: Path, megabytes: int) -> None:
    """Write a file of records of some 500 bytes."""
    with path.open("wb") as file:
        file.write(b"encounter_id,claim_id,external_id,version,status,day,name,preferred,charge,paid,owed\n")
        number = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(b"".join(ROW % (n, n, n) for n in range(number, number + 2_000)))
            number += 2_000


class Handler(SimpleHTTPRequestHandler):
    """Serve files as a storage does: with a length and a validator."""

    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("ETag", '"of-the-only-version"')
        super().end_headers()

    def copyfile(self, source: Any, outputfile: IO[bytes]) -> None:  # type: ignore[override]  # bytes, not text
        self.connection.sendfile(source)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(directory: str) -> None:
    """Serve a directory until the process ends."""

    def make_handler(*args: Any) -> Handler:
        return Handler(*args, directory=directory)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), make_handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/export.csv", flush=True)
        server.serve_forever()


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve a directory from another process."""
    command = [sys.executable, "-m", "tests.benchmarks.download", "--serve", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def floor(url: str, target: str) -> None:
    """Write what httpx gives."""
    with httpx.stream("GET", url) as answer, open(target, "wb") as file:
        for chunk in answer.iter_bytes():
            file.write(chunk)


def ours(url: str, target: str, count: bool = False) -> None:
    """Fetch as the operator does."""
    from candid_provider.api.storage_client import StorageClient
    from candid_provider.transfers.download import fetch

    with StorageClient(timeout=60) as client:
        fetched = fetch(client, lambda: url, target, count=count)
    assert fetched.columns


def counted(url: str, target: str) -> None:
    """Fetch, and count records."""
    ours(url, target, count=True)


WAYS = {"httpx.stream": floor, "ours": ours, "ours, rows counted": counted}


def once(way: str, url: str, target: str) -> dict[str, float]:
    """Measure one way in this process, which has imported all it needs and fetched a small file before."""
    from candid_provider.api import download
    from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator

    del download, CandidExportToObjectStorageOperator
    WAYS[way](url.replace("export.csv", "small.csv"), target)
    before = forget_peak()
    cpu, started = time.process_time(), time.perf_counter()
    WAYS[way](url, target)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - before,
    }


def measure(way: str, url: str, directory: Path) -> dict[str, float]:
    """Measure one way in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.download", "--once", way, url, str(directory / f"{way}.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print seconds, processor seconds and memory of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    if options.once:
        print(json.dumps(once(*options.once)))
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        make(directory / "export.csv", options.megabytes)
        make(directory / "small.csv", 1)
        with serving(directory) as url:
            rounds = [{way: measure(way, url, directory) for way in WAYS} for _ in range(options.rounds)]
    report(rounds, options.megabytes)


def report(rounds: list[dict[str, dict[str, float]]], megabytes: int) -> None:
    """Print medians, and the median of the ratios within a round."""
    for way in WAYS:
        each = {name: statistics.median(turn[way][name] for turn in rounds) for name in ("seconds", "cpu", "MB")}
        print(
            f"{way}: {megabytes} MB in {each['seconds']:.2f} s ({megabytes / each['seconds']:.0f} MB/s),"
            f" {each['cpu']:.2f} s of processor, memory +{each['MB']:.1f} MB"
        )
    for way in list(WAYS)[1:]:
        for name in ("seconds", "cpu"):
            ratios = sorted(turn[way][name] / turn["httpx.stream"][name] for turn in rounds)
            middle = statistics.median(ratios)
            print(f"{way} to httpx.stream, {name}: median {middle:.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
