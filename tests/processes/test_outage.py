"""The token endpoint is down for 25 minutes while the token has half an hour left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.token import AccessToken
from tests.oauth.scripted import HANG, HTML, Answer, answer, serving
from tests.processes.fleet import Nursery
from tests.processes.stores import PatientStore
from tests.processes.task import Task, bearer, work

MINUTES = 60.0
SPEED = 20.0
"""Slow enough for a machine that is busy: what stalls it for a second costs a process 20."""
NEXT = answer({"access_token": "the-next-one", "expires_in": 18000, "token_type": "Bearer"})


def with_half_an_hour_left(task: Task) -> AccessToken:
    """Share a token that was minted four and a half hours ago.

    Two minutes more than half an hour, so that a request which hangs when the outage ends is over before everybody
    needs the new token: the last five minutes.
    """
    credentials, now = ClientCredentials("emulator", task.secret, task.token_url), task.now()
    token = AccessToken("the-old-one", now - 268 * MINUTES, now + 32 * MINUTES)
    task.store().save(credentials.token_register, Envelope(credentials).seal(token))
    return token


DOWN = {
    "429": answer({}, 429),
    "500": answer({}, 500),
    "HTML": HTML,
    "timeouts": HANG,
}


@pytest.mark.requirement(8)
def test_an_old_token_outlives_outages_of_four_kinds(nursery: Nursery, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as at_once:
        kinds = [at_once.submit(outlive, nursery, tmp_path / kind, down) for kind, down in DOWN.items()]
    for kind in kinds:
        kind.result()


def outlive(nursery: Nursery, tokens: Path, down: Answer) -> None:
    with serving() as server:
        task = Task(token_url=server.token_url, store=partial(PatientStore, tokens), speed=SPEED)
        old = with_half_an_hour_left(task)
        with nursery.fleet(4, task) as fleet:
            server.token_answers = [down]
            worked = fleet.do(work, until=task.now() + 25 * MINUTES)
            assert len(server.token_requests) > 1
            server.token_answers = [NEXT]
            worked += fleet.do(work, until=old.expires_at + MINUTES)
            assert set(fleet.do(bearer)) == {"the-next-one"}
            warnings = [log.count("WARNING") for log in fleet.logs]
            # Whoever always finds another one renewing has no failure to warn of.
            assert max(warnings) == 1
    assert all(good > 0 and bad == 0 for good, bad in worked)
