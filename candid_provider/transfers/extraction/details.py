"""The details of a listing's rows: one call a row, many at once, in the rows' order."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import re
import threading
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from candid_provider.api.call import Call, asend_raw
from candid_provider.api.client import CONNECTIONS, CandidAsyncClient
from candid_provider.exceptions import CandidConfigError, CandidError, CandidRequestError, CandidUnavailableError

if TYPE_CHECKING:
    from candid_provider.hooks.candid import CandidHook

T = TypeVar("T")
Ids = tuple[str | int | None, ...]

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NO_IDS = ("", ".", "..")
"""What cannot stand in a path."""

CONCERNS_ALL = (403, 429)
"""4xx answers that say nothing of the record that was asked for."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Name a detail that could not be had: a line in the output beside the records.

    :param route: method and route template.
    :param ids: what filled the placeholders, as far as it is a UUID of Candid's: other ids may name a person.
    :param error: Candid's error name, or ``NoId`` for a row whose id is null.
    :param status: HTTP status.
    """

    route: str
    ids: Mapping[str, str]
    error: str | None = None
    status: int | None = None


class Details:
    """Ask for one detail a row, with many requests under way, and keep the order.

    They are sent from an event loop in a thread of its own, so that sync code of any thread may ask. Rows of a page
    that name the same record are answered once. A record that Candid refuses to give (4xx) is a
    :class:`Failure` and the others go on; what concerns all of them is raised: credentials (401), permissions (403),
    a limit or an outage that outlasts the retries.

    :param hook: the connection to call.
    :param route: path of a GET with placeholders, such as ``/api/patient-ar/v1/invoice-itemization/{claim_id}``; each
        placeholder is a field of the rows.
    :param concurrency: requests under way at a time, 1 to 20.
    :raises CandidConfigError: route or concurrency is wrong; names the field and the fix.
    """

    def __init__(self, hook: CandidHook, route: str, *, concurrency: int = 16) -> None:
        if isinstance(concurrency, bool) or not 1 <= concurrency <= CONNECTIONS:
            raise CandidConfigError(f"concurrency is not a whole number from 1 to {CONNECTIONS}", field="concurrency")
        self.names = tuple(dict.fromkeys(re.findall(r"{(\w+)}", route)))
        if not self.names:
            raise CandidConfigError(
                "detail has no placeholder. Give a path such as /api/encounters/v4/{encounter_id}; each placeholder"
                " is a field of the rows",
                field="detail",
            )
        self._call = Call(method="GET", path=route, path_params=dict.fromkeys(self.names, ""))
        self._ids = _ids_in(self.names)
        self._hook, self._concurrency, self._answered = hook, concurrency, False

    def of(self, rows: Sequence[msgspec.Raw]) -> tuple[list[msgspec.Raw], list[Failure]]:
        """Ask for the details of a page's rows.

        :returns: the answers in the rows' order, and what could not be had.
        :raises CandidConfigError: the rows do not have the route's fields.
        :raises CandidError: what concerns all rows; none of the page is answered then.
        """
        wanted = list(dict.fromkeys(self._ids_of(row) for row in rows))
        found = self._loop.run(self._all(self._loop.client, wanted)) if wanted else []
        failures = [each for each in found if isinstance(each, Failure)]
        answers = [each for each in found if not isinstance(each, Failure)]
        self._answered = self._answered or bool(answers)
        if not self._answered and len(failures) > 1 and all(each.error is None for each in failures):
            # Candid names its errors: it knows the route of a record that is not there.
            raise CandidConfigError(
                f"detail: none of {len(failures)} calls of {self._call.route} was answered, and Candid gave no reason"
                f" (HTTP {failures[0].status}). Check the path",
                field="detail",
            )
        return answers, failures

    def stop(self) -> None:
        """Cancel what is under way, without waiting for it: for signal handlers; :meth:`of` raises then."""
        if loop := self.__dict__.get("_loop"):
            loop.cancel()

    def close(self) -> None:
        """Cancel what is under way, wait for it, and close the connections; asking after that begins anew."""
        if loop := self.__dict__.pop("_loop", None):
            loop.close()

    @cached_property
    def _loop(self) -> _Loop:
        return _Loop(self._hook.async_client())

    def _ids_of(self, row: msgspec.Raw) -> Ids:
        try:
            return msgspec.structs.astuple(self._ids.decode(row))
        except msgspec.DecodeError:
            pass
        named = " and ".join(self.names)
        raise CandidConfigError(
            f"detail: the rows have no {named} that is an id. Placeholders are fields of the rows", field="detail"
        )

    async def _all(self, client: CandidAsyncClient, wanted: Sequence[Ids]) -> list[msgspec.Raw | Failure]:
        places = iter(enumerate(wanted))
        found: dict[int, msgspec.Raw | Failure] = {}

        async def work() -> None:
            for place, ids in places:
                found[place] = await self._one(client, ids)

        failed: CandidError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(wanted))):
                    group.create_task(work())
        except* CandidError as errors:
            failed = _first(errors)
        if failed:
            raise failed
        return [found[place] for place in range(len(wanted))]

    async def _one(self, client: CandidAsyncClient, ids: Ids) -> msgspec.Raw | Failure:
        named = {name: "" if value is None else str(value) for name, value in zip(self.names, ids, strict=True)}
        if any(value in NO_IDS for value in named.values()):
            return Failure(self._call.route, _uuids(named), "NoId")
        try:
            return await asend_raw(client, dataclasses.replace(self._call, path_params=named))
        except CandidRequestError as error:
            if error.status_code in CONCERNS_ALL:
                raise
            return Failure(self._call.route, _uuids(named), error.error_name, error.status_code)


class _Loop:
    """An event loop in a thread of its own, and the client that lives on it."""

    def __init__(self, client: CandidAsyncClient) -> None:
        self.client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="candid-details", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            pass
        except BaseException:
            future.cancel()
            raise
        raise CandidUnavailableError("the calls for details were stopped before they were answered")

    def cancel(self) -> None:
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(self._loop)])

    def close(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.client.aclose()
        await self._loop.shutdown_default_executor()


def _ids_in(names: Sequence[str]) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        (f"id_{place}", str | int | None, msgspec.field(name=name)) for place, name in enumerate(names)
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Ids", fields))


def _uuids(named: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in named.items() if UUID.fullmatch(value)}


def _first(errors: BaseExceptionGroup[Any]) -> CandidError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, CandidError)
    return error
