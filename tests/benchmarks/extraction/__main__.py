"""Measure and print the table of ``docs/data.md``: ``python -m tests.benchmarks.extraction --help``."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track

from tests.benchmarks.extraction.extractors import EXTRACTORS
from tests.benchmarks.token.children import REPOSITORY, Home, served

FLOOR, PEER = "raw_rows", "sdk"


class Found(NamedTuple):
    """What one extraction cost."""

    rows: int
    seconds: float
    cpu: float
    before: float
    peak: float


def extract(home: Home, name: str, url: str, page: int) -> Found:
    """Extract once in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.extraction.extractors", name, url, folder, str(page)]
        env = home.connected(url, "memory")
        ended = subprocess.run(command, env=env, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return Found(**json.loads(ended.stdout.splitlines()[-1]))


def rounds_of(home: Home, names: Sequence[str], options: argparse.Namespace) -> list[dict[str, Found]]:
    """Let all extract the same encounters in turns, so that what slows the machine down slows down all.

    A first turn is not counted: then the emulator makes the pages that it has not made yet.
    """
    encounters, rounds = options.encounters, options.rounds
    world = ["--as-of", "2026-03-15", "--days", "30", "--encounters", str(encounters), "--patients", "2000"]
    command = ["--port", "0", "--precompute", *world, "--latency", str(options.latency)]
    with served("candid_provider.emulator", *command) as url:
        for name in names:
            extract(home, name, url, options.page)
        found: list[dict[str, Found]] = [{} for _ in range(rounds)]
        for number, name in track([(r, n) for r in range(rounds) for n in names], f"{encounters} encounters"):
            found[number][name] = extract(home, name, url, options.page)
            assert found[number][name].rows in (0, encounters), f"{name} lost rows"
    return found


def table(rounds: Sequence[Mapping[str, Found]], encounters: int) -> list[str]:
    """Lay the rounds out, each beside the floor and the SDK of its own round."""
    lines = [
        f"| {encounters:,} encounters | rows/s | of the floor | times the SDK | CPU s | MB above start |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name in rounds[0]:
        found = [each[name] for each in rounds]
        title = (EXTRACTORS[name].__doc__ or name).partition("\n")[0].rstrip(".")
        cells = [
            f"{statistics.median(encounters / each.seconds for each in found):,.0f}",
            _ratio(rounds, name, FLOOR),
            _ratio(rounds, name, PEER),
            f"{statistics.median(each.cpu for each in found):.1f}",
            f"{max(each.peak - each.before for each in found):.0f}",
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _ratio(rounds: Sequence[Mapping[str, Found]], name: str, other: str) -> str:
    if other not in rounds[0]:
        return "-"
    return f"{statistics.median(each[other].seconds / each[name].seconds for each in rounds):.2f}"


def main() -> None:
    """Extract, with progress, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encounters", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=int, default=0, help="milliseconds the emulator adds to each answer")
    parser.add_argument("--page", type=int, default=100, help="rows of a page (default: 100)")
    parser.add_argument("--only", nargs="*", choices=EXTRACTORS, default=list(EXTRACTORS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = rounds_of(Home(Path(folder)), options.only, options)
    Console().print(Markdown("\n".join(lines := table(rounds, options.encounters))))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
