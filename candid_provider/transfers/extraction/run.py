"""One try at an extract: from the checkpoint of the last one to the manifest."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.client import CandidClient
from candid_provider.api.event_feeds import ServiceDates
from candid_provider.api.feeds import Feed, Interval, Mark, Reader
from candid_provider.transfers.extraction.checkpoint import Checkpoint
from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
from candid_provider.transfers.extraction.extraction import Extraction, Job, PositionLostError
from candid_provider.transfers.extraction.feed import Detailer
from candid_provider.transfers.extraction.manifest import ExtractManifest, beginning
from candid_provider.transfers.extraction.part import Bench
from candid_provider.transfers.extraction.plan import Plan
from candid_provider.transfers.extraction.publish import Ending, publish
from candid_provider.transfers.extraction.settling import settle
from candid_provider.transfers.output.manifest import replaced_by
from candid_provider.transfers.progress import Log


class Marks(Protocol):
    """Keep a feed's mark between runs."""

    @property
    def name(self) -> str:
        """Where it is kept, for people."""

    def load(self) -> Mark | None:
        """Read it; None if there is none yet."""

    def save(self, mark: Mark) -> None:
        """Write it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Say that only changes are wanted.

    :param feed: how the resource tells them.
    :param watermark: where the last run's mark is.
    :param interval: a span of time in place of the watermark, which then stays as it is.
    """

    feed: Feed
    watermark: Marks
    interval: Interval | None = None


class Run:
    """Make an extract.

    :param client: sends the calls for pages, from several threads.
    :param key: known to holders of the client secret only.
    :param changes: how to read changes only; None reads the whole listing.
    :param detailing: makes what asks for details by a route.
    """

    def __init__(
        self,
        plan: Plan,
        client: CandidClient,
        key: bytes,
        store: CheckpointStore,
        log: Log,
        *,
        changes: Changes | None = None,
        detailing: Callable[[str], Detailer] | None = None,
    ) -> None:
        self._plan, self._client, self._key, self._store, self._log = plan, client, key, store, log
        self._changes, self._detailing = changes, detailing
        self._extraction: Extraction | None = None
        self._stopped = False

    def execute(self) -> ExtractManifest:
        """Read what is still to be read, and publish.

        :raises CandidConfigError: the directory is another task's; nothing was sent or written.
        :raises CandidError: what went wrong; a retry goes on where this try stood.
        """
        with self._plan.directory.held():
            return self._extract_all()

    def _extract_all(self) -> ExtractManifest:
        checkpoint = self._checkpoint()
        try:
            return self._follow(checkpoint)
        except PositionLostError:
            self._log.warning("Candid no longer knows the page at which an earlier try stood: beginning again")
        self._forget(checkpoint.generation, set())
        return self._follow(self._begin(checkpoint.identity))

    def stop(self) -> None:
        """Save where it stands and end; may be called from a signal handler or any thread."""
        self._stopped = True
        if self._extraction:
            self._extraction.stop()

    def _follow(self, checkpoint: Checkpoint) -> ExtractManifest:
        plan = self._plan
        calls, readers = self._opened(checkpoint)
        bench = Bench(plan.directory, plan.format, checkpoint.generation, windows=len(calls) > 1)
        detail = readers[0].detail or plan.detail
        details = self._detailing(detail) if detail and self._detailing else None
        job = Job(
            calls=calls,
            readers=readers,
            bench=bench,
            details=details,
            at_once=plan.at_once,
            part_rows=plan.part_rows,
            part_bytes=plan.part_bytes,
        )
        try:
            self._extract(job, checkpoint)
        finally:
            if details:
                details.close()
        mark, save = readers[0].mark(), self._move_on
        end = Ending(mark, self._interval(), detail, lambda: save(mark))
        return publish(plan, bench, checkpoint, self._store, end)

    def _extract(self, job: Job, checkpoint: Checkpoint) -> None:
        self._extraction = Extraction(job, self._client, checkpoint, self._store, self._log)
        if self._stopped:
            self._extraction.stop()
        self._extraction.run()

    def _opened(self, checkpoint: Checkpoint) -> tuple[list[Call], list[Reader]]:
        """Open the feed as the first try did: with the mark and at the time that it noted."""
        if self._changes is None:
            return self._plan.calls, list(self._plan.readers)
        mark = None if checkpoint.mark is None else msgspec.convert(checkpoint.mark, Mark)
        now = datetime.fromisoformat(checkpoint.began)
        call, reader = self._changes.feed.open(self._plan.call, mark=mark, interval=self._changes.interval, now=now)
        if span := self._interval():
            self._log.info("reading what changed from %s to %s", *span)
        else:
            self._log.info(
                "reading what changed since %s", mark.at if mark else "the beginning: there is no watermark"
            )
        return [call], [reader]

    def _move_on(self, mark: Mark | None) -> None:
        if self._changes and self._changes.interval is None and mark is not None:
            self._changes.watermark.save(mark)
            self._log.info("the next run goes on from %s (%s)", mark.at, self._changes.watermark.name)

    def _interval(self) -> tuple[str, str] | None:
        span = self._changes.interval if self._changes else None
        return (span[0].isoformat(), span[1].isoformat()) if span else None

    def _checkpoint(self) -> Checkpoint:
        """Take up the checkpoint of an earlier try, or begin anew and remove what another run left unfinished."""
        standing = replaced_by(self._plan.directory, self._plan.owner)
        identity, found = self._plan.identity(self._key), self._store.load()
        if found and found.identity == identity:
            return found
        if found:
            self._forget(found.generation, set(standing))
        return self._begin(identity)

    def _begin(self, identity: str) -> Checkpoint:
        mark, changes = None, self._changes
        if changes:
            mark = changes.watermark.load() if changes.interval is None else None
            # What is read anew in each run is not lost by being replaced.
            if not isinstance(changes.feed, ServiceDates):
                mark = beginning(self._plan.directory, self._plan.owner, mark, self._interval())
            if changes.interval:
                settle(changes.interval[1], self._log, stopped=lambda: self._stopped)
        kept = None if mark is None else msgspec.to_builtins(mark)
        return Checkpoint(identity, secrets.token_hex(4), datetime.now(UTC).isoformat(), kept)

    def _forget(self, generation: str, keep: set[str]) -> None:
        bench = Bench(self._plan.directory, self._plan.format, generation)
        bench.directory.remove(bench.leftovers(keep))
        self._store.remove()
