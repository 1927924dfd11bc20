"""Many waits on one event loop: one client, one token, one list for many records."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from candid_provider.api.call import Call
from candid_provider.api.outcome import Conditions
from candid_provider.api.statuses import CLAIM, with_defaults
from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidConfigError
from candid_provider.hooks.candid import CandidHook
from candid_provider.triggers.candid import CandidPollTrigger
from candid_provider.triggers.sharing import Question, session
from tests.conftest import Connect

ENCOUNTER = "/api/encounters/v4/{encounter_id}"
ENDS = with_defaults({"succeeded": ("paid", "finalized_paid")}, CLAIM)
DONE = {"status_path": "claims.*.status", **ENDS}


def ids(resource: str, key: str) -> list[str]:
    with CandidHook() as hook:
        return [row[key] for page in hook.pages(resource) for row in page.items]


async def ended(trigger: CandidPollTrigger) -> dict[str, Any]:
    (event,) = [dict(event.payload) async for event in trigger.run()]
    return event


def wait_for(path: str, name: str, value: str, **given: Any) -> CandidPollTrigger:
    first = CandidPollTrigger(candid_conn_id="candid_default", path=path, path_params={name: value}, **given)
    return CandidPollTrigger(**first.serialize()[1])


def test_many_waits_share_a_token_a_client_and_a_list(candid: Emulator, connect: Connect) -> None:
    waited = ids("encounters", "encounter_id")[:100]
    before = candid.stats()["requests"]

    async def all_of_them() -> list[dict[str, Any]]:
        nothing = {"status_path": "claims.*.status", "succeeded": ["no such status"]}
        waits = [
            wait_for(ENCOUNTER, "encounter_id", each, conditions=nothing, poll_interval=0.5, growth=1, timeout=8)
            for each in waited
        ]
        return await asyncio.gather(*(ended(wait) for wait in waits))

    events = asyncio.run(all_of_them())
    assert {event["status"] for event in events} == {"timeout"}
    assert candid.stats()["token"]["minted"] == 1
    asked = sum(event["asked"] for event in events)
    requests = candid.stats()["requests"]
    direct = requests[f"GET {ENCOUNTER}"] - before.get(f"GET {ENCOUNTER}", 0)
    # Nothing happens there: each is asked for before the list is known, once more, every tenth time, and at the end.
    assert direct <= 4.2 * len(waited)
    assert asked > 1.3 * direct
    assert 0 < requests["GET /api/events/v1/"] <= 40


def test_what_the_list_tells_of_is_asked_for(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        rows = [row for page in hook.pages("encounters") for row in page.items]
    waited = [row["encounter_id"] for row in rows if row["claims"][0]["status"] == "submitted_to_payer"][:20]
    assert len(waited) == 20

    async def all_of_them() -> list[dict[str, Any]]:
        given = {"poll_interval": 0.3, "growth": 1, "timeout": 60}
        tasks = [
            asyncio.create_task(ended(wait_for(ENCOUNTER, "encounter_id", each, conditions=DONE, **given)))
            for each in waited
        ]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(candid.advance, 86_400.0)
        return [await task for task in tasks]

    events = asyncio.run(all_of_them())
    assert {event["status"] for event in events} <= {"succeeded", "needs_person", "failed"}
    for event in events:
        (status,) = event["statuses"]
        assert status in ENDS[event["status"]]


@pytest.mark.parametrize("kind", ["status", "truncated", "html"])
def test_a_list_that_cannot_be_read_is_done_without(candid: Emulator, connect: Connect, kind: str) -> None:
    how: dict[str, dict[str, Any]] = {
        "status": {"kind": "status", "status": 403},
        "truncated": {"kind": "truncated"},
        "html": {"kind": "status", "status": 502},
    }
    waited = ids("encounters", "encounter_id")[:5]
    candid.faults.add(**how[kind], route="GET /api/events/v1/")

    async def all_of_them() -> list[dict[str, Any]]:
        given: dict[str, Any] = {"conditions": {"status_path": "claims.*.status", "succeeded": ["no"]}}
        given |= {"poll_interval": 0.1, "growth": 1, "timeout": 0.5}
        return await asyncio.gather(*(ended(wait_for(ENCOUNTER, "encounter_id", each, **given)) for each in waited))

    events = asyncio.run(all_of_them())
    assert {event["status"] for event in events} == {"timeout"}


def test_a_session_ends_with_its_last_wait_and_begins_anew(candid: Emulator, connect: Connect) -> None:
    async def twice() -> None:
        for _ in range(2):
            async with session("candid_default") as first, session("candid_default") as second:
                assert first is second
                client = await first.client()
                assert await second.client() is client
                assert not client.is_closed
            assert client.is_closed

    asyncio.run(twice())
    assert candid.stats()["token"]["minted"] == 0


def test_a_connection_that_is_mended_is_read_again(candid: Emulator, connect: Connect) -> None:
    connect(extra={"environment": "nowhere"}, host=None)

    async def mended() -> None:
        async with session("candid_default") as shared:
            with pytest.raises(CandidConfigError, match="environment"):
                await shared.client()
            connect()
            assert not (await shared.client()).is_closed

    asyncio.run(mended())


def test_a_wait_that_is_cancelled_takes_nothing_from_the_others(candid: Emulator, connect: Connect) -> None:
    (each, *_) = ids("encounters", "encounter_id")
    given: dict[str, Any] = {"conditions": {}, "poll_interval": 0.1}

    async def first_is_cancelled() -> dict[str, Any]:
        first = asyncio.create_task(ended(wait_for(ENCOUNTER, "encounter_id", each, **given)))
        second = asyncio.create_task(ended(wait_for(ENCOUNTER, "encounter_id", each, **given)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(first_is_cancelled())["status"] == "succeeded"


def test_a_wait_keeps_what_an_answer_means_and_not_the_answer(candid: Emulator, connect: Connect) -> None:
    (each, *_) = ids("encounters", "encounter_id")
    call = Call(method="GET", path=ENCOUNTER, path_params={"encounter_id": each})

    async def kept() -> str:
        async with session("candid_default") as shared:
            question = Question(shared, call, Conditions(**DONE), max_age=1.0, deadline=None)
            await question.ask()
            return str(vars(question))

    text = asyncio.run(kept())
    assert "Verdict" in text
    assert not any(marker in text for marker in (*candid.markers, each))
