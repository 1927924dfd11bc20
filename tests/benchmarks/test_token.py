"""The benchmark of the shared token, as small as it gets: what it counts, not what it times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.token.children import Home, cold, measured


@pytest.mark.parametrize(
    ("client", "limit", "mints", "throttled", "succeeded"),
    [("managed", 0, 1, 0, 3), ("managed", 1, 1, 0, 3), ("sdk", 0, 3, 0, 3), ("sdk", 1, 1, 2, 1)],
)
def test_cold_processes_are_counted(
    tmp_path: Path, client: str, limit: int, mints: int, throttled: int, succeeded: int
) -> None:
    found = cold(Home(tmp_path), client, "file", processes=3, at_once=3, limit=limit)
    assert (found.mints, found.throttled, found.succeeded) == (mints, throttled, succeeded)


@pytest.mark.parametrize("what", ["warm", "warm_async"])
def test_each_client_is_measured_in_each_round(tmp_path: Path, what: str) -> None:
    names = ["bare", "bare_parsed", "managed", "sent", "sdk"]
    rounds = measured(Home(tmp_path), what, names, rounds=2, times=1)
    assert [set(seconds) for seconds in rounds] == [set(names)] * 2
