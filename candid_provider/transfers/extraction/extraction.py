"""An extraction: streams of pages into parts, with a checkpoint from which a retry goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from candid_provider.api.call import Call, Page
from candid_provider.api.client import CandidClient
from candid_provider.api.feeds import Reader
from candid_provider.exceptions import CandidRequestError, CandidStoppedError
from candid_provider.transfers.extraction.checkpoint import Checkpoint
from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
from candid_provider.transfers.extraction.feed import Detailer
from candid_provider.transfers.extraction.fetch import Arrived, Fetcher, Unread, take
from candid_provider.transfers.extraction.finisher import Finisher
from candid_provider.transfers.extraction.part import Bench, Finished
from candid_provider.transfers.extraction.stream import Closed, Stream
from candid_provider.transfers.progress import Log, Progress

SAVE_EVERY = 1.0
"""Seconds between two checkpoints, where saving is quick."""
SAVE_SHARE = 0.02
"""Share of the time that saving checkpoints may take; where saving is slow, it is done less often."""
UNFINISHED = 2
"""Drafts that may wait to be finished before reading waits for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Say what is extracted.

    :param calls: the first call of each stream, in output order.
    :param readers: what is wanted of each.
    :param at_once: streams that are read at the same time.
    :param part_rows: rows after which a part is closed, with the page that brings them.
    :param part_bytes: bytes of JSON after which a part is closed.
    """

    calls: Sequence[Call]
    readers: Sequence[Reader]
    bench: Bench
    details: Detailer | None = None
    at_once: int = 1
    part_rows: int | None = None
    part_bytes: int


class PositionLostError(Exception):
    """Candid refuses the call that a checkpoint says comes next: page tokens may not live for ever."""


class Extraction:
    """Read all streams of a job to their ends.

    :param client: sends the calls for pages, from several threads.
    :param checkpoint: where it begins; kept up to date and saved.
    """

    def __init__(
        self,
        job: Job,
        client: CandidClient,
        checkpoint: Checkpoint,
        store: CheckpointStore,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job, self._client, self._checkpoint, self._store, self._log = job, client, checkpoint, store, log
        self._clock, self._saved, self._pause = clock, clock(), SAVE_EVERY
        self._arrivals: SimpleQueue[Arrived | None] = SimpleQueue()
        self._fetchers: dict[int, Fetcher] = {}
        self._finisher = Finisher()
        self._progress = Progress(log)
        self.nbytes = 0
        self._resumed_at: dict[int, int] = {}
        self.streams = [
            Stream(number, call, reader, job.details, job.bench)
            for number, (call, reader) in enumerate(zip(job.calls, job.readers, strict=True))
        ]

    def run(self) -> None:
        """Read to the end, from where the checkpoint stands.

        :raises CandidStoppedError: :meth:`stop` was called.
        :raises CandidError: what went wrong; the checkpoint is saved.
        """
        try:
            closed = self._resume()
            self._save(needed=True)
            for each in closed:
                self._hand_over(each)
            self._follow()
        except BaseException:
            self._keep()
            raise
        finally:
            for fetcher in self._fetchers.values():
                fetcher.stop()
            self._finisher.end()
        self._progress.done(**self._counts())

    def stop(self) -> None:
        """Let :meth:`run` save where it stands and end; may be called from a signal handler or any thread."""
        # SimpleQueue.put is reentrant, nothing else here is.
        self._arrivals.put(None)
        self._finisher.wake()
        if self._job.details:
            self._job.details.stop()

    def _resume(self) -> list[Closed]:
        self._job.bench.directory.make()
        closed = []
        for stream, state in zip(self.streams, self._checkpoint.streams, strict=False):
            closed += stream.resume(state)
        if rows := sum(stream.counts.rows for stream in self.streams):
            self._log.info("going on behind %d rows that an earlier try has written", rows)
        self._progress.since(rows=rows)
        self._resumed_at = {stream.number: stream.counts.pages for stream in self.streams}
        bench = self._job.bench
        keep = {part.name for stream in self.streams for part in (*stream.state.parts, *stream.state.failures)}
        drafts = [draft for draft, _ in closed] + [stream.draft for stream in self.streams if stream.draft]
        keep |= {spool.path.name for draft in drafts for spool in (draft.rows, draft.failed) if spool and spool.path}
        bench.directory.remove(bench.leftovers(keep))
        return closed

    def _follow(self) -> None:
        waiting = deque(stream for stream in self.streams if stream.following)
        while waiting or self._fetchers:
            while waiting and len(self._fetchers) < self._job.at_once:
                self._fetch(waiting.popleft())
            arrived = take(self._arrivals)
            if arrived is None:
                raise CandidStoppedError("stopped on request; a retry goes on where this try stood")
            if arrived.fetcher is not self._fetchers.get(arrived.fetcher.stream):
                continue  # it had guessed wrong before
            if arrived.page is None:
                raise self._refusal(arrived)
            self._take(arrived.fetcher, arrived.page)
            while self._finisher.ready():
                self._note_finished()
        for stream in self.streams:
            self._close(stream)
        while self._finisher.in_hand:
            self._note_finished()

    def _refusal(self, arrived: Arrived) -> BaseException:
        begins = self.streams[arrived.fetcher.stream].counts.pages
        resumed = begins and begins == self._resumed_at.get(arrived.fetcher.stream)
        if resumed and isinstance(arrived.error, CandidRequestError) and not arrived.error.retryable:
            return PositionLostError()
        return arrived.error or AssertionError()

    def _fetch(self, stream: Stream, *, guessing: bool = True) -> None:
        assert stream.following
        fetcher = Fetcher(stream.number, stream.following, self._client, self._arrivals, guessing=guessing)
        self._fetchers[stream.number] = fetcher

    def _fetch_anew(self, stream: Stream) -> None:
        """Go on without guesses."""
        self._fetchers.pop(stream.number).stop()
        if stream.following:
            self._fetch(stream, guessing=False)

    def _take(self, fetcher: Fetcher, arrived: Page | Unread) -> None:
        stream = self.streams[fetcher.stream]
        if arrived.next is None:
            del self._fetchers[stream.number]
        else:
            fetcher.go_on()
        page = arrived.read() if isinstance(arrived, Unread) else arrived
        if page is None:
            self._log.warning("%s: an answer is not what the API documents; asking again", fetcher.route)
            return self._fetch_anew(stream)
        stream.take(page)
        if page.next != arrived.next:
            self._log.info("%s: the next page's token is not where it seemed; reading pages first", fetcher.route)
            self._fetch_anew(stream)
        self.nbytes += page.nbytes
        if len(self.streams) == 1 and stream.draft:
            # Of several, one that waits to be read would hold up those that are full.
            self._finisher.follow(stream.draft)
        if stream.following is None or self._is_full(stream):
            self._close(stream)
        elif self._clock() - self._saved >= self._pause:
            self._save_in_time()
        self._progress.tick(**self._counts())

    def _is_full(self, stream: Stream) -> bool:
        draft = stream.draft
        if draft is None:
            return False
        return draft.rows.length >= self._job.part_bytes or draft.count >= (self._job.part_rows or draft.count + 1)

    def _close(self, stream: Stream) -> None:
        if closed := stream.close_draft():
            self._save(needed=False)
            self._hand_over(closed)

    def _hand_over(self, closed: Closed) -> None:
        self._finisher.give(*closed)
        while self._finisher.in_hand >= UNFINISHED:
            self._note_finished()

    def _note_finished(self) -> None:
        self._note(self._finisher.take())

    def _note(self, finished: Finished) -> None:
        self.streams[finished.draft.stream].note(finished)
        self._save(needed=False)
        finished.draft.discard()

    def _save_in_time(self) -> None:
        for stream in self.streams:
            stream.settle()
        # Elsewhere than on a local disk a retry begins behind the last part, which is saved then.
        if self._job.bench.directory.local:
            self._save(needed=False)
        self._saved = self._clock()

    def _save(self, *, needed: bool) -> None:
        began = self._clock()
        for stream in self.streams:
            stream.settle()
        self._checkpoint.streams = [stream.state for stream in self.streams]
        self._store.save(self._checkpoint, needed=needed)
        self._saved = self._clock()
        self._pause = max(SAVE_EVERY, (self._saved - began) / SAVE_SHARE)

    def _keep(self) -> None:
        """Save what was done; whatever goes wrong with that, the error that led here is the one to show."""
        try:
            for stream in self.streams:
                # A spool without a name ends with the process: what is in it becomes a short part.
                if not self._job.bench.directory.local and (closed := stream.close_draft()):
                    self._finisher.give(*closed)
            for finished in self._finisher.rest():
                if isinstance(finished, Finished):
                    self._note(finished)
            self._save(needed=False)
        except Exception as error:
            self._log.warning("what was read since the last checkpoint could not be kept (%s)", type(error).__name__)

    def _counts(self) -> dict[str, object]:
        counts = [stream.counts for stream in self.streams]
        return {
            "pages": sum(each.pages for each in counts),
            "rows": sum(each.rows for each in counts),
            "nbytes": self.nbytes,
            "failures": sum(each.failures for each in counts) or None,
            "cursor": self._cursor,
        }

    def _cursor(self) -> str | None:
        """Say from where a next run would go on, if it reads changes."""
        mark = self._job.readers[0].mark()
        return mark.at if mark else None
