"""The trigger as a triggerer runs it: made of its serialized form, on an event loop, for one event."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import time
from typing import Any

import pytest

from candid_provider.emulator import Emulator
from candid_provider.triggers.candid import CandidPollTrigger
from tests.conftest import Connect

PATH = "/api/exports/v3"
LATER = ("ExportNotYetAvailableError", "MissingDailyIncrementalExportFileError", "ExportFilesUnavailableError")
HOUR = 3600.0
# Its world begins on Monday 2026-03-16 at 00:00 UTC: what ends on Wednesday the 11th is there at 06:00.
QUERY = {"start_date": "2026-03-09", "end_date": "2026-03-11"}


def trigger(**changes: Any) -> CandidPollTrigger:
    given = {
        "candid_conn_id": "candid_default",
        "path": PATH,
        "query": QUERY,
        "conditions": {"not_yet": LATER},
        "poll_interval": 0.01,
    }
    return CandidPollTrigger(**{**given, **changes})


def run(first: CandidPollTrigger) -> dict[str, Any]:
    """Send a trigger through JSON, as the database does, and give its event."""
    classpath, kwargs = json.loads(json.dumps(first.serialize()))
    module, _, name = classpath.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**kwargs)
    assert again.serialize() == first.serialize()

    async def only() -> dict[str, Any]:
        events = [event.payload async for event in again.run()]
        assert len(events) == 1
        return dict(events[0])

    return asyncio.run(only())


def test_it_waits_until_it_is_there(candid: Emulator, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    class Moving(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "not yet" in record.getMessage():
                candid.advance(HOUR)

    moving = Moving()
    logging.getLogger("candid_provider.api").addHandler(moving)
    with caplog.at_level(logging.DEBUG):
        event = run(trigger())
    logging.getLogger("candid_provider.api").removeHandler(moving)
    assert event == {
        "status": "succeeded",
        "route": f"GET {PATH}",
        "asked": 7,
        "statuses": {},
        "error": None,
        "message": None,
    }
    text = caplog.text
    assert all(f"not yet ({name})" in text for name in LATER)
    assert "2026-03-09" not in text
    assert "signature" not in text
    assert candid.stats()["token"]["minted"] == 1


def test_each_question_is_one_request(candid: Emulator, connect: Connect) -> None:
    candid.advance(4 * HOUR)
    event = run(trigger(timeout=0.0))
    assert (event["status"], event["error"], event["asked"]) == ("timeout", LATER[1], 1)
    assert candid.stats()["requests"][f"GET {PATH}"] == 1


def test_a_refusal_ends_it(candid: Emulator, connect: Connect) -> None:
    event = run(trigger(query={"start_date": "2022-01-01", "end_date": "2022-01-02"}))
    assert (event["status"], event["error"]) == ("failed", "ExportDateTooEarlyError")
    assert "HTTP 422 ExportDateTooEarlyError" in event["message"]
    assert not any(value in str(event) for value in ("2022-01-01", "http://"))


def test_what_is_listed_as_failed_ends_it_even_if_a_retry_might_help(candid: Emulator, connect: Connect) -> None:
    candid.advance(4 * HOUR)
    event = run(trigger(conditions={"not_yet": LATER[:1], "failed": [503]}))
    assert (event["status"], event["error"]) == ("failed", LATER[1])


def test_an_http_status_can_mean_not_yet(candid: Emulator, connect: Connect) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    path = {"path": "/api/encounters/v4/{encounter_id}", "path_params": {"encounter_id": nobody}, "query": {}}
    assert run(trigger(**path, conditions={"not_yet": [404]}, timeout=0.0))["status"] == "timeout"
    event = run(trigger(**path))
    assert event["status"] == "failed"
    assert event["route"] == "GET /api/encounters/v4/{encounter_id}"
    assert nobody not in str(event)


def test_a_wrong_secret_ends_it(candid: Emulator, connect: Connect) -> None:
    connect(password="wrong-secret")
    event = run(trigger())
    assert (event["status"], event["error"]) == ("failed", "CandidAuthError")
    assert "wrong-secret" not in str(event)


@pytest.mark.parametrize("wrong", [{"path": "exports"}, {"path": PATH, "path_params": {"id": "1"}}])
def test_wrong_arguments_end_it(candid: Emulator, connect: Connect, wrong: dict[str, Any]) -> None:
    event = run(trigger(**wrong))
    assert (event["status"], event["error"]) == ("failed", "CandidConfigError")
    assert sum(candid.stats()["requests"].values()) == 0


def test_a_restarted_triggerer_is_given_what_is_left_of_the_time() -> None:
    before = time.time()
    first = trigger(timeout=100.0)
    assert first.deadline is not None
    assert before + 100 <= first.deadline <= time.time() + 100
    assert CandidPollTrigger(**first.serialize()[1]).deadline == first.deadline


def test_it_is_printed_without_its_arguments() -> None:
    assert repr(trigger()) == "<CandidPollTrigger candid_default GET /api/exports/v3>"
