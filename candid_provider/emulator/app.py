"""The emulator as an ASGI application: routes, bearer check, counting, and its own control routes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from candid_provider.emulator.answers import Refusal, json_response, not_emulated, unauthorized
from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.listings import ALIASES, NOT_EMULATED, READS, Read, Records
from candid_provider.emulator.people import MARKERS
from candid_provider.emulator.query import Query
from candid_provider.emulator.tokens import Clock, Tokens, public_key_pem

TOKEN_PATH = "/api/auth/v2/token"
_CONTROL = "/_emulator"
_UNKNOWN = "(not emulated)"
_Handler = Callable[[Request], Awaitable[Response]]


class Emulation:
    """One emulator's records, tokens and counters; `clock` (seconds since 1970) is for the tokens."""

    def __init__(self, config: EmulatorConfig, clock: Clock = time.time) -> None:
        self.config = config
        self.records = Records(config)
        self.tokens = Tokens(config, clock)
        self._requests: dict[str, int] = {}
        self._statuses: dict[str, int] = {}
        self._bytes_sent = 0

    def stats(self) -> dict[str, Any]:
        """Counters since the start, sizes of the world, and the settings that matter to a test."""
        config = self.config
        return {
            "requests": dict(self._requests),
            "statuses": dict(self._statuses),
            "token": self.tokens.counts(),
            "bytes_sent": self._bytes_sent,
            "records": self.records.world.counts(),
            "config": {
                "seed": config.seed,
                "as_of": config.as_of.isoformat(),
                "days": config.days,
                "lifetime": config.token_lifetime,
                "rate_limit": config.rate_limit,
                "latency": config.latency,
            },
        }

    def count(self, method: str, template: str, response: Response, seconds: float) -> None:
        """Account for one answered API request; templates only, so that no id or query is kept or printed."""
        route, status = f"{method} {template}", str(response.status_code)
        self._requests[route] = self._requests.get(route, 0) + 1
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._bytes_sent += len(response.body)
        if self.config.access_log:
            print(f"{route} {status} {seconds * 1000:.1f} ms", file=sys.stderr, flush=True)


class ApiRoute:
    """An ASGI endpoint of the emulated API: delays, answers, turns refusals into responses, and counts."""

    def __init__(self, emulation: Emulation, template: str, handler: _Handler, *, public: bool = False) -> None:
        self._emulation = emulation
        self._template = template
        self._handler = handler
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        started = time.perf_counter()
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        self._emulation.count(request.method, self._template, response, time.perf_counter() - started)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        await asyncio.sleep(self._emulation.config.latency / 1000)
        try:
            if not (self._public or self._emulation.tokens.accepts(request.headers.get("authorization"))):
                raise unauthorized()
            return await self._handler(request)
        except Refusal as refusal:
            return json_response(refusal.body, refusal.status)


def _read(records: Records, read: Read) -> _Handler:
    async def answer(request: Request) -> Response:
        query = Query(request.query_params.multi_items())
        for name, _ in query.pairs:
            if name not in read.parameters:
                raise not_emulated(f"query parameter '{name}' of GET {read.path}")
        identifier = next(iter(request.path_params.values()), "")
        return json_response(read.answer(records, query, identifier))

    return answer


async def _refuse_route(request: Request) -> Response:
    raise not_emulated(f"{request.method} {request.url.path}")


def _mint(tokens: Tokens) -> _Handler:
    async def answer(request: Request) -> Response:
        body = await request.body()
        content_type = request.headers.get("content-type", "")
        return json_response(tokens.exchange(content_type, body))

    return answer


async def _pem(_: Request) -> Response:
    return Response(public_key_pem(), media_type="application/x-pem-file")


def _control_routes(emulation: Emulation) -> list[Route]:
    async def health(_: Request) -> Response:
        return json_response({"status": "ok"})

    async def stats(_: Request) -> Response:
        return json_response(emulation.stats())

    async def markers(_: Request) -> Response:
        return json_response({"markers": MARKERS})

    async def revoke(_: Request) -> Response:
        return json_response({"revoked": emulation.tokens.revoke()})

    return [
        Route(f"{_CONTROL}/health", health),
        Route(f"{_CONTROL}/stats", stats),
        Route(f"{_CONTROL}/markers", markers),
        Route(f"{_CONTROL}/tokens/revoke", revoke, methods=["POST"]),
    ]


def _api_routes(emulation: Emulation) -> list[Route]:
    reads = {read.path: read for read in READS}
    paths = {path: path for path in reads} | ALIASES

    def route(path: str, template: str, handler: _Handler, method: str | None, *, public: bool = False) -> Route:
        endpoint = ApiRoute(emulation, template, handler, public=public)
        return Route(path, endpoint, methods=None if method is None else [method])

    # The last route takes any method and path, so Starlette's own 404 and 405 are never seen.
    return [
        route(TOKEN_PATH, TOKEN_PATH, _mint(emulation.tokens), "POST", public=True),
        route("/pem", "/pem", _pem, "GET", public=True),
        *(route(path, _UNKNOWN, _refuse_route, None) for path in NOT_EMULATED),
        *(route(path, name, _read(emulation.records, reads[name]), "GET") for path, name in paths.items()),
        route("/{path:path}", _UNKNOWN, _refuse_route, None),
    ]


def create_app(emulation: Emulation) -> Starlette:
    """The ASGI application of one emulation."""
    app = Starlette(routes=[*_control_routes(emulation), *_api_routes(emulation)])
    app.router.redirect_slashes = False
    return app
