"""Paging by the time in the records: a lower bound that moves on, and an end before the listing's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from candid_provider.api.call import Call, Page
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import Paging, TokenPaging


@dataclass(frozen=True, slots=True)
class RisingPaging:
    """Follow a listing that rises in time by moving its lower bound on, as far as the records allow it.

    What page tokens stand for is not documented. If they count records, each record that moves to the end
    while the listing is read makes the next page begin one too late, and one is lost. So the next page begins
    at the time of the last record, which brings that one again; the reader of the feed leaves it out. A page
    that does not rise, or is all of one time, is followed by its token.

    :param inner: how a page is read and its token followed.
    :param stamp: the records' field that rises.
    :param bound: where the call has the lower bound: a query parameter, or the way to it in the body.
    :param step_back: microseconds before the last record, where the bound may be exclusive.
    :param sure_from: records on a page that must rise before the listing counts as one that does; more than 2
        where no order is documented and none can be asked for.
    """

    inner: TokenPaging
    stamp: str
    bound: tuple[str, ...]
    step_back: int = 0
    sure_from: int = 2

    def read(self, call: Call, content: bytes) -> Page:
        """Cut an answer into records, and begin the next page at the last of them."""
        page = self.inner.read(call, content)
        if page.next is None or len(page.rows) < self.sure_from:
            return page
        moments = [moment_of(row, self.stamp) for row in page.rows]
        begun = bound_of(call, self.bound)
        following = moments[-1] - self.step_back
        if any(earlier > later for earlier, later in pairwise(moments)):
            return page
        if begun is not None and following <= microseconds(begun):
            return page
        return dataclasses.replace(page, next=from_bound(call, self.bound, written(following)))

    def position(self, call: Call) -> str:
        """The lower bound and the page's token."""
        return f"{bound_of(call, self.bound) or ''} {self.inner.position(call)}"

    def save(self, call: Call) -> dict[str, Any]:
        """The lower bound and the page's token."""
        return {"bound": bound_of(call, self.bound), **self.inner.save(call)}

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Read on from that bound, or from the page with the token."""
        if saved["bound"] is not None:
            call = from_bound(call, self.bound, saved["bound"])
        return self.inner.resume(call, saved)


@dataclass(frozen=True, slots=True)
class Until:
    """End a listing that goes by time where the rest is not wanted.

    :param inner: how the listing is paged.
    :param stamp: the records' field that rises, or falls.
    :param last: a page that ends at or after it is the last, in microseconds since 1970.
    :param first: a page that ends before it is the last, of a listing that falls.
    """

    inner: Paging
    stamp: str
    last: int | None = None
    first: int | None = None

    def read(self, call: Call, content: bytes) -> Page:
        """Cut an answer into records, and end the listing after those that are wanted."""
        page = self.inner.read(dataclasses.replace(call, paging=self.inner), content)
        if page.next is None or page.next.paging is None or (page.rows and self._is_past(page.rows[-1])):
            return dataclasses.replace(page, next=None)
        return dataclasses.replace(page, next=self._wrapped(page.next, page.next.paging))

    def position(self, call: Call) -> str:
        """The inner paging's."""
        return self.inner.position(call)

    def save(self, call: Call) -> dict[str, Any]:
        """The inner paging's."""
        return self.inner.save(call)

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Go on as the inner paging does."""
        inner = self.inner.resume(dataclasses.replace(call, paging=self.inner), saved)
        return self._wrapped(inner, inner.paging or self.inner)

    def _wrapped(self, call: Call, inner: Paging) -> Call:
        return dataclasses.replace(call, paging=dataclasses.replace(self, inner=inner))

    def _is_past(self, row: msgspec.Raw) -> bool:
        moment = moment_of(row, self.stamp)
        return (self.last is not None and moment >= self.last) or (self.first is not None and moment < self.first)


def moment_of(row: msgspec.Raw, stamp: str) -> int:
    """Read a record's time, in microseconds since 1970.

    :raises msgspec.DecodeError: it has none.
    """
    return microseconds(_stamps(stamp).decode(row).stamp)


@lru_cache
def _stamps(name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct("Stamp", [("stamp", str, msgspec.field(name=name))]))


def bound_of(call: Call, bound: tuple[str, ...]) -> str | None:
    """Give the lower bound that a call has, if any."""
    place: Any = call.params if len(bound) == 1 else call.json
    for name in bound:
        place = place.get(name) if isinstance(place, Mapping) else None
    return None if place is None else str(place)


def from_bound(call: Call, bound: tuple[str, ...], value: str) -> Call:
    """Make the call for the first page from a lower bound on."""
    if len(bound) == 1:
        params = {name: given for name, given in call.params.items() if name != "page_token"}
        return dataclasses.replace(call, params={**params, bound[0]: value})
    body = {name: given for name, given in (call.json or {}).items() if name != "page_token"}
    return dataclasses.replace(call, json=put(body, bound, value))


def put(body: Mapping[str, Any], way: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Copy a body with a value at the end of a way through it."""
    name, *rest = way
    if not rest:
        return {**body, name: value}
    inner = body.get(name)
    return {**body, name: put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)}
