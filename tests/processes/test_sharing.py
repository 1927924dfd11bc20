"""Sixty-four processes, one token: cold, warm, refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from candid_provider.emulator import Emulator
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import TokenStore
from tests.oauth.conftest import signed_up
from tests.processes.fleet import Nursery
from tests.processes.stores import CountingStore, SlowStore
from tests.processes.task import Task, bearer, call, operations

MANY = 64


def told(emulator: Emulator, store: Callable[[], TokenStore]) -> Task:
    return Task(token_url=signed_up(emulator).token_url, store=store)


def minted(emulator: Emulator) -> int:
    return int(emulator.stats()["token"]["minted"])


@pytest.mark.requirement(1)
def test_a_cold_fleet_mints_once_and_everyones_token_works(
    nursery: Nursery, emulator: Emulator, store: Callable[[], TokenStore]
) -> None:
    with nursery.fleet(MANY, told(emulator, store)) as fleet:
        assert fleet.do(call, url=emulator.url) == [200] * MANY
    assert minted(emulator) == 1


@pytest.mark.requirement(1)
def test_a_store_that_takes_half_a_second_costs_no_mint(nursery: Nursery, emulator: Emulator, tmp_path: Path) -> None:
    with nursery.fleet(MANY, told(emulator, partial(SlowStore, tmp_path / "tokens"))) as fleet:
        assert len(set(fleet.do(bearer))) == 1
    assert minted(emulator) == 1


@pytest.mark.requirement(2)
def test_a_warm_start_loads_once_and_writes_nothing(nursery: Nursery, emulator: Emulator, tmp_path: Path) -> None:
    shared = partial(CountingStore, tmp_path / "tokens")
    token = TokenSource(signed_up(emulator), shared()).token()
    with nursery.fleet(MANY, told(emulator, shared)) as fleet:
        for _ in range(3):
            assert set(fleet.do(bearer)) == {token.value}
        assert fleet.do(operations) == [{"load": 1}] * MANY
    assert minted(emulator) == 1


@pytest.mark.requirement(4)
def test_a_fleet_that_was_refused_one_token_replaces_it_once(
    nursery: Nursery, emulator: Emulator, store: Callable[[], TokenStore]
) -> None:
    with nursery.fleet(MANY, told(emulator, store)) as fleet:
        (old,) = set(fleet.do(bearer))
        emulator.revoke_tokens()
        (new,) = set(fleet.do(bearer, refused=old))
        assert new != old
        assert minted(emulator) == 2
        assert fleet.do(call, url=emulator.url) == [200] * MANY
        shown = "".join(fleet.logs)
    assert minted(emulator) == 2
    assert not [hidden for hidden in (old, new, "emulator-secret") if hidden in shown]


@pytest.mark.requirement(4)
def test_a_token_refused_after_it_was_replaced_costs_no_mint(
    nursery: Nursery, emulator: Emulator, store: Callable[[], TokenStore]
) -> None:
    with nursery.fleet(8, told(emulator, store)) as late, nursery.fleet(1, told(emulator, store)) as early:
        (old,) = set(late.do(bearer))
        (new,) = early.do(bearer, refused=old)
        assert set(late.do(bearer, refused=old)) == {new} != {old}
    assert minted(emulator) == 2


@pytest.mark.requirement(18)
def test_a_fleet_with_a_wrong_secret_asks_once(
    nursery: Nursery, emulator: Emulator, store: Callable[[], TokenStore]
) -> None:
    task = Task(token_url=signed_up(emulator).token_url, store=store, secret="wrong-secret")
    with nursery.fleet(MANY, task) as fleet:
        assert set(fleet.do(bearer)) == {"CandidAuthError"}
    assert emulator.stats()["token"]["refused"] == 1
