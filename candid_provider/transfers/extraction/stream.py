"""One listing, or one window of it, into parts."""

from __future__ import annotations

from typing import Any

import msgspec

from candid_provider.api.call import Call, Page
from candid_provider.api.feeds import Reader
from candid_provider.transfers.extraction.checkpoint import Counts, Position, StreamState, Tail
from candid_provider.transfers.extraction.circle import Circle
from candid_provider.transfers.extraction.feed import Detailer
from candid_provider.transfers.extraction.part import Bench, Draft, Finished
from candid_provider.transfers.extraction.spool import digest_of

Closed = tuple[Draft, Position]
"""A draft that grows no more, and where the stream stood at its end."""


class Stream:
    """Write the pages of one stream into drafts and keep account of where it stands.

    :param number: its place in the output.
    :param call: the call for its first page.
    :param reader: says which rows are wanted.
    :param details: asks for what is written in place of the rows.
    """

    def __init__(self, number: int, call: Call, reader: Reader, details: Detailer | None, bench: Bench) -> None:
        self.number, self.reader, self._details, self._bench = number, reader, details, bench
        self._first = call
        self.following: Call | None = call
        self.state, self.counts = StreamState(), Counts()
        self.draft: Draft | None = None
        self._circle, self._between_pages = Circle(), True
        # Every record of the pre-encounter API says whether it is, and no other does.
        self._may_be_deactivated = not call.path.startswith("/api/") and details is None

    def take(self, page: Page) -> None:
        """Write a page's rows.

        :raises CandidUnavailableError: the listing leads in a circle.
        """
        self._circle.check(page.next)
        self._between_pages = False
        rows, failed = self.reader.take(page.rows), list[Any]()
        if self._details and rows:
            rows, failed = self._details.of(rows)
        if self.draft is None:
            self.draft = Draft(self._bench, self.number, self._next_number())
        self.draft.write(rows, [msgspec.json.encode(failure) for failure in failed])
        self.counts.pages += 1
        self.counts.rows += len(rows)
        self.counts.failures += len(failed)
        if self._may_be_deactivated:
            self.counts.deactivated += sum(map(_is_deactivated, rows))
        self.following = page.next
        self._between_pages = True

    def settle(self) -> None:
        """Note where it stands, if that is between two pages."""
        if self._between_pages and self.draft:
            tail = self.draft.tail(self._position())
            self.state.tails = [*(other for other in self.state.tails if other.number < tail.number), tail]
            self.draft.growth.reach(tail.length)  # it is never cut back beyond that

    def close_draft(self) -> Closed | None:
        """Hand the draft over to be finished, cut back to what was noted last; the next page opens another."""
        self.settle()
        draft, self.draft = self.draft, None
        tail = next((tail for tail in self.state.tails if draft and tail.number == draft.number), None)
        if not draft or not tail:
            return None
        if not self._between_pages:
            draft.cut(tail)
        return draft, tail.end

    def note(self, finished: Finished) -> None:
        """Take a finished part into account."""
        state, drafts = self.state, finished.draft.number + 1
        # In one assignment: the signal that ends a task may come between any two.
        self.state = StreamState(
            at=finished.end,
            parts=[*state.parts, finished.part] if finished.part else state.parts,
            failures=[*state.failures, finished.failures] if finished.failures else state.failures,
            tails=[tail for tail in state.tails if tail.number >= drafts],
            drafts=drafts,
            unfit=state.unfit + finished.unfit,
        )

    def resume(self, state: StreamState) -> list[Closed]:
        """Go on where a checkpoint stands; gives drafts that have only to be finished."""
        self.state = msgspec.structs.replace(state, tails=[])
        closed: list[Closed] = []
        end = state.at
        for tail in state.tails:
            if not self._recover(tail):
                break
            draft = Draft(self._bench, self.number, tail.number)
            draft.cut(tail)
            self.state.tails.append(tail)
            closed.append((draft, tail.end))
            end = tail.end
        self._go_to(end)
        if closed and self.following:
            self.draft = closed.pop()[0]
        return closed

    def _position(self) -> Position:
        saved = None
        if self.following is not None:
            assert self.following.paging is not None
            saved = self.following.paging.save(self.following)
        return Position(saved, self.reader.state(), msgspec.structs.replace(self.counts))

    def _go_to(self, position: Position) -> None:
        self.counts = msgspec.structs.replace(position.counts)
        if not position.counts.pages:
            return
        self.reader.restore(position.reader)
        assert self._first.paging is not None
        saved = position.following
        self.following = None if saved is None else self._first.paging.resume(self._first, saved)

    def _recover(self, tail: Tail) -> bool:
        """Say whether the files of a tail are what the checkpoint says."""
        files = (("part", tail.length, tail.digest), ("failures", tail.failed_length, tail.failed_digest))
        for kind, length, digest in files:
            spool = self._bench.spool(kind, self.number, tail.number)
            if spool is None:
                return False
            if length and digest_of(spool, length) != digest:
                # The process may have ended just when the spool had become its part.
                part = spool.parent / self._bench.name(kind, self.number, tail.number)
                if digest_of(part, length) != digest:
                    return False
                part.replace(spool)
        return True

    def _next_number(self) -> int:
        return self.state.tails[-1].number + 1 if self.state.tails else self.state.drafts


class _Record(msgspec.Struct):
    deactivated: Any = None


_RECORD = msgspec.json.Decoder(_Record)


def _is_deactivated(row: msgspec.Raw) -> bool:
    try:
        return _RECORD.decode(row).deactivated is True
    except msgspec.DecodeError:  # not an object
        return False
