"""The refresh protocol under everything that can go wrong with a store, a hundred thousand times."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

import pytest
from rich.console import Console

from candid_provider.oauth.claim import Claim
from candid_provider.oauth.steps import Sleep, Step
from tests.oauth.explore import PROFILES, explore, explore_all, run, table_of

SEEDS_A_PROFILE = 2_800
"""Twelve profiles of so many runs with three starts each make a hundred thousand."""
CALM = ("calm", "busy")


@pytest.mark.slow
@pytest.mark.requirement(1)
@pytest.mark.requirement(4)
@pytest.mark.requirement(13)
@pytest.mark.requirement(14)
@pytest.mark.requirement(16)
def test_a_hundred_thousand_starts_in_every_weather(record_property: Callable[[str, str], None]) -> None:
    found = explore_all(PROFILES, SEEDS_A_PROFILE)
    with (console := Console(width=150)).capture() as table:
        console.print(table_of(found))
    record_property("starts of a fleet", table.get())
    replay = "replay with python -m tests.oauth.explore --profile {} --replay {}"
    for name, one in found.items():
        for seed in one.stuck + one.useless:
            pytest.fail(f"stuck, or given a token that is no good: {replay.format(name, seed)}")
        most = 0 if name in CALM else 0.005 * one.starts
        assert len(one.duplicates) <= most, replay.format(name, one.duplicates[0])
        assert one.failed <= 0.01 * one.processes, name
        assert one.mints[1] >= 0.8 * one.starts, name
    assert sum(one.starts for one in found.values()) >= 100_000


def test_a_run_is_replayed_by_its_seed() -> None:
    traces: tuple[list[str], list[str]] = ([], [])
    runs = [run(PROFILES["everything"], 7, trace.append) for trace in traces]
    assert runs[0] == runs[1]
    # What is sealed twice looks different.
    first, second = ([re.sub("gAAAA.*", "sealed", line) for line in trace] for trace in traces)
    assert first == second != []


@pytest.mark.parametrize(
    ("profile", "rule", "broken"),
    [("busy", "stands", lambda self, mine: always()), ("tails", "late", lambda self, started: False)],
)
def test_without_a_rule_of_the_claim_the_explorer_finds_duplicates(
    profile: str, rule: str, broken: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not explore(profile, range(400)).duplicates
    monkeypatch.setattr(Claim, rule, broken)
    assert len(explore(profile, range(400)).duplicates) > 1


def always() -> Generator[Step, Any, bool]:
    yield Sleep(0)
    return True
