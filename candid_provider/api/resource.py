"""What there is to know of something that can be listed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from candid_provider.api.call import Call
from candid_provider.api.feeds import Feed
from candid_provider.api.paging import Paging, ScanPaging, TokenPaging
from candid_provider.exceptions import CandidConfigError


class Range(NamedTuple):
    """Name the filter by which a listing can be read in several windows at once; both bounds are inclusive.

    :param first: query parameter of the lower bound.
    :param last: query parameter of the upper bound.
    :param unit: what the bounds are.
    :param stamp: the records' field that the filter goes by, where the bounds are times.
    :param falling: the listing begins with the latest.
    """

    first: str
    last: str
    unit: Literal["date", "time"]
    stamp: str = ""
    falling: bool = False


class PageSize(NamedTuple):
    """Say how many records are asked for.

    :param name: the parameter.
    :param asked: how many are asked for unless the caller says otherwise.
    :param largest: how many may be asked for; None where Candid does not say.
    """

    name: str = "limit"
    asked: int = 100
    largest: int | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """Describe something of Candid's that can be listed.

    :param name: what users call it.
    :param path: where it is listed, with placeholders.
    :param paging: its paging style.
    :param key: field that names a record; ``patient.id`` lies in an inner object, None where there is none.
    :param feed: how it is read incrementally, if it can be.
    :param size: the size of a page; None where it cannot be asked for.
    :param required: parameters without which Candid does not answer: of the query, or of the body of a POST.
    :param defaults: parameters sent unless others are given.
    :param ranges: filter by which it can be read in windows, if any.
    :param instead: what to do in place of reading it incrementally.
    :param verb: ``GET``, or ``POST`` where the parameters are a body.
    """

    name: str
    path: str
    paging: Paging
    key: str | None
    feed: Feed | None = None
    size: PageSize | None = None
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    ranges: Range | None = None
    instead: str = "extract it in full"
    verb: Literal["GET", "POST"] = "GET"

    @property
    def cursor(self) -> str | None:
        """Field by which it can be read from a point in time on, if any."""
        return self.feed.cursor if self.feed else None

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the ids in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def needs(self) -> tuple[str, ...]:
        """Arguments without which it cannot be listed, such as ``path_params.contract_id``."""
        place = "query" if self.verb == "GET" else "json"
        ids = (f"path_params.{name}" for name in self.placeholders)
        return (*ids, *(f"{place}.{name}" for name in self.required))

    def call(
        self,
        params: Mapping[str, Any] | None = None,
        path_params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> Call:
        """Make the call for the first page.

        :param params: query parameters, over the defaults.
        :param path_params: values of the path's placeholders.
        :param json: the body of a listing by POST, over the defaults.
        :raises CandidConfigError: an argument is missing or of no use; ``maxResults`` of a scan is not a number,
            or not known to it.
        """
        query, body = params or {}, json or {}
        given, argument = (query, "query") if self.verb == "GET" else (body, "json")
        if unused := (body if self.verb == "GET" else query):
            raise self._useless("json" if unused is body else "query", argument)
        self._check("path_params", path_params or {}, self.placeholders)
        self._check(argument, given, self.required)
        merged = {**({self.size.name: self.size.asked} if self.size else {}), **self.defaults, **given}
        return Call(
            method=self.verb,
            path=self.path,
            path_params=path_params or {},
            params=merged if self.verb == "GET" else {},
            json=None if self.verb == "GET" else merged,
            read_only=True,
            paging=self._paging(merged),
        )

    def changes(self, feed: Feed | None = None) -> Feed:
        """Give the feed by which it is read incrementally.

        :param feed: one in place of its own.
        :raises CandidConfigError: it has none; the message says what can be done instead.
        """
        if found := feed or self.feed:
            return found
        raise CandidConfigError(
            f"incremental: {self.name} has no change feed: Candid offers no filter by time of change for it."
            f" Leave incremental out and {self.instead}",
            field="incremental",
        )

    def _check(self, argument: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in names:
            if given.get(name) in (None, "", []):
                raise CandidConfigError(
                    f"{argument}: {name} is missing. Resource {self.name} cannot be listed without it",
                    field=argument,
                )
        if argument == "path_params" and (odd := sorted(set(given) - set(names))):
            raise CandidConfigError(f"path_params: {odd[0]} is not in the path of {self.name}", field=argument)

    def _useless(self, argument: str, right: str) -> CandidConfigError:
        return CandidConfigError(
            f"{argument}: {self.name} takes none. Its parameters go into {right}", field=argument
        )

    def _paging(self, merged: Mapping[str, Any]) -> Paging:
        asked = merged.get("maxResults")
        if not isinstance(self.paging, ScanPaging) or asked is None:
            return self.paging
        return ScanPaging(self._scanned(asked), largest=(self.size and self.size.largest) or 0)

    def _scanned(self, value: object) -> int:
        """Read maxResults: what a full page is has to be known, or the end of a scan is taken for its middle."""
        if self.size is None or self.size.largest is None:
            raise CandidConfigError(f"query: maxResults is not known; pages of {self.name} are fixed", field="query")
        try:
            size = int(value) if isinstance(value, int | str) else 0
        except ValueError:
            size = 0
        if not 1 <= size <= self.size.largest:
            raise CandidConfigError(
                f"query: maxResults is not a whole number from 1 to {self.size.largest}", field="query"
            )
        return size


def style_of(paging: Paging) -> str:
    """Name a paging style for people."""
    if isinstance(paging, TokenPaging):
        return "token" if paging.token_in == "query" else "token in body"
    return "since scan" if isinstance(paging, ScanPaging) else "whole"
