"""The process that mints is killed (``kill -9``); the others go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.hold import MINT_HOLD
from candid_provider.oauth.store import FileTokenStore, TokenStore
from tests.oauth.scripted import HANG, Scripted, answer
from tests.processes.fleet import Fleet, Nursery
from tests.processes.stores import StoppingStore
from tests.processes.task import Task, bearer

SPEED = 4.0
OTHERS = 16
GOOD = answer({"access_token": "good", "expires_in": 18000, "token_type": "Bearer"})


def kill_when(due: Callable[[], bool], leader: Fleet) -> None:
    (one,) = leader.members
    one.tell(bearer)
    while not due():
        time.sleep(0.01)
    one.kill()


def others_go_on(nursery: Nursery, task: Task) -> None:
    """Whoever has no token when the leader's hold and 5 seconds are over fails."""
    with nursery.fleet(OTHERS, task) as others:
        assert set(others.do(bearer)) == {"good"}


def told(server: Scripted, store: Callable[[], TokenStore]) -> Task:
    return Task(token_url=server.token_url, store=store, speed=SPEED, deadline=MINT_HOLD + 5)


@pytest.mark.requirement(13)
@pytest.mark.parametrize(
    ("moment", "register", "asked"),
    [
        pytest.param("after", "candid_token_hold", 0, id="with the hold written"),
        pytest.param("before", "candid_token", 1, id="with a token not saved"),
    ],
)
def test_a_leader_killed_at_its_store(
    nursery: Nursery, server: Scripted, tmp_path: Path, moment: str, register: str, asked: int
) -> None:
    server.token_answers = [GOOD]
    stopping = partial(StoppingStore, tmp_path / "tokens", moment, register)  # type: ignore[arg-type] # a literal
    with nursery.fleet(1, told(server, stopping)) as leader:
        kill_when(lambda: leader.members[0].stopped, leader)
    assert len(server.token_requests) == asked
    others_go_on(nursery, told(server, partial(FileTokenStore, tmp_path / "tokens")))
    assert len(server.token_requests) <= asked + 2


@pytest.mark.requirement(13)
def test_a_leader_killed_before_it_is_answered(nursery: Nursery, server: Scripted, tmp_path: Path) -> None:
    server.token_answers = [HANG, GOOD]
    task = told(server, partial(FileTokenStore, tmp_path / "tokens"))
    with nursery.fleet(1, task) as leader:
        kill_when(lambda: bool(server.token_requests), leader)
    others_go_on(nursery, task)
    assert 2 <= len(server.token_requests) <= 3


IN_2099 = 4_070_908_800.0
HOLD = {"owner": "?", "nonce": "?", "seconds": 20.0, "until": IN_2099, "throttles": 0, "v": 1}


@pytest.mark.requirement(13)
@pytest.mark.parametrize(
    "text",
    [
        "***",
        "{",
        json.dumps({"v": 2}),
        json.dumps({**HOLD, "reason": "refreshing"}),
        json.dumps({**HOLD, "reason": "throttled", "seconds": 1e9}),
        json.dumps({**HOLD, "reason": "refused"}),
    ],
)
def test_a_hold_that_cannot_be_blocks_nobody(nursery: Nursery, server: Scripted, tmp_path: Path, text: str) -> None:
    credentials = ClientCredentials("emulator", "emulator-secret", server.token_url)
    FileTokenStore(tmp_path / "tokens").save(credentials.hold_register, text)
    task = Task(token_url=server.token_url, store=partial(FileTokenStore, tmp_path / "tokens"))
    with nursery.fleet(1, task) as fleet:
        fleet.do(bearer)
        assert "decision=wait" not in "".join(fleet.logs)
    assert len(server.token_requests) == 1
