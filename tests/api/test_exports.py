"""Windows of days as Candid exports them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.exports import EARLIEST, LONGEST, READINESS, Window, signed, windows
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError

TODAY = date(2026, 3, 16)


def cut(first: object, last: object) -> list[Window]:
    return windows(first, last, today=TODAY)


@given(first=st.dates(EARLIEST, TODAY - timedelta(days=1)), days=st.integers(0, 400))
def test_windows_cover_all_days_once_and_none_is_too_long(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    made = cut(first, last)
    lengths = [(window.last - window.first).days + 1 for window in made]
    covered = [
        window.first + timedelta(days=n) for window, length in zip(made, lengths, strict=True) for n in range(length)
    ]
    assert covered == [first + timedelta(days=n) for n in range(days + 1)]
    assert max(lengths) <= LONGEST


@pytest.mark.parametrize(
    "day",
    [
        "2026-03-01",
        " 2026-03-01 ",
        "2026-03-01T00:00:00+00:00",
        date(2026, 3, 1),
        datetime(2026, 3, 1, 5, tzinfo=UTC),
    ],
)
def test_a_day_is_a_date_or_its_text(day: object) -> None:
    assert cut(day, day) == [Window(date(2026, 3, 1), date(2026, 3, 1))]


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("2026-03-02", "2026-03-01", "last_day"),
        ("2022-10-06", "2026-03-01", "first_day"),
        ("2026-03-16", "2026-03-20", "first_day"),
        ("yesterday", "2026-03-01", "first_day"),
        ("2026-03-01", None, "last_day"),
        ("2026-03-01", "2026-02-30", "last_day"),
    ],
)
def test_what_candid_does_not_export_is_named(first: Any, last: Any, field: str) -> None:
    with pytest.raises(CandidConfigError, match=field) as caught:
        cut(first, last)
    assert caught.value.field == field


def test_the_conditions_are_the_errors_of_the_sdk() -> None:
    from candid.resources.exports.resources.v_3 import errors

    declared = {name.removesuffix("Body") for name in dir(errors) if name.endswith("Error")}
    general = {name for name in declared if name.startswith(("HttpRequestValidation", "Unauthorized", "Unprocess"))}
    assert READINESS.signs <= declared
    assert declared - general == READINESS.signs


def test_an_answer_without_a_url_is_not_what_is_documented() -> None:
    with pytest.raises(CandidUnavailableError, match="authenticated_download_url") as caught:
        signed({"name": "x"})
    assert not caught.value.retryable


def test_a_signed_url_is_not_printed() -> None:
    assert "secret" not in repr(signed({"authenticated_download_url": "https://files.example.com/?signature=secret"}))
