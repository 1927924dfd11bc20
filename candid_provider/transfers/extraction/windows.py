"""Cut a listing into windows of days that are read at the same time."""

from __future__ import annotations

import dataclasses
import datetime

from candid_provider.api.call import Call
from candid_provider.api.resource import Range
from candid_provider.exceptions import CandidConfigError

AT_MOST = 16
"""Windows read at once; a client has 20 connections."""
PER_READER = 4
"""Windows for each that is read at once: days differ in size, and the last reader should not be alone for long."""


def windows(call: Call, ranges: Range | None, at_once: int) -> list[Call]:
    """Cut a call's range of days into windows, in order; each day is in one of them.

    :param ranges: names of the query's lower and upper bound, both inclusive, and what they are.
    :param at_once: how many are read at the same time; with 1, the call is left whole.
    :raises CandidConfigError: it cannot be cut; names the field ``parallel_windows``.
    """
    if isinstance(at_once, bool) or not isinstance(at_once, int) or not 1 <= at_once <= AT_MOST:
        raise _wrong(f"is not a whole number from 1 to {AT_MOST}")
    if at_once == 1:
        return [call]
    if ranges is None or ranges.unit != "date":
        raise _wrong("needs a resource that can be listed by ranges of days, as encounters can. Leave it at 1")
    lower, upper = ranges.first, ranges.last
    first, last = _day(call, lower), _day(call, upper)
    if first is None or last is None:
        raise _wrong(f"needs both ends of the range. Give query {lower} and {upper} as days (YYYY-MM-DD)")
    days = (last - first).days + 1
    if days < 1:
        raise _wrong(f"finds {lower} after {upper}. Swap them")
    count = min(days, at_once * PER_READER)
    starts = [first + datetime.timedelta(days=days * number // count) for number in range(count)]
    ends = [*(start - datetime.timedelta(days=1) for start in starts[1:]), last]
    return [
        dataclasses.replace(call, params={**call.params, lower: start.isoformat(), upper: end.isoformat()})
        for start, end in zip(starts, ends, strict=True)
    ]


def _day(call: Call, name: str) -> datetime.date | None:
    value = call.params.get(name)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


def _wrong(problem: str) -> CandidConfigError:
    return CandidConfigError(f"parallel_windows {problem}", field="parallel_windows")
