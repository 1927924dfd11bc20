"""Exports: CSV files of claim versions by days (Candid: GET /api/exports/v3).

Candid is retiring them for Data Share and does not offer them to new customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from candid_provider.api.call import Call
from candid_provider.api.outcome import Conditions
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError

PATH = "/api/exports/v3"
EARLIEST = date(2022, 10, 7)
"""The first day that is exported (candidhealth 1.37.0, ``exports.v_3.get_exports``)."""

LONGEST = 30
"""Most days of one file. Candid: end_date "within 30 days of start_date"; 30 are, however they count."""

READINESS = Conditions(
    not_yet=(
        "ExportNotYetAvailableError",  # 422: a day's file is there after three business days at the latest
        "MissingDailyIncrementalExportFileError",  # 503
        "ExportFilesUnavailableError",  # 503
    ),
    failed=("ExportDisabledError", "ExportDateTooEarlyError", "UnsupportedExportWindowError"),
)
"""Which errors of the endpoint mean "later" and which "never" (candidhealth 1.37.0, ``exports.v_3.errors``)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Name the days of one file, both inclusive."""

    first: date
    last: date

    @property
    def name(self) -> str:
        """The name of the file, the same whenever it is asked for."""
        return f"export_{self.first}_{self.last}.csv"

    @property
    def call(self) -> Call:
        """The question for the file; errors that say something are raised at once."""
        return Call(method="GET", path=PATH, params=self.params, final=READINESS.signs)

    @property
    def params(self) -> dict[str, str]:
        """The query: nothing but two dates."""
        return {"start_date": self.first.isoformat(), "end_date": self.last.isoformat()}


@dataclass(frozen=True, slots=True)
class Signed:
    """Hold where a file can be had from for two minutes, by whoever knows the URL."""

    url: str = field(repr=False)


def windows(start: object, end: object, *, today: date) -> list[Window]:
    """Cut days into the windows that Candid exports, in order.

    Candid also refuses, without a fixed bound, what is older than about 90 days.

    :param start: first day, a date or an ISO 8601 text.
    :param end: last day, inclusive.
    :param today: the day on which it is asked for; the first day must be before it.
    :raises CandidConfigError: names the argument and the limit.
    """
    first, last = _day("first_day", start), _day("last_day", end)
    if last < first:
        raise CandidConfigError("last_day is before first_day. Both are inclusive", field="last_day")
    if first < EARLIEST:
        raise CandidConfigError(f"first_day is before {EARLIEST}, the first that Candid exports", field="first_day")
    if first >= today:
        raise CandidConfigError("first_day is not in the past. Candid exports days that are over", field="first_day")
    return list(_cut(first, last))


def signed(answer: Any) -> Signed:
    """Read the answer of a window's call.

    :raises CandidUnavailableError: it is not what the API documents.
    """
    url = answer.get("authenticated_download_url") if isinstance(answer, dict) else None
    if not isinstance(url, str):
        raise CandidUnavailableError(
            f"GET {PATH}: the answer has no authenticated_download_url", route=f"GET {PATH}", retryable=False
        )
    return Signed(url)


def _cut(first: date, last: date) -> Iterator[Window]:
    while first <= last:
        until = min(last, first + timedelta(days=LONGEST - 1))
        yield Window(first, until)
        first = until + timedelta(days=1)


def _day(name: str, value: object) -> date:
    match value:
        case datetime():
            return value.date()
        case date():
            return value
        case str():
            text = value.strip()
        case _:
            text = ""
    try:
        return date.fromisoformat(text[:10]) if len(text) == 10 else datetime.fromisoformat(text).date()
    except ValueError:
        pass
    raise CandidConfigError(
        f"{name} is not a date. Give it as 2026-03-01, or as a template such as {{{{ ds }}}}", field=name
    )
