"""The benchmark of the shared token, as small as it gets: what it counts, not what it times."""

from __future__ import annotations

import pytest

from tests.benchmarks.token.children import Home, cold, measured


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("client", "limit", "mints", "throttled", "succeeded"),
    [("managed", 1, 1, 0, 2), ("sdk", 0, 2, 0, 2), ("sdk", 1, 1, 1, 1)],
)
def test_cold_processes_are_counted(
    home: Home, client: str, limit: int, mints: int, throttled: int, succeeded: int
) -> None:
    found = cold(home, client, "file", processes=2, at_once=2, limit=limit)
    assert (found.mints, found.throttled, found.succeeded) == (mints, throttled, succeeded)


@pytest.mark.parametrize("what", ["warm", "warm_async"])
def test_each_client_is_measured_in_each_round(home: Home, what: str) -> None:
    names = ["bare", "bare_parsed", "managed", "sent", "sdk"]
    rounds = measured(home, what, names, rounds=2, times=1)
    assert [set(seconds) for seconds in rounds] == [set(names)] * 2
