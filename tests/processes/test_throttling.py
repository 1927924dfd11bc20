"""What a 429 of the token endpoint means to a fleet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.oauth.scripted import Scripted, answer
from tests.processes.fleet import Nursery
from tests.processes.stores import PatientStore
from tests.processes.task import Task, bearer, work

MANY = 64
GOOD = answer({"access_token": "good", "expires_in": 18000, "token_type": "Bearer"})


@pytest.mark.requirement(7)
def test_nobody_asks_before_the_pause_is_over(nursery: Nursery, server: Scripted, tmp_path: Path) -> None:
    server.token_answers = [answer({}, 429, Retry_After="30"), GOOD]
    task = Task(token_url=server.token_url, store=partial(PatientStore, tmp_path), speed=10)
    with nursery.fleet(MANY, task) as fleet:
        assert set(fleet.do(bearer)) == {"good"}
    throttled, accepted = (task.now(request.at) for request in server.token_requests)
    assert accepted - throttled >= 30


@pytest.mark.requirement(7)
def test_ten_minutes_of_429_cost_a_fleet_few_requests(nursery: Nursery, server: Scripted, tmp_path: Path) -> None:
    server.token_answers = [answer({}, 429)]
    task = Task(token_url=server.token_url, store=partial(PatientStore, tmp_path), speed=50)
    with nursery.fleet(MANY, task) as fleet:
        worked = fleet.do(work, until=task.now() + 600)
    assert all(good == 0 and bad > 0 for good, bad in worked)
    assert 2 <= len(server.token_requests) <= 15
