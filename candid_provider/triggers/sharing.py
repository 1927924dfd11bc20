"""What the triggers of one triggerer share: a client for each connection, and one listing for many records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, MutableMapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from candid_provider.api.waiting import PATIENCE

if TYPE_CHECKING:
    from candid_provider.api.call import Call, Page
    from candid_provider.api.changes import Changes
    from candid_provider.api.client import CandidAsyncClient
    from candid_provider.api.outcome import Conditions, Verdict

log = logging.getLogger("candid_provider.triggers")

AT_ONCE = 16
"""Questions under way at a time for a connection."""
SEVERAL = 3
"""So many waits at one route are worth a listing."""
DIRECT = 10
"""Each so many questions a record is asked for itself: not every change is told of."""


class Session:
    """Hold one client on one event loop, for all waits on a connection.

    It is opened by the first question and closed with the last wait; a connection whose host changes is read anew
    then.

    :param conn_id: id of a connection of type ``candid``.
    """

    def __init__(self, conn_id: str) -> None:
        self.users = 0
        self._conn_id = conn_id
        self._opening: asyncio.Task[CandidAsyncClient] | None = None
        self._watches: dict[str, Watch] = {}
        # A line of thousands is cheap here; in httpx's pool each answer would look through all of it.
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def client(self) -> CandidAsyncClient:
        """Give the client; whoever is first opens it for all.

        :raises CandidError: the connection is wrong.
        """
        if self._opening is None or (self._opening.done() and _failed(self._opening)):
            self._opening = asyncio.create_task(_open(self._conn_id))
        # A wait that is cancelled must not cancel what others wait for.
        return await asyncio.shield(self._opening)

    async def ask(self, call: Call) -> Any:
        """Send a call and give its parsed answer.

        :raises CandidError: what went wrong.
        """
        from candid_provider.api.call import asend

        client = await self.client()
        async with self._turns:
            return await asend(client, call)

    async def page(self, call: Call) -> Page:
        """Send a call and give the page that it brings.

        :raises CandidError: what went wrong.
        """
        from candid_provider.api.call import asend_page

        client = await self.client()
        async with self._turns:
            return await asend_page(client, call)

    def watch(self, path: str) -> Watch | None:
        """Give what tells of changes at a path, None where no listing does."""
        from candid_provider.api.changes import LISTS, Changes

        if path in LISTS and path not in self._watches:
            self._watches[path] = Watch(Changes(LISTS[path], self.page))
        return self._watches.get(path)

    async def close(self) -> None:
        """Close the client, if one was opened."""
        if self._opening and not _failed(self._opening):
            await (await self._opening).aclose()


class Watch:
    """Let many waits look at one listing.

    :param changes: what it has told of.
    """

    def __init__(self, changes: Changes) -> None:
        self.users = 0
        self._changes = changes
        self._looking = asyncio.Lock()
        self._broken = False

    async def may_have_changed(self, name: str, asked: float, max_age: float) -> bool:
        """Say whether a record may have changed; a listing that cannot be read says nothing."""
        from candid_provider.exceptions import CandidError

        if self.users < SEVERAL or self._broken:
            return True
        try:
            async with self._looking:
                await self._changes.look(max_age)
        except CandidError as error:
            self._give_up(error, for_good=not error.retryable)
            return True
        except (KeyError, TypeError, ValueError) as error:  # rows that are not what the API documents
            self._give_up(error, for_good=True)
            return True
        return self._changes.may_have_changed(name, asked)

    def _give_up(self, error: Exception, *, for_good: bool) -> None:
        self._broken = for_good
        log.info("changes cannot be listed (%s): asking for each record itself", type(error).__name__)


class Question:
    """Ask for one record, itself or by what a listing tells of it.

    :param session: whom to ask through.
    :param call: the question.
    :param conditions: what its answer means.
    :param max_age: seconds for which a look at the listing is fresh.
    :param deadline: seconds since 1970 from which on it asks for the record itself: the last word.
    """

    def __init__(
        self, session: Session, call: Call, conditions: Conditions, *, max_age: float, deadline: float | None
    ) -> None:
        self._session, self._call, self._conditions = session, call, conditions
        self._max_age, self._deadline = max_age, deadline
        self._asked, self._times = float("-inf"), 0
        self._last: Verdict | None = None

    async def ask(self) -> Verdict:
        """Give what the record's answer means now.

        :raises CandidError: an error in place of an answer.
        """
        self._times += 1
        over = self._deadline is not None and time.time() >= self._deadline
        if self._last is None or over or self._times % DIRECT == 0 or await self._may_have_changed():
            self._last, asked = None, time.monotonic()
            self._last = self._conditions.verdict(await self._session.ask(self._call))
            self._asked = asked
        return self._last

    @contextlib.contextmanager
    def counted(self) -> Any:
        """Count among those who wait at this path."""
        watch = self._session.watch(self._call.path)
        if watch:
            watch.users += 1
        try:
            yield
        finally:
            if watch:
                watch.users -= 1

    async def _may_have_changed(self) -> bool:
        watch = self._session.watch(self._call.path)
        if watch is None or len(self._call.path_params) != 1:
            return True
        (name,) = self._call.path_params.values()
        return await watch.may_have_changed(name, self._asked, self._max_age)


_sessions: MutableMapping[asyncio.AbstractEventLoop, dict[str, Session]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def session(conn_id: str) -> AsyncIterator[Session]:
    """Share the session of a connection on this event loop.

    :param conn_id: id of a connection of type ``candid``.
    """
    here = _sessions.setdefault(asyncio.get_running_loop(), {})
    shared = here.setdefault(conn_id, Session(conn_id))
    shared.users += 1
    try:
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            here.pop(conn_id, None)
            await shared.close()


async def _open(conn_id: str) -> CandidAsyncClient:
    # The hook's module is heavy; imported on the event loop it would hold up all other triggers.
    hook = await asyncio.to_thread(_hook, conn_id)
    client: CandidAsyncClient = await hook.get_async_conn()
    return client


def _hook(conn_id: str) -> Any:
    from candid_provider.hooks.candid import CandidHook

    return CandidHook(conn_id, retry_deadline=PATIENCE)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
