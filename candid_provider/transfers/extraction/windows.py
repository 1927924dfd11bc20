"""Cut a listing into windows of days, or of times, that are read at the same time."""

from __future__ import annotations

import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from candid_provider.api.call import Call
from candid_provider.api.instants import microseconds, written
from candid_provider.api.readers import Span
from candid_provider.api.resource import Range
from candid_provider.exceptions import CandidConfigError

AT_MOST = 16
"""Windows read at once; a client has 20 connections."""
SECOND = 1_000_000
PER_READER = 4
"""Windows for each that is read at once: days differ in size, and the last reader should not be alone for long."""


class Window(NamedTuple):
    """Hold the first call of one stream.

    :param span: rows of other times belong to the next window, whose call brings them, too; from (inclusive), to
        (exclusive) in microseconds since 1970. None: all rows belong to this one.
    """

    call: Call
    span: Span | None = None


def windows(call: Call, ranges: Range | None, at_once: int) -> list[Window]:
    """Cut a call's range of days or times into windows, in the listing's order; each row is in one of them.

    :param ranges: names of the query's lower and upper bound, both inclusive, and what they are.
    :param at_once: how many are read at the same time; with 1, the call is left whole.
    :raises CandidConfigError: it cannot be cut; names the field ``parallel_windows``.
    """
    if isinstance(at_once, bool) or not isinstance(at_once, int) or not 1 <= at_once <= AT_MOST:
        raise _wrong(f"is not a whole number from 1 to {AT_MOST}")
    if at_once == 1:
        return [Window(call)]
    if ranges is None:
        raise _wrong("needs a resource that can be listed by ranges, as encounters and events can. Leave it at 1")
    found = (_of_days if ranges.unit == "date" else _of_times)(call, ranges, at_once * PER_READER)
    return found[::-1] if ranges.falling else found


def _of_days(call: Call, ranges: Range, most: int) -> list[Window]:
    first, last = _day(call, ranges.first), _day(call, ranges.last)
    if first is None or last is None:
        raise _open(ranges, "days (YYYY-MM-DD)")
    days = (last - first).days + 1
    if days < 1:
        raise _wrong(f"finds {ranges.first} after {ranges.last}. Swap them")
    count = min(days, most)
    starts = [first + datetime.timedelta(days=days * number // count) for number in range(count)]
    ends = [*(start - datetime.timedelta(days=1) for start in starts[1:]), last]
    return [
        Window(call.with_params(**{ranges.first: start.isoformat(), ranges.last: end.isoformat()}))
        for start, end in zip(starts, ends, strict=True)
    ]


def _of_times(call: Call, ranges: Range, most: int) -> list[Window]:
    first, last = _moment(call, ranges.first), _moment(call, ranges.last)
    if first is None or last is None:
        raise _open(ranges, "times (ISO 8601)")
    if last < first:
        raise _wrong(f"finds {ranges.first} after {ranges.last}. Swap them")
    count = max(1, min((last - first) // SECOND, most))
    # Cut at whole seconds, which Candid reads alike, however finely it reads times.
    cuts = [(first + (last - first) * number // count) // SECOND * SECOND for number in range(1, count)]
    return [
        Window(call.with_params(**{ranges.first: written(start), ranges.last: written(min(end, last))}), (start, end))
        for start, end in pairwise([first, *cuts, last + 1])
    ]


def _moment(call: Call, name: str) -> int | None:
    value = call.params.get(name)
    try:
        return microseconds(value) if isinstance(value, str | datetime.datetime) else None
    except msgspec.ValidationError:
        return None


def _day(call: Call, name: str) -> datetime.date | None:
    value = call.params.get(name)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


def _open(ranges: Range, kind: str) -> CandidConfigError:
    return _wrong(f"needs both ends of the range. Give query {ranges.first} and {ranges.last} as {kind}")


def _wrong(problem: str) -> CandidConfigError:
    return CandidConfigError(f"parallel_windows {problem}", field="parallel_windows")
