"""Measure, with progress, and print the tables of ``docs/token.md``: ``python -m tests.benchmarks.token --help``."""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.token.async_clients import ASYNC_CLIENTS
from tests.benchmarks.token.children import Cold, Home, cold, measured

Rounds = Sequence[Mapping[str, float]]


class Peer(NamedTuple):
    """A client as it appears in a table."""

    title: str
    client: str
    store: str = "memory"
    parses: bool = False


COLD = (
    Peer("this provider, Variable", "managed", "variable"),
    Peer("this provider, file", "managed", "file"),
    Peer("official SDK", "sdk"),
    Peer("HTTP provider, auth class", "http_hook_cached"),
    Peer("authlib", "authlib"),
    Peer("dlt", "dlt"),
)
WARM = (
    Peer("this provider: `hook.get_conn().get(...)`", "managed"),
    Peer("authlib: `OAuth2Client.get(...)`", "authlib"),
    Peer("dlt: `RESTClient.get(...)`", "dlt"),
    Peer("HTTP provider: `HttpHook.run(...)`, token kept by the auth class", "http_hook_cached"),
    Peer("HTTP provider: `HttpHook.run(...)`, a token each", "http_hook_minting"),
    Peer("this provider: `hook.request(...)`", "sent", parses=True),
    Peer("official SDK: `payers.v_4.get_all(...)`", "sdk", parses=True),
)


def cold_table(found: Mapping[Peer, Sequence[Cold]], limit: int, processes: int) -> list[str]:
    """Lay out what cold processes cost, without a limit and with one."""
    lines = [
        f"| {processes} cold processes | mints | succeeded | s | mints, {limit} a minute allowed | refused (429)"
        " | succeeded | s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for peer, (free, held) in found.items():
        lines.append(
            f"| {peer.title} | {free.mints} | {free.succeeded} | {free.seconds:.0f} | {held.mints}"
            f" | {held.throttled} | {held.succeeded} | {held.seconds:.0f} |"
        )
    return lines


def warm_table(sync: Rounds, concurrent: Rounds, times: int) -> list[str]:
    """Lay out what a request costs against bare httpx that does equal work."""
    lines = ["| a request with a token in memory | answer | sync | async |", "|---|---|--:|--:|"]
    for peer in WARM:
        base = "bare_parsed" if peer.parses else "bare"
        ratios = (_ratio(rounds, peer.client, base) for rounds in (sync, concurrent))
        lines.append(f"| {peer.title} | {'parsed' if peer.parses else 'raw'} | {' | '.join(ratios)} |")
    for base, answer in (("bare", "raw"), ("bare_parsed", "parsed")):
        floors = (f"{_median(rounds, base) / times * 1e6:.0f} µs" for rounds in (sync, concurrent))
        lines.append(f"| bare httpx, static header | {answer} | {' | '.join(floors)} |")
    return lines


def start_table(rounds: Rounds) -> list[str]:
    """Lay out what it costs to find the token in the store."""
    titles = {
        "bare_variable": "`Variable.get`",
        "connection_and_variable": "`BaseHook.get_connection` and `Variable.get`",
        "first_token": "`CandidHook().get_token()`",
    }
    lines = ["| a process that finds a token in the store | ms | over `Variable.get` |", "|---|--:|--:|"]
    for name, title in titles.items():
        milliseconds = _median(rounds, name) * 1000
        lines.append(f"| {title} | {milliseconds:.2f} | {_ratio(rounds, name, 'bare_variable')} |")
    return lines


def _median(rounds: Rounds, name: str) -> float:
    return statistics.median(seconds[name] for seconds in rounds)


def _ratio(rounds: Rounds, name: str, base: str) -> str:
    """Compare within each round, and give the median of that."""
    if name not in rounds[0]:
        return "-"
    return f"{statistics.median(seconds[name] / seconds[base] for seconds in rounds):.2f}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.token", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="cold, warm, start (default: all)")
    parser.add_argument("--processes", type=int, default=64, metavar="N", help="cold processes (default: 64)")
    parser.add_argument("--at-once", type=int, default=16, metavar="N", help="of these at a time (default: 16)")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="mints a minute allowed (default: 5)")
    parser.add_argument("--rounds", type=int, default=300, metavar="N", help="interleaved (default: 300)")
    parser.add_argument("--times", type=int, default=10, metavar="N", help="requests in a row (default: 10)")
    given = parser.parse_args()
    given.parts = given.parts or list(PARTS)
    if odd := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(odd))}")
    return given


def measure(given: argparse.Namespace, progress: Progress) -> list[list[str]]:
    """Measure the parts asked for and give their tables."""
    with tempfile.TemporaryDirectory(prefix="candid-benchmark-") as folder:
        home = Home(Path(folder))
        made = _step(progress, "Airflow database", 1)
        home.migrate()
        made()
        return [PARTS[part](given, home, progress) for part in given.parts]


def _cold(given: argparse.Namespace, home: Home, progress: Progress) -> list[str]:
    found: dict[Peer, list[Cold]] = {peer: [] for peer in COLD}
    for peer, limit in itertools.product(COLD, (0, given.limit)):
        if not limit:  # one process alone, uncounted, so that what it imports is compiled
            cold(home, peer.client, peer.store, processes=1, at_once=1, limit=0)
        title = f"{peer.title}, {f'{limit} mints a minute' if limit else 'no limit'}"
        size = {"processes": given.processes, "at_once": given.at_once}
        one = cold(home, peer.client, peer.store, **size, limit=limit, done=_step(progress, title, given.processes))
        progress.console.print(
            f"{title}: {one.mints} mints, {one.throttled} refused, {one.succeeded} succeeded, {one.seconds:.0f} s"
        )
        found[peer].append(one)
    return cold_table(found, given.limit, given.processes)


def _warm(given: argparse.Namespace, home: Home, progress: Progress) -> list[str]:
    size = {"rounds": given.rounds, "times": given.times}
    names = ["bare", "bare_parsed", *(peer.client for peer in WARM)]
    sync = measured(home, "warm", names, **size, done=_step(progress, "warm requests", given.rounds))
    names = [name for name in names if name in ASYNC_CLIENTS]
    done = _step(progress, "warm async requests", given.rounds)
    return warm_table(sync, measured(home, "warm_async", names, **size, done=done), given.times)


def _start(given: argparse.Namespace, home: Home, progress: Progress) -> list[str]:
    return start_table(
        measured(home, "start", rounds=given.rounds, times=1, done=_step(progress, "warm starts", given.rounds))
    )


def _step(progress: Progress, title: str, total: int) -> Callable[[], None]:
    task = progress.add_task(title, total=total)
    return lambda: progress.advance(task)


PARTS = {"cold": _cold, "warm": _warm, "start": _start}


def main() -> None:
    """Show progress and the tables on stderr, and the markdown on stdout."""
    given, console = arguments(), Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tables = measure(given, progress)
    text = "\n\n".join("\n".join(lines) for lines in tables)
    console.print(Markdown(text))
    print(text)


if __name__ == "__main__":
    main()
