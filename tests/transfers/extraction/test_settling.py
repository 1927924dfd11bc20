"""Waiting for the end of an interval to be readable."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.extraction.settling import settle

END = datetime(2026, 3, 15, tzinfo=UTC)


class Clock:
    def __init__(self, seconds: float) -> None:
        self.now, self.slept = END + timedelta(seconds=seconds), 0.0

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.slept += seconds

    def settle(self, *, stopped: bool = False) -> float:
        settle(END, logging.getLogger(), stopped=lambda: stopped, clock=lambda: self.now, sleep=self.sleep)
        return self.slept


@pytest.mark.parametrize(("seconds", "slept"), [(0.0, 60.0), (20.5, 39.5), (60.0, 0.0), (86_400.0, 0.0)])
def test_an_interval_is_read_a_minute_after_its_end(seconds: float, slept: float) -> None:
    assert Clock(seconds).settle() == pytest.approx(slept)


def test_a_task_that_is_to_end_does_not_wait() -> None:
    assert Clock(0).settle(stopped=True) == 0.0


def test_an_interval_that_is_not_over_is_not_read() -> None:
    with pytest.raises(CandidConfigError, match="data interval is not over"):
        Clock(-1).settle()
