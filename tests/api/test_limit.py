"""The limit that all requests of a process share."""

from __future__ import annotations

import asyncio
import os
import threading
from bisect import bisect_left
from collections.abc import Coroutine, Generator, Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.call import Call, asend, send
from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.api.limit import LONGEST_PAUSE, RateLimit, limit_for
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidRateLimitError
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.api.conftest import quick, settings_for
from tests.oauth.scripted import Scripted, answer

PAYERS = Call(method="GET", path="/api/payers/v4", params={"limit": 1})


class Sleep:
    """What a coroutine of the simulation waits for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


class Simulation:
    """Coroutines in virtual time."""

    def __init__(self, requests: int, per: float) -> None:
        self.now = 0.0
        self.limit = RateLimit(requests, per, clock=lambda: self.now, asleep=self.sleep)
        self.arrived: list[float] = []
        self.let_go: list[int] = []
        self._numbers = count()
        self._due: list[tuple[float, int, Coroutine[Any, Any, None]]] = []

    async def sleep(self, seconds: float) -> None:
        await Sleep(seconds)

    def start(self, work: Coroutine[Any, Any, None], at: float) -> None:
        heappush(self._due, (at, next(self._numbers), work))

    async def request(self, name: int, outward: float, back: float) -> None:
        """Arrives at the server, and is answered, some time after it was let go."""
        await self.limit.aenter()
        self.let_go.append(name)
        await self.sleep(outward)
        self.arrived.append(self.now)
        await self.sleep(back)
        self.limit.leave()

    async def pause(self, seconds: float) -> None:
        self.limit.pause(seconds)

    def run(self) -> None:
        while self._due:
            self.now, _, work = heappop(self._due)
            try:
                seconds = work.send(None)
            except StopIteration:
                continue
            self.start(work, self.now + seconds)


def most_within(times: list[float], per: float) -> int:
    """The largest number of times in any ``per`` seconds, the end not included."""
    ordered = sorted(times)
    return max(bisect_left(ordered, begin + per - 1e-9) - place for place, begin in enumerate(ordered))


moments = st.floats(0, 30, allow_nan=False).map(lambda seconds: round(seconds, 3))


@given(
    requests=st.integers(1, 6),
    made=st.lists(st.tuples(moments, moments.map(lambda s: s / 10), moments.map(lambda s: s / 10)), min_size=1),
    pauses=st.lists(st.tuples(moments, moments.map(lambda s: s / 3)), max_size=3),
)
def test_no_window_of_the_servers_holds_more_than_the_limit(
    requests: int, made: list[tuple[float, float, float]], pauses: list[tuple[float, float]]
) -> None:
    simulation = Simulation(requests, 10.0)
    for name, (at, outward, back) in enumerate(made):
        simulation.start(simulation.request(name, outward, back), at)
    for at, seconds in pauses:
        simulation.start(simulation.pause(seconds), at)
    simulation.run()
    assert len(simulation.arrived) == len(made)
    assert most_within(simulation.arrived, 10.0) <= requests


@given(st.integers(1, 5), st.integers(1, 40))
def test_who_waits_is_let_go_in_the_order_of_coming_and_no_later_than_needed(requests: int, callers: int) -> None:
    simulation = Simulation(requests, 10.0)
    for name in range(callers):
        simulation.start(simulation.request(name, 0.0, 0.0), name / 1000)
    simulation.run()
    assert simulation.let_go == list(range(callers))
    assert simulation.now <= (callers - 1) // requests * 10.1 + 1


def test_nobody_overtakes_those_who_wait() -> None:
    simulation = Simulation(1, 10.0)
    for name, at in enumerate((0.0, 1.0, 10.0)):
        simulation.start(simulation.request(name, 0.0, 0.0), at)
    simulation.run()
    assert simulation.let_go == [0, 1, 2]


def test_one_who_gives_up_waiting_leaves_no_gap() -> None:
    simulation = Simulation(1, 10.0)
    waiting = simulation.request(1, 0.0, 0.0)
    simulation.start(simulation.request(0, 0.0, 0.0), 0.0)
    simulation.run()
    waiting.send(None)
    waiting.close()
    simulation.start(simulation.request(2, 0.0, 0.0), 1.0)
    simulation.run()
    assert simulation.let_go == [0, 2]
    assert simulation.now == pytest.approx(10.0, abs=0.01)


def test_a_request_that_is_never_answered_keeps_its_place() -> None:
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) == 3:
            limit.leave()

    limit = RateLimit(1, 10.0, clock=lambda: now[0], sleep=sleep)
    limit.enter()
    limit.enter()
    assert slept[:3] == [0.1, 0.1, 0.1]
    assert now[0] == pytest.approx(10.3)


def test_a_pause_holds_everybody_until_it_is_over() -> None:
    now = [0.0]
    limit = RateLimit(5, 10.0, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    limit.pause(7)
    limit.pause(3)  # ends within the other
    limit.enter()
    assert now[0] == 7


def test_a_pause_beyond_ones_patience_is_an_error_that_says_how_long() -> None:
    limit = RateLimit(clock=lambda: 0.0)
    limit.pause(7)
    with pytest.raises(CandidRateLimitError, match="another 7 s") as caught:
        limit.enter(patience=5)
    assert (caught.value.retry_after, caught.value.retryable) == (7.0, True)


def test_a_pause_of_days_is_doubted() -> None:
    limit = RateLimit(clock=lambda: 0.0)
    limit.pause(float("inf"))
    with pytest.raises(CandidRateLimitError) as caught:
        limit.enter(patience=0)
    assert caught.value.retry_after == LONGEST_PAUSE


def test_a_host_has_one_limit_a_process() -> None:
    assert limit_for("https://a.example") is limit_for("https://a.example")
    assert limit_for("https://a.example") is not limit_for("https://b.example")


def test_a_forked_process_has_a_limit_of_its_own() -> None:
    limit = limit_for("https://forked.example")
    with limit._lock:
        child = os.fork()
        if not child:
            limit_for("https://forked.example").enter()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


# --- with clients


@pytest.fixture(scope="module")
def office() -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=3, patients=3)) as emulator:
        yield emulator


def test_threads_and_event_loops_keep_to_one_limit(office: Emulator) -> None:
    """Three clients, two of them on loops, want ten times what a window holds."""
    settings, limit = settings_for(office.url), RateLimit(40, 0.5)
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    office.forget_requests()

    def sync() -> None:
        with CandidClient(settings, source, limit=limit) as client:
            for _ in range(20):
                send(client, PAYERS)

    async def several() -> None:
        async with CandidAsyncClient(settings, source, limit=limit) as client:
            await asyncio.gather(*(asend(client, PAYERS) for _ in range(80)))

    work = [sync, sync, lambda: asyncio.run(several()), lambda: asyncio.run(several())]
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    received = office.requests(route="GET /api/payers/v4")
    # Logged when it is answered, to the millisecond.
    arrived = [datetime.fromisoformat(entry.at).timestamp() for entry in received]
    assert len(received) == 200
    assert most_within(arrived, 0.498) <= 40


def test_a_second_try_and_a_replay_with_a_new_token_wait_for_a_turn_of_their_own(office: Emulator) -> None:
    settings, limit = settings_for(office.url), Counting()
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    office.faults.add(kind="token_expired", route="GET /api/payers/v4")
    office.faults.add(kind="status", status=500, route="GET /api/payers/v4", after=1, count=1)
    office.forget_requests()
    with CandidClient(settings, source, limit=limit) as client:
        send(client, PAYERS)
    assert limit.entered == limit.left == len(office.requests(route="GET /api/payers/v4")) == 3


class Counting(RateLimit):
    """Counts turns."""

    entered = left = 0

    def enter(self, patience: float = 0.0) -> None:
        self.entered += 1

    def leave(self) -> None:
        self.left += 1


def test_a_request_that_gets_no_answer_gives_its_turn_back() -> None:
    settings, limit = settings_for("http://127.0.0.1:9"), Counting()
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    with (
        CandidClient(settings, source, limit=limit) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get("/api/payers/v4", auth=None)
    assert limit.entered == limit.left == 1


def test_a_429_of_one_client_is_heard_by_the_others(server: Scripted) -> None:
    settings = settings_for(server.url)
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    server.answers = [answer({}, 429, Retry_After="60")]
    clients = [CandidClient(settings, source, retry_deadline=0.0) for _ in range(2)]
    for client in clients:
        with client, pytest.raises(CandidRateLimitError) as caught:
            send(client, PAYERS)
    assert caught.value.retry_after == pytest.approx(60, abs=5)
    assert len(server.requests) == 1


def test_another_host_has_nothing_to_do_with_the_limit(office: Emulator, server: Scripted) -> None:
    settings, limit = settings_for(office.url), Counting()
    source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
    server.answers = [answer({}, 429)]
    with CandidClient(settings, source, limit=limit) as client:
        assert client.get(f"{server.url}/file").status_code == 429
    assert limit.entered == limit.left == 0
