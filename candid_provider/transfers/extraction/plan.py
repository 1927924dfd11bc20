"""What an extract shall be, checked before anything is sent or written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.event_feeds import EncounterEvents
from candid_provider.api.resources import resource_named
from candid_provider.api.routes import route_of
from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.arguments import mapping, text
from candid_provider.transfers.extraction.feed import Whole, Within
from candid_provider.transfers.extraction.formats import Format, format_named
from candid_provider.transfers.extraction.windows import Window, windows
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.owner import Owner

if TYPE_CHECKING:
    from candid_provider.api.feeds import Feed
    from candid_provider.api.resources import Resource

PART_BYTES = 256_000_000
SMALLEST_PART = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold the checked arguments of an extract.

    :param resource: the row of the table of resources; None for a call of the user's own.
    :param call: the first call, or the whole of which windows are cut.
    :param windows: the first call of each stream.
    :param detail: route of the details, without the method.
    :param feed: how changes are read; None reads the whole listing.
    """

    name: str
    resource: Resource | None
    call: Call
    windows: Sequence[Window]
    directory: Directory
    format_name: str
    compression: str | None
    format: Format
    part_rows: int | None
    part_bytes: int
    at_once: int
    detail: str | None
    feed: Feed | None
    owner: Owner

    @property
    def calls(self) -> list[Call]:
        """The first call of each stream."""
        return [window.call for window in self.windows]

    @property
    def readers(self) -> list[Whole]:
        """What is wanted of each stream, where the listing is read in full."""
        stamp = self.resource.ranges.stamp if self.resource and self.resource.ranges else ""
        return [Within(self.call.route, stamp, window.span) if window.span else Whole() for window in self.windows]

    def identity(self, key: bytes) -> str:
        """Name what is extracted, how and for which run, by a keyed hash: parameters may name patients.

        :param key: known to holders of the client secret only, so that nobody else can try values out.
        """
        parts: list[Any] = [
            self.call.route,
            self.call.path_params,
            self.call.query,
            self.call.body,
            [call.query for call in self.calls],
            self.detail,
            self.feed,
            str(self.directory),
            [self.format_name, self.compression, self.part_rows, self.part_bytes],
            self.owner,
        ]
        return hashlib.blake2b(msgspec.json.encode(parts, order="sorted"), key=key, digest_size=16).hexdigest()

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that are sent."""
        body = self.call.json if isinstance(self.call.json, Mapping) else {}
        return sorted({*self.call.query, *self.call.path_params, *map(str, body)})


def plan(
    *,
    resource: str | Call,
    path: Any,
    query: Mapping[str, Any] | None,
    path_params: Mapping[str, str] | None,
    json: Any,
    format: str,
    compression: str | None,
    part_rows: int | None,
    part_bytes: int,
    detail: str | None,
    parallel_windows: int,
    incremental: bool | Feed,
    owner: Owner,
) -> Plan:
    """Check an operator's arguments.

    :raises CandidConfigError: one is wrong; names the argument and the next step.
    """
    named = mapping("path_params", path_params)
    row, call = _checked_call(resource, mapping("query", query), named, json)
    feed = _feed(row, incremental, parallel_windows) if incremental is not False else None
    answers = f"GET {route_of(_detail(detail, feed))}" if detail else call.route
    return Plan(
        name=resource if isinstance(resource, str) else call.route,
        resource=row,
        call=call,
        windows=windows(call, row.ranges if row else None, parallel_windows),
        directory=Directory(path),
        format_name=format,
        compression=compression,
        format=format_named(format, compression, answers),
        part_rows=_at_least("part_rows", part_rows, 1) if part_rows is not None else None,
        part_bytes=_at_least("part_bytes", part_bytes, SMALLEST_PART),
        at_once=parallel_windows,
        detail=detail,
        feed=feed,
        owner=owner,
    )


def _checked_call(
    resource: str | Call, query: Mapping[str, Any], path_params: Mapping[str, str], json: Any
) -> tuple[Resource | None, Call]:
    row, call = _call(resource, query, path_params, json)
    if call.paging is None:
        raise CandidConfigError(
            f"paging: {call.route} has none. Give the call a paging style of candid_provider.api.paging",
            field="paging",
        )
    _ = call.target, call.query, call.body  # what cannot be sent says so here
    return row, call


def _call(
    resource: str | Call, query: Mapping[str, Any], path_params: Mapping[str, str], json: Any
) -> tuple[Resource | None, Call]:
    if isinstance(resource, Call):
        if path_params or json is not None:
            name = "path_params" if path_params else "json"
            raise CandidConfigError(f"{name} belongs into the call that is given as resource", field=name)
        return None, resource.with_params(**query)
    row = resource_named(text("resource", resource))
    return row, row.call(query, path_params, json)


def _feed(row: Resource | None, incremental: bool | Feed, parallel_windows: int) -> Feed:
    if row is None:
        raise CandidConfigError(
            "incremental: a call of your own has no change feed. Give the name of a resource", field="incremental"
        )
    if incremental is not True and not hasattr(incremental, "open"):
        raise CandidConfigError(
            "incremental is neither True nor a change feed. Give True, or such as"
            " candid_provider.api.event_feeds.ServiceDates(days=90)",
            field="incremental",
        )
    if parallel_windows != 1:
        raise CandidConfigError(
            "parallel_windows: a change feed is read in one go. Leave it at 1", field="parallel_windows"
        )
    return row.changes(None if isinstance(incremental, bool) else incremental)


def _detail(detail: str, feed: Feed | None) -> str:
    if isinstance(feed, EncounterEvents):
        raise CandidConfigError(
            "detail: read incrementally, encounters are asked for one by one already. Leave it out", field="detail"
        )
    return text("detail", detail)


def _at_least(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CandidConfigError(f"{name} is not a whole number of at least {least}", field=name)
    return value
