"""One line, until it is known what became of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from candid_provider.api.client import CandidAsyncClient
from candid_provider.api.creation import Creation, Sought, acreate, afind
from candid_provider.exceptions import CandidError, CandidRequestError, CandidUnavailableError
from candid_provider.transfers.loading.outcomes import CREATED, EXISTING, FAILED, REFUSED, UNKNOWN, Outcome
from candid_provider.transfers.loading.source import Line
from candid_provider.transfers.loading.survey import BOM, record_of

TRIES = 4
"""How often a line is sent whose fate is unknown and which is not found."""
PAUSE = 0.25
"""Seconds before it is sent again, at most, doubled each time: the one before may still be under way."""


class Broken(Exception):
    """Say that a line has no outcome, because Candid cannot be reached or lets us do nothing.

    :param cause: what went wrong; it is not this line's fault.
    :param sent: the line was, or may have been, sent.
    """

    def __init__(self, cause: CandidError, *, sent: bool) -> None:
        super().__init__(str(cause))
        self.cause, self.sent = cause, sent


class Creator:
    """Create the records of lines, each once.

    :param client: how Candid is asked.
    :param creation: what is created.
    :param params: query parameters of each creation.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: CandidAsyncClient,
        creation: Creation,
        params: Mapping[str, Any] | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._creation, self._params, self._sleep = client, creation, params, sleep

    async def outcome(self, line: Line, *, sent_before: bool) -> Outcome:
        """Create a line's record, or find out that it was created.

        :param sent_before: an earlier process has, or may have, sent it.
        :raises Broken: it cannot be found out now.
        """
        record = record_of(line.content)
        if record is None:
            return _of(line, None, FAILED, error="ChangedWhileRead")
        attempt = _Attempt(self, line, record, sent_before)
        try:
            return await attempt.outcome()
        except CandidError as error:
            cause = error
        raise Broken(cause, sent=attempt.may_be_ours)

    async def send(self, line: Line) -> str | None:
        """Send a line."""
        return await acreate(self._client, self._creation, line.content.removeprefix(BOM), self._params)

    async def find(self, record: Mapping[str, Any]) -> Sought:
        """Look a record up; a lookup that is refused finds nothing out."""
        try:
            return await afind(self._client, self._creation, record)
        except CandidRequestError as error:
            if error.retryable:
                raise
            return Sought(None)

    async def pause(self, attempt: int) -> None:
        """Wait before a line is sent again."""
        await self._sleep(random.uniform(0, PAUSE * 2**attempt))

    @property
    def creation(self) -> Creation:
        """What is created."""
        return self._creation


class _Attempt:
    """The way of one line."""

    def __init__(self, creator: Creator, line: Line, record: Mapping[str, Any], sent_before: bool) -> None:
        self._creator, self._line, self._record = creator, line, record
        self.may_be_ours = sent_before
        self._creation = creator.creation
        self._external_id = self._creation.external_id(self._creation.key_of(record))

    async def outcome(self) -> Outcome:
        if self.may_be_ours and (known := await self._looked_up("Interrupted")):
            return known
        error = ""
        for attempt in range(TRIES):
            if attempt:
                await self._creator.pause(attempt)
            try:
                return self._is(CREATED, id=await self._creator.send(self._line))
            except CandidUnavailableError as failure:
                if not failure.outcome_unknown:
                    raise
                error = f"Http{failure.status_code}" if failure.status_code else "NoAnswer"
            except CandidRequestError as refusal:
                if refusal.retryable:
                    raise
                return await self._refused(refusal)
            self.may_be_ours = True
            if known := await self._looked_up(error):
                return known
        return self._is(FAILED, error=error)

    async def _looked_up(self, error: str) -> Outcome | None:
        """Say what became of a line that was sent; None if it can be sent again."""
        if not self._creation.key:
            return self._is(UNKNOWN, error=error)
        sought = await self._creator.find(self._record)
        if sought.found:
            return self._is(CREATED, id=sought.id)
        if sought.found is None and self._creation.vague:
            return self._is(UNKNOWN, error=error)
        # Not there; or nobody can tell, but Candid would refuse a second one by its key.
        return None

    async def _refused(self, refusal: CandidRequestError) -> Outcome:
        name = refusal.error_name or f"Http{refusal.status_code}"
        if refusal.error_name not in self._creation.taken:
            return self._is(REFUSED, error=name, fields=refusal.fields)
        sought, vague = await self._creator.find(self._record), self._creation.vague
        if vague and not sought.found:
            if sought.found is None and self.may_be_ours:
                return self._is(UNKNOWN, error=name)
            return self._is(REFUSED, error=name, fields=refusal.fields)
        if not self.may_be_ours:
            return self._is(EXISTING, id=sought.id, error=name)
        if sought.found is False:
            # The key is in use, but not where ours would be: whose it is, a person has to find out.
            return self._is(UNKNOWN, error=name)
        return self._is(CREATED, id=sought.id)

    def _is(self, kind: str, **known: Any) -> Outcome:
        return _of(self._line, self._external_id, kind, **known)


def _of(line: Line, external_id: str | None, kind: str, **known: Any) -> Outcome:
    return Outcome(file=line.file, line=line.line, external_id=external_id, outcome=kind, **known)
