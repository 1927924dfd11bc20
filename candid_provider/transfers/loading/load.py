"""The loading engine: so many lines under way at a time, each named in the journal before it is sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from candid_provider.exceptions import CandidError, CandidUnavailableError
from candid_provider.transfers.loading.fate import Broken, Creator
from candid_provider.transfers.loading.journal import Journal
from candid_provider.transfers.loading.outcomes import CREATED, EXISTING, FAILED, Outcome, Outcomes
from candid_provider.transfers.loading.source import Line
from candid_provider.transfers.progress import Progress

AHEAD = 64
"""Lines read ahead of those that are sent."""
FAILED_IN_A_ROW = 20
"""So many lines that Candid did not manage, one after the other, are an outage, and no fault of theirs."""
FEWEST = 100
"""Lines of which so many are done before their error rate says something."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Say which outcomes are errors, and how many of them are too many.

    :param max_errors: more of them stop the load; None: any number is borne.
    :param max_error_rate: a larger share of the lines done stops it, once there are 100; None: as above.
    :param existing_accepted: a record that somebody else had created counts as done.
    """

    max_errors: int | None = None
    max_error_rate: float | None = None
    existing_accepted: bool = False

    def is_error(self, kind: str) -> bool:
        """Say whether an outcome is an error."""
        return kind != CREATED and not (kind == EXISTING and self.existing_accepted)

    def errors(self, outcomes: Outcomes) -> int:
        """Count the errors."""
        accepted = outcomes.counts[EXISTING] if self.existing_accepted else 0
        return len(outcomes) - outcomes.counts[CREATED] - accepted

    def exceeded(self, outcomes: Outcomes, *, at_end: bool = False, of: int | None = None) -> bool:
        """Say whether there are too many.

        :param at_end: no more lines will come.
        :param of: how many lines are done, if those without an error have no outcome.
        """
        errors, done = self.errors(outcomes), len(outcomes) if of is None else of
        if self.max_errors is not None and errors > self.max_errors:
            return True
        enough = at_end or done >= FEWEST
        return self.max_error_rate is not None and enough and errors > self.max_error_rate * done


class Load:
    """Send lines until all have an outcome, there are too many errors, or it is told to stop.

    :param lines: the input.
    :param begun: numbers of the lines that an earlier process may have sent.
    :param outcomes: what is known; lines that have an outcome are not sent.
    :param journal: where lines are named before they are sent.
    :param tolerance: when to stop.
    :param progress: where progress is logged.
    """

    def __init__(
        self,
        lines: Iterable[Line],
        *,
        begun: set[int],
        outcomes: Outcomes,
        journal: Journal,
        tolerance: Tolerance,
        progress: Progress,
    ) -> None:
        self._input = lines
        self._lines: Iterator[Line] = iter(())
        self._ahead: deque[Line] = deque()
        self._ready: deque[Line] = deque()
        self._unsent: list[int] = []
        self._taking = asyncio.Lock()
        self._begun, self._outcomes, self._journal = begun, outcomes, journal
        self._tolerance, self._progress = tolerance, progress
        self._failed_in_a_row = 0
        self._over, self._bearing = False, False
        self._failure: CandidError | None = None

    def stop(self) -> None:
        """Take no more lines; those under way come to their end. It may be called at any moment."""
        self._failure = self._failure or CandidUnavailableError(
            "the load was stopped; the next try goes on from there"
        )
        self._over = True

    async def run(self, creator: Creator, concurrency: int) -> None:
        """Send the lines.

        :raises CandidError: Candid cannot be reached, or the load was told to stop; what is done is in the journal.
        """
        if self._begun:
            # However many errors there are: the results have to say what became of them.
            self._bearing = True
            await self._send(creator, concurrency, lambda line: line.number in self._begun)
            self._bearing = False
        if not self._tolerance.exceeded(self._outcomes):
            await self._send(creator, concurrency, lambda line: True)

    async def _send(self, creator: Creator, concurrency: int, wanted: Callable[[Line], bool]) -> None:
        known = self._outcomes
        self._lines = (line for line in self._input if not line.blank and line.number not in known and wanted(line))
        workers = [asyncio.create_task(self._work(creator)) for _ in range(concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            waiting = [line.number for line in self._ready if line.number not in self._begun]
            await self._journal.end([*waiting, *self._unsent])
            self._ready.clear()
        if self._failure:
            raise self._failure

    async def _work(self, creator: Creator) -> None:
        while not self._over and (line := await self._take()):
            try:
                outcome = await creator.outcome(line, sent_before=line.number in self._begun)
            except Broken as broken:
                # The others come to the end of their lines, so that the fate of these is known.
                self._failure, self._over = self._failure or broken.cause, True
                if not broken.sent:
                    self._unsent.append(line.number)
                return
            await self._note(line, outcome)

    async def _take(self) -> Line | None:
        async with self._taking:
            if not self._ready and (block := await self._block()):
                await self._journal.begin([line.number for line in block])
                self._ready.extend(block)
            return self._ready.popleft() if self._ready and not self._over else None

    async def _block(self) -> list[Line]:
        while len(self._ahead) < self._journal.block:
            if not (more := await asyncio.to_thread(_some, self._lines)):
                break
            self._ahead.extend(more)
        return [self._ahead.popleft() for _ in range(min(self._journal.block, len(self._ahead)))]

    async def _note(self, line: Line, outcome: Outcome) -> None:
        self._outcomes.put(line.number, outcome)
        await self._journal.note(line.number, outcome)
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome.outcome == FAILED else 0
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            self._failure = CandidUnavailableError(f"{FAILED_IN_A_ROW} lines in a row failed ({outcome.error})")
            self._over = True
        if not self._bearing and self._tolerance.exceeded(self._outcomes):
            self._over = True
        self._progress.tick(records=len(self._outcomes), **self._outcomes.counts)


def _some(lines: Iterator[Line]) -> list[Line]:
    return list(islice(lines, AHEAD))
