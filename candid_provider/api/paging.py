"""The paging styles of Candid's listings, one class each: what a page holds and which call brings the next."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import msgspec

from candid_provider.api.call import Call, Page
from candid_provider.exceptions import CandidUnavailableError


class Paging(Protocol):
    """Read a page and say how to get the next one."""

    def read(self, call: Call, content: bytes) -> Page:
        """Cut an answer into records.

        :raises msgspec.DecodeError: the answer does not have the style's shape (see ``oauth.unreadable``).
        """

    def position(self, call: Call) -> str:
        """Name the place in the listing at which a call reads, to notice a circle; empty if it cannot tell."""

    def save(self, call: Call) -> dict[str, Any]:
        """Give what tells this call from the first one, as JSON: a checkpoint."""

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Make the call that was saved, from the first one."""


@dataclass(frozen=True, slots=True)
class TokenPaging:
    """Follow ``next_page_token`` (Candid: 38 GET listings, and two POST ones with the token in the body).

    :param items_key: key of the list of records; ``items`` but for a few.
    :param token_in: where the token of the next page goes.
    """

    items_key: str = "items"
    token_in: Literal["query", "body"] = "query"

    def read(self, call: Call, content: bytes) -> Page:
        """Cut an answer into records and take the next page's token from it."""
        answer: Any = _token_page(self.items_key).decode(_valid(content))
        following = None
        if token := answer.next_page_token:
            following = self._at(call, token)
        return Page(answer.rows, following, len(content))

    def glimpse(self, call: Call, content: bytes) -> Call | None:
        """Guess the call for the next page from the ends of an answer; None if they do not tell.

        It costs nothing beside :meth:`read`, whose word counts.
        """
        found = _TOKEN.search(content, len(content) - ENDS) or _TOKEN.search(content, 0, ENDS)
        return self._at(call, str(msgspec.json.decode(found[1]))) if found else None

    def position(self, call: Call) -> str:
        """The page's token."""
        return str((call.params if self.token_in == "query" else call.json or {}).get("page_token") or "")

    def save(self, call: Call) -> dict[str, Any]:
        """The page's token."""
        return {"page_token": self.position(call)}

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Ask for the page with the token."""
        return self._at(call, saved["page_token"]) if saved["page_token"] else call

    def _at(self, call: Call, token: str) -> Call:
        if self.token_in == "query":
            return call.with_params(page_token=token)
        return dataclasses.replace(call, json={**(call.json or {}), "page_token": token})


ENDS = 2048
"""Bytes at either end of an answer in which the next page's token is looked for before the answer is read."""

_TOKEN = re.compile(rb'"next_page_token"\s*:\s*("[\x20\x21\x23-\x5b\x5d-\x7e]+")')


@lru_cache
def _token_page(items_key: str) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("rows", list[msgspec.Raw], msgspec.field(name=items_key)),
        ("next_page_token", str | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("TokenPage", fields))


def _valid(content: bytes) -> bytes:
    """Refuse what is not UTF-8: rows are cut out unread, and would be written out as they came."""
    if not content.isascii():  # which copies nothing
        str(content, "utf-8")
    return content


class _Version(msgspec.Struct):
    id: str
    version: int
    updated_at: str


@dataclass(frozen=True, slots=True)
class ScanPaging:
    """Follow an update scan (Candid: GET .../updates/scan on the pre-encounter host).

    The answer is a bare array in ascending ``updated_at``, and ``since`` is inclusive, so each page begins
    with records of the last one. The scan ends with a page that brings nothing new; the documented loop,
    until an empty page, would never end.

    :param page_size: records in a full page: fixed at 100, or what ``maxResults`` asks for.
    :param seen: id and version of the records at ``since`` that were delivered already.
    :param largest: what ``maxResults`` may ask for, where a scan takes it: a full page that shares one
        ``updated_at`` is asked for again in this size.
    """

    page_size: int = 100
    seen: frozenset[tuple[str, int]] = frozenset()
    largest: int = 0

    def read(self, call: Call, content: bytes) -> Page:
        """Cut an answer into records, leave out those delivered already, and move ``since`` on.

        :raises CandidUnavailableError: a full page shares one ``updated_at``, so that nothing beyond it can
            be asked for; or ``since`` was overlooked, so that the scan would never end.
        """
        rows = _ROWS.decode(_valid(content))
        versions = [_VERSION.decode(row) for row in rows]
        if self.seen and versions and _time(versions[0].updated_at) < _time(call.params["since"]):
            raise CandidUnavailableError(
                f"{call.route}: the scan gave records from before the time it was asked for",
                route=call.route,
                retryable=False,
            )
        new = [row for row, v in zip(rows, versions, strict=True) if (v.id, v.version) not in self.seen]
        if not new:
            return Page([], None, len(content))
        last = versions[-1].updated_at
        if len(rows) >= self.page_size and versions[0].updated_at == last:
            if self.page_size < self.largest:
                wider = dataclasses.replace(self, page_size=self.largest)
                again = call.with_params(maxResults=self.largest)
                return Page([], dataclasses.replace(again, paging=wider), len(content))
            raise CandidUnavailableError(
                f"{call.route}: a full page of {len(rows)} records shares one updated_at, and the scan has no"
                " way past it; list the records another way",
                route=call.route,
                retryable=False,
            )
        edge = frozenset((v.id, v.version) for v in versions if v.updated_at == last)
        paging = dataclasses.replace(self, seen=edge)
        return Page(new, dataclasses.replace(call.with_params(since=last), paging=paging), len(content))

    def position(self, call: Call) -> str:
        """Nothing: a scan may stand still at one timestamp while it brings new records."""
        return ""

    def save(self, call: Call) -> dict[str, Any]:
        """The time from which on it reads, and the records there that were delivered."""
        return {"since": call.params["since"], "seen": sorted(self.seen)}

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Read on from that time without those records."""
        paging = dataclasses.replace(self, seen=frozenset((str(id), int(version)) for id, version in saved["seen"]))
        return dataclasses.replace(call.with_params(since=saved["since"]), paging=paging)


def _time(text: str) -> datetime.datetime:
    # Texts do not compare: "…:00Z" comes after "…:00.500Z".
    return msgspec.convert(text, datetime.datetime)


_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_VERSION = msgspec.json.Decoder(_Version)


@dataclass(frozen=True, slots=True)
class Unpaged:
    """Read a listing that comes whole.

    :param items_key: key of the list of records; None for a bare array.
    """

    items_key: str | None = None

    def read(self, call: Call, content: bytes) -> Page:
        """Cut the answer into records."""
        content = _valid(content)
        rows = _token_page(self.items_key).decode(content).rows if self.items_key else _ROWS.decode(content)
        return Page(rows, None, len(content))

    def position(self, call: Call) -> str:
        """Nothing: there is one page."""
        return ""

    def save(self, call: Call) -> dict[str, Any]:
        """Nothing: there is one page."""
        return {}

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Ask for the one page again."""
        return call
