"""The clients of ``clients.py`` that have an async form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx

from tests.benchmarks.token.clients import (
    CLIENT_ID,
    CLIENT_SECRET,
    ONE_PAYER,
    PAYERS,
    authlib_options,
    static_header,
)

AsyncAsk = Callable[[], Awaitable[int]]


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[AsyncAsk]:
    async def ask() -> int:
        return (await http.get(ONE_PAYER)).status_code

    async with httpx.AsyncClient(base_url=url, headers=static_header(url)) as http:
        yield ask


@asynccontextmanager
async def bare_parsed(url: str) -> AsyncIterator[AsyncAsk]:
    async def ask() -> int:
        answer = await http.get(ONE_PAYER)
        answer.json()
        return answer.status_code

    async with httpx.AsyncClient(base_url=url, headers=static_header(url)) as http:
        yield ask


@asynccontextmanager
async def managed(url: str) -> AsyncIterator[AsyncAsk]:
    from candid_provider.hooks.candid import CandidHook

    async def ask() -> int:
        return (await http.get(ONE_PAYER)).status_code

    async with await CandidHook().get_async_conn() as http:
        yield ask


@asynccontextmanager
async def sent(url: str) -> AsyncIterator[AsyncAsk]:
    from candid_provider.api.call import Call, asend
    from candid_provider.hooks.candid import CandidHook

    async def ask() -> int:
        await asend(http, Call(method="GET", path=PAYERS, params={"limit": 1}))
        return 200

    async with await CandidHook().get_async_conn() as http:
        yield ask


@asynccontextmanager
async def sdk(url: str) -> AsyncIterator[AsyncAsk]:
    from candid import AsyncCandidApiClient
    from candid.environment import CandidApiClientEnvironment

    environment = CandidApiClientEnvironment(candid_api=url, pre_encounter=url)
    client = AsyncCandidApiClient(environment=environment, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

    async def ask() -> int:
        await client.payers.v_4.get_all(limit=1)
        return 200

    yield ask


@asynccontextmanager
async def authlib(url: str) -> AsyncIterator[AsyncAsk]:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    async def ask() -> int:
        return int((await client.get(ONE_PAYER)).status_code)

    async with AsyncOAuth2Client(**authlib_options(url)) as client:
        await client.fetch_token()
        yield ask


ASYNC_CLIENTS: dict[str, Callable[[str], AbstractAsyncContextManager[AsyncAsk]]] = {
    client.__name__: client for client in (bare, bare_parsed, managed, sent, sdk, authlib)
}
