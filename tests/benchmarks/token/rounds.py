"""One process that measures in rounds: ``python -m`` with what, URL, rounds, repetitions and clients.

Each line it prints that begins with ``{`` gives the seconds of one round by name. Within a round everything is
measured once, in turn, so that a disturbance of the machine reaches all of it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from tests.benchmarks.token.async_clients import ASYNC_CLIENTS
from tests.benchmarks.token.clients import CLIENT_ID, CLIENT_SECRET, CLIENTS, TOKEN


def warm(url: str, rounds: int, times: int, names: Sequence[str]) -> None:
    """Send requests with clients that have their token and their connection."""
    with ExitStack() as stack:
        asks = {name: stack.enter_context(CLIENTS[name](url)) for name in names}
        assert {name: ask() for name, ask in asks.items()} == dict.fromkeys(names, 200)
        _rounds(asks, rounds, times)


async def warm_async(url: str, rounds: int, times: int, names: Sequence[str]) -> None:
    """Send requests, one after the other, with async clients."""
    async with AsyncExitStack() as stack:
        asks = {name: await stack.enter_async_context(ASYNC_CLIENTS[name](url)) for name in names}
        assert {name: await ask() for name, ask in asks.items()} == dict.fromkeys(names, 200)
        _settle()
        for number in range(rounds):
            _report({name: await _aseconds(asks[name], times) for name in _turned(names, number)})


def start(url: str, rounds: int, times: int) -> None:
    """Come by a token that is in the Variable store, as a process does that has just started."""
    from airflow.models import Variable  # noqa: TID251 - the metadata database's, outside a task

    from candid_provider.hooks.candid import CandidHook
    from candid_provider.oauth.credentials import ClientCredentials
    from candid_provider.token_stores.variable import VariableTokenStore

    def first_token() -> str:
        # A store of one's own makes a token source of one's own, whose memory is empty.
        return CandidHook(token_store=VariableTokenStore()).get_token()

    def bare_variable() -> Any:
        return Variable.get(register)

    def connection_and_variable() -> Any:
        return CandidHook.get_connection("candid_default"), Variable.get(register)

    register = ClientCredentials(CLIENT_ID, CLIENT_SECRET, url + TOKEN).token_register
    reads = {one.__name__: one for one in (bare_variable, connection_and_variable, first_token)}
    assert first_token() == first_token()
    _rounds(reads, rounds, times)


def _rounds(measured: Mapping[str, Callable[[], Any]], rounds: int, times: int) -> None:
    _settle()
    for number in range(rounds):
        _report({name: _seconds(measured[name], times) for name in _turned(list(measured), number)})


def _settle() -> None:
    # What has been imported is none of the collector's business; between rounds it does the rest.
    gc.collect()
    gc.freeze()
    gc.disable()


def _turned(names: Sequence[str], number: int) -> Sequence[str]:
    first = number % len(names)
    return [*names[first:], *names[:first]]


def _seconds(ask: Callable[[], Any], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        ask()
    return time.perf_counter() - started


async def _aseconds(ask: Callable[[], Awaitable[int]], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        await ask()
    return time.perf_counter() - started


def _report(seconds: Mapping[str, float]) -> None:
    print(json.dumps(seconds), flush=True)
    gc.collect()


def main(what: str, url: str, rounds: str, times: str, *names: str) -> None:
    """Measure what is asked for."""
    match what:
        case "warm":
            warm(url, int(rounds), int(times), names)
        case "warm_async":
            asyncio.run(warm_async(url, int(rounds), int(times), names))
        case "start":
            start(url, int(rounds), int(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
