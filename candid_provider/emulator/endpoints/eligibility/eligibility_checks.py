"""Eligibility checks in real time and in batches (Candid: /eligibility-checks/v1)."""

from __future__ import annotations

import hashlib
from array import array
from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import Refusal, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, each_completed
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed, Key
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import eligibility
from candid_provider.emulator.world.clock import EPOCH
from candid_provider.emulator.world.world import milliseconds

_MOST_IN_BATCH: Final = 10_000
_SECOND: Final = 1_000_000
# How long the clearinghouse goes on asking a payer that does not answer.
_OUTAGE: Final = 8 * 3600 * _SECOND


class _Batch(NamedTuple):
    """Requests as they came; `ready` are the instants at which the checks end, ascending, `order` whose they are."""

    batch_id: str
    submitted: int
    first_control: int
    requests: list[bytes]
    ready: array[int]
    order: array[int]


class _Checks:
    """What one emulator remembers of its eligibility checks."""

    def __init__(self) -> None:
        self.begun = 0
        self.batches: dict[str, _Batch] = {}
        self.latest: dict[bytes, tuple[int, int]] = {}  # by what was asked: when, and its control number


@answers("pre_encounter.eligibility_checks.v_1.post")
def check_now(asked: Asked) -> Record:
    state, request = asked.state, completed(asked)
    if request["payer_id"] == eligibility.BAD_PAYER:
        raise bad_payer()
    checks, key = state.part(_Checks), _key(request)
    before, control = checks.latest.get(key, (-1, 0))
    since = request["get_existing_check_initiated_after"]
    if since is not None and before >= (Query([("since", since)]).instant("since") or 0):
        return _finished(state, request, before, control)
    checks.begun += 1
    answer = _finished(state, request, now := state.clock.tick(), checks.begun)
    if not answer["errors"]:
        checks.latest[key] = (now, checks.begun)
    return answer


def _key(request: Record) -> bytes:
    fields = ("payer_id", "provider", "subscriber", "dependent", "encounter")
    return hashlib.blake2b(msgspec.json.encode([request[name] for name in fields]), digest_size=16).digest()


def _finished(state: State, request: Record, initiated: int, control: int, batch_id: str | None = None) -> Record:
    today = (EPOCH + timedelta(microseconds=initiated)).date()
    payer = eligibility.name_of_payer(request["payer_id"], state.config.payers)
    return eligibility.check(state.world.ids, request, today, payer, control, batch_id)


def bad_payer() -> Refusal:
    """The clearinghouse knows no such payer, and Candid hands that on; no error is declared for it."""
    details = eligibility.bad_payer()
    return Refusal(400, {"errorName": "BadRequestError", "content": {"message": details["description"]}})


@answers("pre_encounter.eligibility_checks.v_1.batch")
def begin_batch(asked: Asked) -> Record:
    state, requests = asked.state, each_completed(asked)
    if not 1 <= len(requests) <= _MOST_IN_BATCH:
        raise unprocessable(asked.endpoint, "body", f"must hold 1 to {_MOST_IN_BATCH} checks")
    checks, now = state.part(_Checks), state.clock.tick()
    batch_id = state.world.ids.uuid("eligibility_batch", len(checks.batches))
    ends = sorted((now + _seconds(state, request, checks.begun + n), n) for n, request in enumerate(requests))
    checks.batches[batch_id] = _Batch(
        batch_id,
        now,
        checks.begun + 1,
        [msgspec.json.encode(request) for request in requests],
        array("q", (end for end, _ in ends)),
        array("I", (number for _, number in ends)),
    )
    checks.begun += len(requests)
    return {"batch_id": batch_id, "submitted_at": milliseconds(now)}


def _seconds(state: State, request: Record, control: int) -> int:
    """How long a check of a batch takes: some minutes; hours if the payer is slow, or does not answer at all."""
    if eligibility.verdict(state.world.ids, request["payer_id"], request["subscriber"]).rejection == "42":
        return _OUTAGE
    bits = state.world.ids.draw("eligibility-wait", control)
    late = bits % 50 == 0
    return (3600 + (bits >> 8) % 18_000 if late else 5 + (bits >> 8) % 295) * _SECOND


@answers("pre_encounter.eligibility_checks.v_1.poll_batch")
def poll_batch(asked: Asked) -> Record:
    state = asked.state
    batch = state.part(_Checks).batches.get(asked.id.lower())
    if batch is None:
        raise missing(asked.endpoint, asked.id, "Batch")

    def load(key: Key) -> Record:
        number = batch.order[key.number]
        request: dict[str, Any] = msgspec.json.decode(batch.requests[number])
        return _finished(state, request, batch.submitted, batch.first_control + number, batch.batch_id)

    ended = Feed(range(len(batch.ready)), batch.ready.__getitem__).between(None, state.clock.now())
    return page(asked, ended, load)
