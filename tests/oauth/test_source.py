"""The token source in one process: threads, coroutines, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import (
    CandidAuthError,
    CandidError,
    CandidRateLimitError,
    CandidUnavailableError,
)
from candid_provider.oauth.auth import CandidAuth
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import FileTokenStore, MemoryTokenStore
from tests.oauth.conftest import SECRET, signed_up
from tests.oauth.scripted import HANG, Scripted, answer, everything_in
from tests.oauth.sources import at_once, minted, refused, source_of


@pytest.fixture
def source(emulator: Emulator) -> TokenSource:
    return source_of(emulator)


# --- one flight


def test_a_token_is_minted_once_and_then_answered_from_memory(source: TokenSource, emulator: Emulator) -> None:
    assert len({source.token().value for _ in range(20)}) == 1
    assert minted(emulator) == 1


def test_nothing_is_asked_before_the_first_token(source: TokenSource, emulator: Emulator) -> None:
    assert minted(emulator) == 0


@pytest.mark.requirement(20)
def test_a_hundred_threads_and_a_hundred_coroutines_share_one_mint(source: TokenSource, emulator: Emulator) -> None:
    async def by_coroutines() -> str:
        (value,) = {token.value for token in await asyncio.gather(*(source.atoken() for _ in range(100)))}
        return value

    loops = iter([True])
    values = at_once(101, lambda: asyncio.run(by_coroutines()) if next(loops, False) else source.token().value)
    assert len(values) == 1
    assert minted(emulator) == 1


@pytest.mark.requirement(19)
def test_the_event_loop_goes_on_while_a_token_is_minted(server: Scripted) -> None:
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore(), deadline=0.4)
    server.token_answers = [HANG]

    async def turns_while_minting() -> int:
        minting, turns = asyncio.ensure_future(source.atoken()), 0
        while not minting.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert minting.exception()
        return turns

    assert asyncio.run(turns_while_minting()) > 5


@pytest.mark.requirement(20)
def test_a_cancelled_coroutine_poisons_nobody(emulator: Emulator) -> None:
    source = source_of(emulator)

    async def cancel_the_first() -> str:
        first = asyncio.ensure_future(source.atoken())
        others = [asyncio.ensure_future(source.atoken()) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        values = {token.value for token in await asyncio.gather(*others)}
        assert first.cancelled()
        return values.pop()

    value = asyncio.run(cancel_the_first())
    assert source.token().value == value
    assert minted(emulator) == 1


@pytest.mark.requirement(20)
def test_all_cancelled_coroutines_leave_a_source_that_works(source: TokenSource, emulator: Emulator) -> None:
    async def cancel_all() -> None:
        asking = [asyncio.ensure_future(source.atoken()) for _ in range(5)]
        await asyncio.sleep(0)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    asyncio.run(cancel_all())
    assert source.token().value
    assert minted(emulator) == 1


def test_a_source_serves_a_second_event_loop(source: TokenSource, emulator: Emulator) -> None:
    one = asyncio.run(source.atoken())
    emulator.revoke_tokens()
    other = asyncio.run(source.atoken(refused=one.value))
    assert asyncio.run(source.atoken()) == other != one
    assert minted(emulator) == 2


@pytest.mark.requirement(20)
def test_a_source_used_before_a_fork_works_after_it(emulator: Emulator) -> None:
    code = f"""
import asyncio, os, warnings
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
warnings.simplefilter("ignore")
credentials = ClientCredentials("emulator", "emulator-secret", {signed_up(emulator).token_url!r})
source = TokenSource(credentials, MemoryTokenStore())
old = asyncio.run(source.atoken())
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(0 if asyncio.run(asyncio.wait_for(source.atoken(refused=old.value), 4)).value != old.value else 1)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- telling the masker


@pytest.mark.requirement(6)
def test_a_bearer_is_told_before_it_is_returned_and_once(emulator: Emulator) -> None:
    told: list[str] = []
    source = source_of(emulator, on_token=told.append)
    one = source.token()
    assert told == [one.value]
    source.token()
    other = source.token(refused=one.value)
    assert told == [one.value, other.value]


@pytest.mark.requirement(6)
def test_a_loaded_bearer_is_told_too(emulator: Emulator) -> None:
    store, told = MemoryTokenStore(), list[str]()
    value = TokenSource(signed_up(emulator), store).token().value
    asyncio.run(TokenSource(signed_up(emulator), store, on_token=told.append).atoken())
    assert told == [value]


@pytest.mark.requirement(6)
def test_no_thread_gets_a_bearer_before_it_was_told(emulator: Emulator) -> None:
    told, ready = list[str](), threading.Event()

    def tell_slowly(bearer: str) -> None:
        ready.wait(0.2)
        told.append(bearer)

    source = source_of(emulator, on_token=tell_slowly)
    assert at_once(20, lambda: str(source.token().value in told)) == {"True"}
    assert len(told) == 1


# --- refusals


def test_a_refused_bearer_is_replaced_by_one_mint(source: TokenSource, emulator: Emulator) -> None:
    old = source.token()
    emulator.revoke_tokens()
    new = {source.token(refused=old.value).value for _ in range(5)}
    assert len(new) == 1
    assert old.value not in new
    assert minted(emulator) == 2


@pytest.mark.requirement(4)
def test_fifty_threads_refused_with_one_bearer_share_one_mint(source: TokenSource, emulator: Emulator) -> None:
    old = source.token()
    assert len(at_once(50, lambda: source.token(refused=old.value).value)) == 1
    assert minted(emulator) == 2


@pytest.mark.requirement(4)
def test_a_refused_bearer_that_is_not_the_stored_one_costs_no_mint(emulator: Emulator) -> None:
    store = MemoryTokenStore()
    slow, quick = (TokenSource(signed_up(emulator), store) for _ in range(2))
    old = slow.token()
    new = quick.token(refused=old.value)
    assert slow.token(refused=old.value) == new
    assert minted(emulator) == 2


@pytest.mark.requirement(5)
def test_a_wrong_secret_is_asked_for_once(emulator: Emulator) -> None:
    source = TokenSource(signed_up(emulator, "wrong-secret"), MemoryTokenStore())
    for _ in range(5):
        with pytest.raises(CandidAuthError) as failure:
            source.token()
        assert "wrong-secret" not in everything_in(failure.value)
    assert refused(emulator) == 1


@pytest.mark.requirement(18)
def test_a_second_source_on_the_same_files_knows_that_the_secret_is_wrong(emulator: Emulator, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(CandidAuthError, match=r"login.*password.*environment"):
            TokenSource(signed_up(emulator, "wrong-secret"), FileTokenStore(tmp_path)).token()
    assert refused(emulator) == 1


def test_a_wrong_secret_does_not_keep_the_right_one_away(emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(CandidAuthError):
        TokenSource(signed_up(emulator, "wrong-secret"), FileTokenStore(tmp_path)).token()
    assert TokenSource(signed_up(emulator), FileTokenStore(tmp_path)).token()


@pytest.mark.requirement(7)
def test_a_429_keeps_a_second_source_away(server: Scripted, tmp_path: Path) -> None:
    server.token_answers = [answer({}, 429, Retry_After="1000")]
    credentials = ClientCredentials("me", SECRET, server.token_url)
    for _ in range(3):
        with pytest.raises(CandidRateLimitError) as failure:
            TokenSource(credentials, FileTokenStore(tmp_path), deadline=5).token()
        assert failure.value.retry_after == pytest.approx(1000, abs=60)
    assert len(server.token_requests) == 1


@pytest.mark.requirement(15)
def test_the_deadline_ends_an_endpoint_that_hangs(server: Scripted) -> None:
    server.token_answers = [HANG]
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore(), deadline=0.3)
    with pytest.raises(CandidUnavailableError):
        source.token()
    assert len(server.token_requests) == 1


@pytest.mark.requirement(15)
def test_whoever_runs_out_of_time_is_told_what_for(server: Scripted) -> None:
    server.token_answers = [HANG]
    credentials, store = ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore()
    with ThreadPoolExecutor() as threads:
        minting = threads.submit(TokenSource(credentials, store, deadline=1).token)
        while not server.token_requests:
            time.sleep(0.01)
        with pytest.raises(CandidUnavailableError, match="ran out while waiting for another process to mint"):
            TokenSource(credentials, store, deadline=0.2).token()
        with pytest.raises(CandidUnavailableError, match="the token endpoint did not answer"):
            minting.result()
    assert len(server.token_requests) == 1


@pytest.mark.requirement(15)
def test_those_who_wait_for_a_hanging_endpoint_share_its_deadline(server: Scripted) -> None:
    server.token_answers = [HANG]
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore(), deadline=0.4)
    failures: list[CandidError] = []

    def ask() -> None:
        try:
            source.token()
        except CandidError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 10
    # One after another they would have asked ten times.
    assert len(server.token_requests) <= 2


# --- waiting


def test_a_short_lived_token_is_renewed_before_it_expires() -> None:
    with running(EmulatorConfig(encounters=1, token_lifetime=2)) as emulator:
        source = source_of(emulator)
        first = source.token().value
        later = {first}
        while len(later) == 1:
            token = source.token()
            assert not token.expired
            later.add(token.value)
        assert minted(emulator) == 2


@pytest.mark.requirement(15)
def test_coroutines_that_wait_for_a_hanging_endpoint_share_its_deadline(server: Scripted) -> None:
    server.token_answers = [HANG]
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore(), deadline=0.4)

    async def ask() -> list[object]:
        return await asyncio.gather(*(source.atoken() for _ in range(20)), return_exceptions=True)

    failures = asyncio.run(asyncio.wait_for(ask(), 6))
    assert {type(failure) for failure in failures} == {CandidUnavailableError}
    assert len(server.token_requests) <= 2


def test_a_failure_of_the_masker_is_not_swallowed(emulator: Emulator) -> None:
    def broken(bearer: str) -> None:
        raise LookupError("no masker here")

    source = TokenSource(signed_up(emulator), MemoryTokenStore(), on_token=broken)
    with pytest.raises(LookupError):
        source.token()
    with pytest.raises(LookupError):
        asyncio.run(asyncio.wait_for(source.atoken(), 5))


@pytest.mark.requirement(18)
def test_a_fleet_whose_new_tokens_are_refused_does_not_mint_one_each(server: Scripted) -> None:
    store = MemoryTokenStore()
    server.answers = [answer({}, status=401)] * 50
    for _ in range(10):
        source = TokenSource(ClientCredentials("me", SECRET, server.token_url), store)
        http = httpx.Client(auth=CandidAuth(source, [server.url]), verify=False)
        with http, contextlib.suppress(CandidAuthError):
            http.get(f"{server.url}/api/payers/v4")
    assert len(server.token_requests) == 2


def test_a_source_leaves_no_thread_behind(emulator: Emulator) -> None:
    before = set(threading.enumerate())
    asyncio.run(source_of(emulator).atoken())
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


# --- a token that is refused as soon as it is minted


class CountingStore(MemoryTokenStore):
    saves = 0

    def save(self, register: str, value: str) -> None:
        self.saves += 1
        super().save(register, value)


@pytest.mark.requirement(3)
def test_a_condemned_token_is_reported_once_by_a_hundred_coroutines(emulator: Emulator) -> None:
    store = CountingStore()
    source = TokenSource(signed_up(emulator), store)
    bearer, saves = source.token().value, store.saves

    async def condemn() -> None:
        await asyncio.gather(*(source.acondemn(bearer) for _ in range(100)))

    asyncio.run(condemn())
    assert store.saves == saves + 1
    with pytest.raises(CandidAuthError, match="or a token minted with them"):
        source.token(refused=bearer)


def test_a_token_that_is_not_the_one_in_use_is_not_condemned(emulator: Emulator) -> None:
    store = CountingStore()
    source = TokenSource(signed_up(emulator), store)
    source.condemn("nobody's")
    source.token()
    saves = store.saves
    source.condemn("nobody's")
    assert store.saves == saves


def test_a_coroutine_does_not_wait_for_ever_for_a_leader_that_is_gone(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candid_provider.oauth.source.GRACE", 0.1)
    source = TokenSource(signed_up(emulator), MemoryTokenStore(), deadline=0.1)
    source._board()
    assert asyncio.run(source.atoken()).value


@pytest.mark.requirement(5)
def test_the_token_request_leaves_no_line_in_the_logs_of_httpx(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        source_of(emulator).token()
    assert {record.name.partition(".")[0] for record in caplog.records} & {"httpx", "httpcore"} == set()
    assert "candid_provider.token" in {record.name for record in caplog.records}
