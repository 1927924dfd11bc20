"""Explore cold starts by the hundred thousand: ``python -m tests.oauth.explore --profile all --runs 100000``.

A run starts a fleet without a token, lets it come to rest, has Candid refuse the token, so that the fleet needs
another, and comes back when that one is near its end. A run is replayed, step by step, by its profile and seed:
``--profile tails --replay 17``.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from candid_provider.exceptions import CandidError
from tests.oauth.simulation import CREDENTIALS, LIFE, Minted, Process, World, busy, calm, harsh, rough

STARTS = (0.0, 300.0, 300.0 + LIFE - 400.0)
"""When the fleet starts, when its token is refused, and when the next one comes near its end."""
BATCH = 250
ALONE = "the ones before were minted by processes whom the store had failed"

Options = dict[str, Any]


@dataclass(frozen=True)
class Profile:
    """What a fleet has to cope with.

    :param world: draws the world's options.
    :param process: draws a process's options.
    :param defaced: share of runs in which a person saves asterisks over the registers.
    """

    world: Callable[[random.Random], Options] = lambda chance: {}
    process: Callable[[random.Random], Options] = lambda chance: {}
    defaced: float = 0.0


def _spans(chance: random.Random, longest: float) -> tuple[tuple[float, float], ...]:
    starts = [base + 20 * chance.random() for base in STARTS for _ in range(chance.randint(1, 2))]
    return tuple((start, start + longest * chance.random()) for start in starts)


def _stalled(chance: random.Random) -> Options:
    return {"delay": calm, "stalls": _spans(chance, 30.0)}


def _lossy(chance: random.Random) -> Options:
    return {"delay": busy, "lost": 0.05, "late": 0.1}


def _missing(chance: random.Random) -> Options:
    return {"delay": calm, "missing": _spans(chance, 15.0)}


def _mortal(chance: random.Random) -> Options:
    return {"dies_at": chance.randrange(40)} if chance.random() < 0.2 else {}


def _by_wrong_clocks(chance: random.Random) -> Options:
    skew = chance.uniform(-600, 600)
    jumps = chance.random() < 0.2
    step = (chance.uniform(0, 5), chance.choice([-3600.0, -30.0, 30.0, 3600.0])) if jumps else (0.0, 0.0)
    return {"skew": skew, "step": step}


def _slow_endpoint(chance: random.Random) -> Options:
    return {"delay": busy, "mint_seconds": lambda chance: 0.1 + 15 * chance.random() ** 2}


def _everything(chance: random.Random) -> Options:
    spans = {"stalls": _spans(chance, 10.0), "missing": _spans(chance, 1.0)}
    return {"delay": rough, "lost": 0.02, "late": 0.05, "paused": 0.002, **spans}


def _any_process(chance: random.Random) -> Options:
    return {**_mortal(chance), **(_by_wrong_clocks(chance) if chance.random() < 0.2 else {})}


PROFILES = {
    "calm": Profile(),
    "busy": Profile(lambda chance: {"delay": busy}),
    "tails": Profile(lambda chance: {"delay": harsh}),
    "stalls": Profile(_stalled),
    "losses": Profile(_lossy),
    "missing": Profile(_missing),
    "slow endpoint": Profile(_slow_endpoint),
    "pauses": Profile(lambda chance: {"delay": busy, "paused": 0.01}),
    "people": Profile(defaced=1.0),
    "deaths": Profile(process=_mortal),
    "clocks": Profile(lambda chance: {"delay": busy}, _by_wrong_clocks),
    "everything": Profile(_everything, _any_process, defaced=0.1),
}


@dataclass
class Found:
    """What many runs came to; a start is a fleet that needs a token."""

    starts: int = 0
    mints: Counter[int] = field(default_factory=Counter)
    """How many starts took so many mints."""
    excused: Counter[str] = field(default_factory=Counter)
    """Mints after the first of a start that could not have been spared, by reason."""
    duplicates: list[int] = field(default_factory=list)
    """Seeds of the starts with any other mint after the first."""
    stuck: list[int] = field(default_factory=list)
    useless: list[int] = field(default_factory=list)
    """Seeds of the starts in which a process was given a token that was over, or the one that was refused."""
    processes: int = 0
    failed: int = 0
    """Processes that ran into their deadline, with an error that says so."""
    longest: float = 0.0
    """Seconds the slowest process waited."""

    def add(self, other: Found) -> None:
        """Take in what other runs came to."""
        self.starts += other.starts
        self.mints += other.mints
        self.excused += other.excused
        self.duplicates += other.duplicates
        self.stuck += other.stuck
        self.useless += other.useless
        self.processes += other.processes
        self.failed += other.failed
        self.longest = max(self.longest, other.longest)


def run(profile: Profile, seed: int, trace: Callable[[str], None] | None = None) -> Found:
    """Run a cold start, the replacement of its token, and the renewal of that one."""
    chance = random.Random(seed)
    world = World(seed, **profile.world(chance))
    world.trace = trace
    size = chance.choices((chance.randint(2, 8), chance.randint(9, 64), 200), (88, 11, 1))[0]
    processes = [Process(world, number, **profile.process(chance)) for number in range(size)]
    found, spread = Found(), chance.choice((0.1, 1.0, 10.0))
    deaf = chance.random() < profile.defaced
    for start in STARTS:
        for process in processes:
            refused = process.got.value if process.got and start == STARTS[1] else None
            process.got = process.error = None
            process.ask(start + spread * chance.random(), refused=refused)
        if deaf:
            for register in (CREDENTIALS.token_register, CREDENTIALS.hold_register):
                world.at(start + 10 * chance.random(), partial(world.deface, register))
        world.run(start + 299)
        _judge(found, seed, world, start, processes)
    return found


def _judge(found: Found, seed: int, world: World, start: float, processes: list[Process]) -> None:
    found.starts += 1
    living = [process for process in processes if not process.dead]
    mints = [mint for mint in world.minted if mint.asked >= start]
    found.mints[len(mints)] += 1
    later = [_excuse(mint, mints[:number], world) for number, mint in enumerate(mints) if number]
    found.excused.update(excuse for excuse in later if excuse)
    if not all(later):
        found.duplicates.append(seed)
    if not all(process.ended for process in living):
        found.stuck.append(seed)
    if any(process.got_useless for process in living):
        found.useless.append(seed)
    found.processes += len(living)
    found.failed += sum(isinstance(process.error, CandidError) for process in living)
    found.longest = max([found.longest, *(process.waited for process in living)])


def _excuse(mint: Minted, earlier: list[Minted], world: World) -> str:
    """Say why a token had to be minted although one had been; empty if it need not have been."""
    if mint.alone:
        return "the store failed the process"
    asked = mint.asked
    landed = [other for other in earlier if other.landed is not None and other.landed <= asked]
    if landed:
        defaced = any(max(other.landed or 0.0 for other in landed) <= when <= asked for when in world.defaced)
        return "a person saved asterisks over it" if defaced else ""
    if any(not other.alone and other.process.died > asked and not _failed(other, asked) for other in earlier):
        return ""  # somebody is about to save one
    if any(_failed(other, asked) for other in earlier):
        return "the one before could not be saved"
    return "the one before died with its minter" if not all(other.alone for other in earlier) else ALONE


def _failed(mint: Minted, when: float) -> bool:
    return mint.unsaved is not None and mint.unsaved <= when


def explore(name: str, seeds: Iterable[int]) -> Found:
    """Run a profile with many seeds."""
    found = Found()
    for seed in seeds:
        found.add(run(PROFILES[name], seed))
    return found


def explore_all(names: Iterable[str], runs: int, first: int = 0, jobs: int | None = None) -> dict[str, Found]:
    """Run profiles with many seeds on all processors, with a bar in a terminal.

    :param runs: runs a profile.
    :param first: the first seed.
    """
    jobs_of = [
        (name, range(at, min(at + BATCH, first + runs))) for at in range(first, first + runs, BATCH) for name in names
    ]
    found = {name: Found() for name in names}
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool, Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("runs", total=len(found) * runs)
        for (name, seeds), one in zip(jobs_of, pool.map(_explore_job, jobs_of), strict=True):
            found[name].add(one)
            progress.advance(bar, len(seeds))
    return found


def _explore_job(job: tuple[str, range]) -> Found:
    return explore(*job)


def table_of(found: dict[str, Found]) -> Table:
    """Make a table of what was found."""
    table = Table(
        "profile",
        "starts",
        "1 mint",
        "2",
        "3 or more",
        "none",
        "excused",
        "duplicates",
        "stuck",
        "useless",
        "failed",
        "longest",
    )
    for name, one in found.items():
        many = sum(count for mints, count in one.mints.items() if mints > 2)
        row = [one.starts, one.mints[1], one.mints[2], many, one.mints[0], one.excused.total()]
        share = f"{len(one.duplicates)} ({100 * len(one.duplicates) / one.starts:.3f} %)"
        failed = f"{100 * one.failed / max(1, one.processes):.3f} %"
        table.add_row(
            name, *map(str, row), share, str(len(one.stuck)), str(len(one.useless)), failed, f"{one.longest:.0f} s"
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--profile", default="all", choices=["all", *PROFILES])
    parser.add_argument("--runs", type=int, default=1000, help="runs a profile (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--jobs", type=int, help="processes (default: one a processor)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="print one run step by step")
    options = parser.parse_args()
    names = list(PROFILES) if options.profile == "all" else [options.profile]
    if options.replay is not None:
        for name in names:
            print(run(PROFILES[name], options.replay, print))
        return
    found = explore_all(names, options.runs, options.first, options.jobs)
    console = Console(width=150)
    console.print(table_of(found))
    for name, one in found.items():
        for what in ("duplicates", "stuck", "useless"):
            if seeds := getattr(one, what):
                print(f"{name}: {what} with seeds {sorted(seeds)[:10]}")
        for excuse, count in one.excused.most_common():
            print(f"{name}: {count} mints because {excuse}")


if __name__ == "__main__":
    main()
