"""One call for each row's detail."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from candid_provider.api.limit import RateLimit
from candid_provider.emulator import Emulator
from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidError,
    CandidRequestError,
    CandidUnavailableError,
)
from candid_provider.hooks.candid import CandidHook
from candid_provider.transfers.extraction.details import Details, Failure
from tests.conftest import Connect
from tests.oauth.scripted import everything_in

ITEMIZE = "/api/patient-ar/v1/invoice-itemization/{claim_id}"
ROUTE = f"GET {ITEMIZE}"
PATIENT = "/patients/v1/{id}"


async def at_once(_: float) -> None: ...


@pytest.fixture
def hook(candid: Emulator, connect: Connect) -> Iterator[CandidHook]:
    with CandidHook(rate_limit=RateLimit(sleep=lambda _: None, asleep=at_once)) as hook:
        yield hook


@pytest.fixture
def rows(hook: CandidHook) -> list[msgspec.Raw]:
    return next(hook.pages("patient_ar_inventory", params={"limit": 40})).rows


@pytest.fixture
def details(hook: CandidHook) -> Iterator[Details]:
    details = Details(hook, ITEMIZE)
    yield details
    details.close()


def claims(texts: list[msgspec.Raw]) -> list[str]:
    return [json.loads(bytes(text))["claim_id"] for text in texts]


def row(**fields: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(fields).encode())


def test_each_row_is_answered_in_its_place(candid: Emulator, details: Details, rows: list[msgspec.Raw]) -> None:
    candid.faults.add(kind="latency", ms=0, jitter=20, route=ROUTE, count=None)
    answers, failures = details.of(rows)
    assert claims(answers) == claims(rows)
    assert failures == []
    assert len(candid.requests(route=ROUTE)) == len(rows) == 40


def test_an_answer_is_the_bytes_that_came(
    candid: Emulator, hook: CandidHook, details: Details, rows: list[msgspec.Raw]
) -> None:
    answers, _ = details.of(rows[:1])
    assert bytes(answers[0]) == hook.get_conn().get(ITEMIZE.format(claim_id=claims(rows)[0])).content


def test_no_more_are_under_way_than_told(candid: Emulator, hook: CandidHook, rows: list[msgspec.Raw]) -> None:
    limit = Counting()
    hook = CandidHook(rate_limit=limit)
    candid.faults.add(kind="latency", ms=20, route=ROUTE, count=None)
    details = Details(hook, ITEMIZE, concurrency=3)
    details.of(rows[:12])
    details.close()
    assert limit.most == 3


class Counting(RateLimit):
    """Counts how many are under way."""

    now = most = 0

    async def aenter(self, patience: float = 0.0) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        self.now -= 1


def test_rows_that_name_one_record_are_answered_once(
    candid: Emulator, details: Details, rows: list[msgspec.Raw]
) -> None:
    answers, _ = details.of([rows[1], rows[0], rows[1]])
    assert claims(answers) == [claims(rows)[1], claims(rows)[0]]
    assert len(candid.requests(route=ROUTE)) == 2


def test_a_record_that_cannot_be_had_is_listed_and_the_others_are_answered(
    details: Details, rows: list[msgspec.Raw]
) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    answers, failures = details.of([rows[0], row(claim_id=nobody), row(claim_id=None), rows[1]])
    assert claims(answers) == claims(rows)[:2]
    assert failures == [
        Failure(ROUTE, {"claim_id": nobody}, "EntityNotFoundError", 404),
        Failure(ROUTE, {}, "NoId"),
    ]


def test_an_id_that_may_name_a_person_is_not_listed(candid: Emulator, hook: CandidHook) -> None:
    details = Details(hook, "/patients/v1/mrn/{mrn}")
    _, failures = details.of([row(mrn=marker) for marker in candid.markers])
    details.close()
    assert {failure.status for failure in failures} == {404}
    assert [failure.ids for failure in failures] == [{}] * len(candid.markers)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "broken_json"},
        {"kind": "token_expired"},
        {"kind": "tokens_revoked"},
    ],
    ids=str,
)
def test_what_passes_is_asked_again(
    candid: Emulator, details: Details, rows: list[msgspec.Raw], fault: dict[str, Any]
) -> None:
    candid.faults.add(**fault, route=ROUTE, every=7, count=4)
    answers, failures = details.of(rows)
    assert claims(answers) == claims(rows)
    assert failures == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "error_name": "UnauthorizedError"}, CandidRequestError),
        ({"kind": "status", "status": 501}, CandidUnavailableError),
        ({"kind": "token_expired"}, CandidAuthError),
    ],
    ids=["403", "501", "401"],
)
def test_what_concerns_all_rows_is_raised(
    candid: Emulator, details: Details, rows: list[msgspec.Raw], fault: dict[str, Any], kind: type[CandidError]
) -> None:
    candid.faults.add(**fault, route=ROUTE, after=5, count=None)
    with pytest.raises(kind) as caught:
        details.of(rows)
    assert not caught.value.retryable
    assert "httpx" not in everything_in(caught.value)
    assert len(candid.requests(route=ROUTE)) < 40


def test_after_an_error_details_can_be_asked_again(
    candid: Emulator, details: Details, rows: list[msgspec.Raw]
) -> None:
    candid.faults.add(kind="status", status=501, route=ROUTE)
    with pytest.raises(CandidUnavailableError):
        details.of(rows)
    assert claims(details.of(rows)[0]) == claims(rows)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"route": "/api/encounters/v4"}, "detail"),
        ({"route": "https://elsewhere/{id}"}, "path"),
        ({"route": PATIENT, "concurrency": 0}, "concurrency"),
        ({"route": PATIENT, "concurrency": 21}, "concurrency"),
    ],
)
def test_a_wrong_argument_names_itself(hook: CandidHook, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(CandidConfigError) as caught:
        Details(hook, **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize("wrong", [{"id": "1"}, {"claim_id": ["1"]}, []], ids=str)
def test_rows_without_the_placeholder_are_an_error_that_names_it(
    candid: Emulator, details: Details, wrong: Any
) -> None:
    with pytest.raises(CandidConfigError, match="claim_id"):
        details.of([msgspec.Raw(json.dumps(wrong).encode())])
    assert sum(candid.stats()["requests"].values()) == 0


def test_a_path_that_candid_does_not_know_is_not_taken_for_missing_records(hook: CandidHook) -> None:
    details = Details(hook, "/api/nothing/v1/{id}")
    with pytest.raises(CandidConfigError, match="Check the path"):
        details.of([row(id="1"), row(id="2")])
    details.close()


def test_threads_may_ask_at_the_same_time(candid: Emulator, details: Details, rows: list[msgspec.Raw]) -> None:
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(claims(details.of(rows)[0]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [claims(rows)] * 4
    assert Counter(entry.status for entry in candid.requests(route=ROUTE)) == {200: 160}


def waiting(candid: Emulator, details: Details, rows: list[msgspec.Raw]) -> threading.Thread:
    """What acts once a request hangs."""
    candid.faults.add(kind="hang", route=ROUTE, count=None)

    def act() -> None:
        while not any(rule["fired"] for rule in candid.faults.rules()):
            time.sleep(0.005)
        details.stop()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_what_is_stopped_ends_at_once(candid: Emulator, details: Details, rows: list[msgspec.Raw]) -> None:
    thread = waiting(candid, details, rows)
    with pytest.raises(CandidUnavailableError, match="stopped") as caught:
        details.of(rows)
    thread.join()
    assert caught.value.retryable


class Ended(Exception):
    """What a signal handler raises."""


def test_a_signal_that_raises_cancels_what_is_under_way(
    candid: Emulator, hook: CandidHook, rows: list[msgspec.Raw]
) -> None:
    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGALRM, end)
    details = Details(hook, ITEMIZE)
    candid.faults.add(kind="hang", route=ROUTE, count=None)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Ended):
            details.of(rows)
    finally:
        signal.signal(signal.SIGALRM, before)
    details.close()
    assert "candid-details" not in [thread.name for thread in threading.enumerate()]


def test_nobody_who_asks_for_nothing_starts_a_thread(hook: CandidHook) -> None:
    details = Details(hook, ITEMIZE)
    assert details.of([]) == ([], [])
    details.close()
    assert "candid-details" not in [thread.name for thread in threading.enumerate()]
