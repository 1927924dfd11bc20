"""What the logs of a fleet tell, and nothing else does."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from tests.oauth.scripted import HANG, HTML, RESET, Scripted, answer
from tests.processes.fleet import Nursery
from tests.processes.stores import PatientStore
from tests.processes.task import Task, bearer

GOOD = answer({"access_token": "good", "expires_in": 18000, "token_type": "Bearer"})
BETTER = answer({"access_token": "better", "expires_in": 18000, "token_type": "Bearer"})


@pytest.mark.requirement(24)
def test_the_requests_of_a_fleet_can_be_counted_in_its_logs(
    nursery: Nursery, server: Scripted, tmp_path: Path
) -> None:
    failures = [HANG, answer({}, 429, Retry_After="1"), answer({}, 500), RESET, HTML]
    server.token_answers = [*failures, GOOD]
    task = Task(token_url=server.token_url, store=partial(PatientStore, tmp_path / "tokens"), speed=8)
    with nursery.fleet(1, task) as killed, nursery.fleet(63, task) as others:
        killed.members[0].tell(bearer)
        while not server.token_requests:
            time.sleep(0.01)
        killed.members[0].kill()
        assert set(others.do(bearer)) == {"good"}
        server.token_answers = [BETTER]
        assert set(others.do(bearer, refused="good")) == {"better"}
        told = "".join(killed.logs + others.logs)
    requests = len(server.token_requests)
    assert told.count("decision=mint ") == requests
    assert told.count("decision=minted ") == requests - len(failures) >= 2
