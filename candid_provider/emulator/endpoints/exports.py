"""Exports of claim versions as CSV (Candid: /api/exports/v3).

The file for a date is there on the third business day after it, at 06:00 UTC by the world's clock. Before, the answer
is 422, and in the last two hours 503: first a day's file is missing, then the files are not at hand. Holidays count
as business days.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import Refusal, declared, invalid
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.files.export_file import export
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.clock import EPOCH
from candid_provider.emulator.world.world import microseconds

EARLIEST: Final = date(2022, 10, 7)
_LONGEST: Final = timedelta(days=30)
_HISTORY: Final = timedelta(days=90)
_BUSINESS_DAYS: Final = 3
_READY_HOUR: Final = 6
_SATURDAY: Final = 5


@answers("exports.v_3.get_exports")
def get_export(asked: Asked) -> Record:
    first, last = _day(asked, "start_date"), _day(asked, "end_date")
    now = EPOCH + timedelta(microseconds=asked.state.clock.now())
    _check_window(asked, first, last, now.date())
    ready = ready_at(last)
    _check_readiness(asked, ready - now)
    name = f"export_{first}_{last}.csv"
    url, expires = asked.state.files.url(name, export(asked.state.world, first, last), "text/csv; charset=utf-8")
    return {
        "name": name,
        "created_at": microseconds((ready - EPOCH) // timedelta(microseconds=1)),
        "authenticated_download_url": url,
        "authenticated_download_url_expiration": expires,
    }


def ready_at(last: date) -> datetime:
    """When the file that ends with a date is there."""
    day, left = last, _BUSINESS_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return datetime.combine(day, time(_READY_HOUR), EPOCH.tzinfo)


def _day(asked: Asked, name: str) -> date:
    day = asked.query.day(name)
    if day is None:
        raise invalid(name, "is required")
    return day


def _check_window(asked: Asked, first: date, last: date, today: date) -> None:
    if last < first:
        raise invalid("end_date", "must not be before start_date")
    if first < EARLIEST:
        raise _refusal(asked, "ExportDateTooEarlyError", f"start_date cannot be earlier than {EARLIEST}")
    if first >= today:
        raise _refusal(
            asked, "UnsupportedExportWindowError", "start_date must be at least 1 calendar day in the past"
        )
    if last - first > _LONGEST:
        raise _refusal(asked, "UnsupportedExportWindowError", "end_date must be within 30 days of start_date")
    if today - first > _HISTORY:
        raise _refusal(asked, "ExportDateTooEarlyError", "exports are kept for 90 days")


def _check_readiness(asked: Asked, left: timedelta) -> None:
    if left > timedelta(hours=2):
        raise _refusal(asked, "ExportNotYetAvailableError", "Export for the requested window is not available yet")
    if left > timedelta(hours=1):
        raise _refusal(asked, "MissingDailyIncrementalExportFileError", "The file of a day in the window is missing")
    if left > timedelta():
        raise _refusal(asked, "ExportFilesUnavailableError", "The files of the window are unavailable, try again")


def _refusal(asked: Asked, name: str, message: str) -> Refusal:
    return declared(asked.endpoint, name, message)
