"""A task's life under seeded faults and deaths, until it succeeds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from candid_provider.emulator import Emulator
from tests.transfers.chaos.child import AGAIN, DONE, Death, Work, live

MOST_TRIES = 40

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "status", "status": 429, "retry_after": "date", "seconds": 1},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 502},
    {"kind": "reset"},
    {"kind": "reset", "after_bytes": 100},
    {"kind": "truncated"},
    {"kind": "broken_json"},
    {"kind": "wrong_content_type"},
    {"kind": "processed_but_500"},
    {"kind": "processed_but_500", "reset": True},
)
"""Each strikes with some probability, any route but the token's."""

ONCE: tuple[dict[str, Any], ...] = ({"kind": "token_expired"}, {"kind": "tokens_revoked"})

ROUTES = (
    "GET /*",
    "POST /api/encounters/*",
    "POST /api/charge_captures/*",
    "POST /appointments/*",
    "POST /patients/*",
)


@dataclass(frozen=True)
class Story:
    """What happened to a task."""

    endings: tuple[int, ...]
    faults: int

    @property
    def deaths(self) -> int:
        return sum(ending not in (DONE, AGAIN) for ending in self.endings)


class Storm:
    """Starts processes and lets them fail."""

    def __init__(self, context: ForkServerContext, emulator: Emulator, log: Path) -> None:
        self._context, self.emulator, self.log = context, emulator, log

    def rage(self, seed: int, work: Work, requests: int) -> Story:
        """Try a task again and again until it succeeds.

        :param seed: decides which faults strike and when processes die.
        :param requests: how many requests the task makes, about.
        """
        rng = random.Random(seed)
        self.emulator.faults.clear()
        self.emulator.faults.add_all(_faults(rng, requests))
        deaths = [_death(rng, requests) for _ in range(rng.randrange(4))]
        endings: list[int] = []
        while not endings or endings[-1] != DONE:
            ending = self.attempt(work, deaths[len(endings)] if len(endings) < len(deaths) else None)
            endings.append(ending)
            assert ending in (DONE, AGAIN) or ending < 0 or ending > 128, self._what_failed(seed, endings)
            assert len(endings) < MOST_TRIES, self._what_failed(seed, endings)
        story = Story(tuple(endings), self.emulator.faults.fired())
        self.emulator.faults.clear()
        return story

    def quietly(self, work: Work) -> None:
        """Let a task succeed."""
        self.emulator.faults.clear()
        assert self.attempt(work, None) == DONE, self._what_failed(0, [])

    def markers_in_log(self) -> list[str]:
        """What of the patients' data is in the log."""
        log = self.log.read_text().lower()
        return [marker for marker in self.emulator.markers if marker.lower() in log]

    def attempt(self, work: Work, death: Death | None) -> int:
        """Start a process for one try; how it ended."""
        process = self._context.Process(target=live, args=(work, self.emulator.url, self.log, death))
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def _what_failed(self, seed: int, endings: list[int]) -> str:
        return f"seed {seed}: {endings}\n{self.log.read_text()[-4000:]}"


def _faults(rng: random.Random, requests: int) -> list[dict[str, Any]]:
    chance = rng.choice((0.0, 0.005, 0.01, 0.03))
    lasting = [
        {**fault, "route": route, "probability": chance, "count": 1 + requests // 3, "seed": rng.randrange(2**32)}
        for fault in FAULTS
        for route in ROUTES
        if chance
    ]
    # One at most: two in a row are a token refused that was minted a moment ago, which means wrong credentials.
    once = {**rng.choice(ONCE), "route": "GET /*", "after": rng.randrange(1, requests), "count": 1}
    return [*lasting, once] if rng.random() < 0.6 else lasting


def _death(rng: random.Random, requests: int) -> Death:
    return Death(rng.randint(1, requests), rng.uniform(0, 0.02), rng.random() < 0.25)
