"""What was written at the end of an interval can be read a little later only: time to wait before reading it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from candid_provider.api.feeds import OVERLAP
from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.progress import Log

STEP = 1.0
"""Seconds after which it is looked whether the task is to end."""


def settle(
    end: datetime,
    log: Log,
    *,
    stopped: Callable[[], bool],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until an interval has been over for ``OVERLAP`` seconds: no later run reads its end again.

    :param end: the interval's.
    :param stopped: says that the task is to end.
    :raises CandidConfigError: it is not over yet, and the run would stand for what has not happened.
    """
    now = clock()
    if now < end:
        raise CandidConfigError(
            "schedule: the run's data interval is not over, and what changes until then would be missing. Run it when"
            " it is",
            field="schedule",
        )
    if (left := _left(end, now)) > 0:
        log.info("waiting %.0f s for what is written late into the run's data interval", left)
    while (left := _left(end, clock())) > 0 and not stopped():
        sleep(min(left, STEP))


def _left(end: datetime, now: datetime) -> float:
    return OVERLAP - (now - end).total_seconds()
