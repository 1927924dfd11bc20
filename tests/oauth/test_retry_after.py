"""The Retry-After header: seconds, a date, or nothing."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.oauth.retry_after import retry_after_seconds

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("header", "seconds"), [("0", 0.0), ("120", 120.0), (" 5 ", 5.0), ("007", 7.0)])
def test_seconds(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"]
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_each_of_the_three_date_forms_is_utc(date: str) -> None:
    assert retry_after_seconds(date, NOW) == 60.0


def test_a_date_that_is_over_is_now() -> None:
    assert retry_after_seconds("Sat, 05 Nov 1994 00:00:00 GMT", NOW) == 0.0


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-5", "1.5", "1e3", "\u00b2", "\u0663\u00b2", "Sun, 99 Nov 1994"]
)
def test_what_is_neither_says_nothing(header: str | None) -> None:
    assert retry_after_seconds(header, NOW) is None


@given(st.text() | st.characters(categories=["No", "Nd", "Nl"]))
def test_no_header_is_an_error(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**9))
def test_a_date_is_counted_from_now(later: int) -> None:
    assert retry_after_seconds(email.utils.formatdate(NOW + later, usegmt=True), NOW) == later
