"""Parts are finished beside the reading: packed and uploaded in a thread of their own, one at a time."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from queue import SimpleQueue

from candid_provider.exceptions import CandidStoppedError
from candid_provider.transfers.extraction.checkpoint import Position
from candid_provider.transfers.extraction.growth import AbandonedError
from candid_provider.transfers.extraction.part import Draft, Finished, finish


class Finisher:
    """Turn drafts into parts in a daemon thread, in the order in which they come."""

    def __init__(self) -> None:
        self._given: SimpleQueue[Draft | None] = SimpleQueue()
        self._done: SimpleQueue[object] = SimpleQueue()
        self._last: Draft | None = None
        self.in_hand, self._over = 0, False
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._work,), name="candid-finish", daemon=True).start()

    def follow(self, draft: Draft) -> None:
        """Begin with a draft that still grows, if that was not done; those given later wait for its end."""
        if draft is not self._last:
            self._last = draft
            self._given.put(draft)

    def give(self, draft: Draft, end: Position) -> None:
        """Hand over a draft that grows no more."""
        self.in_hand += 1
        draft.close(end)
        self.follow(draft)

    def take(self) -> Finished:
        """Wait for the next part.

        :raises CandidStoppedError: :meth:`wake` was called.
        """
        found = self._done.get()
        if found is None:
            raise CandidStoppedError("stopped while parts were being finished")
        self.in_hand -= 1
        if isinstance(found, Finished):
            return found
        raise found if isinstance(found, BaseException) else AssertionError

    def ready(self) -> bool:
        """Say whether a part can be taken without waiting."""
        return not self._done.empty()

    def wake(self) -> None:
        """Let whoever waits for a part stop waiting; may be called from a signal handler."""
        self._done.put(None)

    def end(self) -> None:
        """Let the thread end when it has done what it was given; a draft that still grows is let go."""
        if self._last:
            self._last.growth.abandon()
        self._given.put(None)

    def rest(self) -> Iterator[Finished | BaseException]:
        """End the thread and give what it has done until then."""
        self.end()
        while not self._over:
            found = self._done.get()
            if found is _END:
                self._over = True
            elif isinstance(found, Finished | BaseException):
                yield found

    def _work(self) -> None:
        failure: BaseException | None = None
        while given := self._given.get():
            try:
                # Behind a part that failed there must be none: the account of a stream has no gaps.
                result: Finished | BaseException = failure or finish(given)
            except AbandonedError:
                continue
            except BaseException as error:  # whatever it is, the task has to hear of it
                result = failure = error
            self._done.put(result)
        self._done.put(_END)


_END = object()
