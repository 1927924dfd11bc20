"""The emulator as an ASGI application: bearer check, dispatch to the endpoints' handlers, and counting."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from candid_provider.emulator import control
from candid_provider.emulator.catalogue import Endpoint, endpoints
from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.endpoints import ANY_QUERY, HANDLERS, TOKEN_ENDPOINT
from candid_provider.emulator.exchange.answers import Answer, Refusal, json_response, not_emulated, unauthorized
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.bodies import body_of
from candid_provider.emulator.exchange.precomputed import Precomputed
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.exchange.routing import Match, Router
from candid_provider.emulator.faults.fault_deeds import Target
from candid_provider.emulator.faults.faults import Faults
from candid_provider.emulator.faults.misbehaviour import misbehave
from candid_provider.emulator.faults.received import Received
from candid_provider.emulator.faults.reply import Reply
from candid_provider.emulator.files import file_server, files
from candid_provider.emulator.records.state import State
from candid_provider.emulator.tokens import Clock, Tokens, public_key_pem

_UNKNOWN: Final = "(unknown)"
_NO_MATCH: Final = Match(None, {})


class Emulation:
    """One emulator's state, tokens and counters; `clock` (seconds since 1970) is for tokens and signed URLs."""

    def __init__(self, config: EmulatorConfig, clock: Clock = time.time) -> None:
        self.config = config
        self.state = State(config, clock)
        self.clock = clock
        self.tokens = Tokens(config, clock)
        self.tokens.clients = self.state.clients
        self.faults = Faults(config.faults)
        self.received = Received(clock=clock)
        self.precomputed = Precomputed(self.state.clock.now) if config.precompute else None
        self._requests: dict[str, int] = {}
        self._statuses: dict[str, int] = {}
        self._bytes_sent = 0

    def precompute(self) -> Iterator[int]:
        """Make the pages that are to be kept, if any; the bytes kept so far, after each of them."""
        if self.precomputed is not None:
            yield from self.precomputed.fill(self.state, _page)

    def stats(self) -> dict[str, Any]:
        """Counters since the start, sizes of the world, and the settings that matter to a test."""
        config = self.config
        return {
            "requests": dict(self._requests),
            "statuses": dict(self._statuses),
            "token": self.tokens.counts(),
            "bytes_sent": self._bytes_sent,
            "records": self.state.counts(),
            "written": self.state.written(),
            "now": self.state.now(),
            "config": {
                "seed": config.seed,
                "as_of": config.as_of.isoformat(),
                "days": config.days,
                "speed": self.state.clock.speed,
                "lifetime": config.token_lifetime,
                "rate_limit": config.rate_limit,
                "latency": config.latency,
            },
        }

    def count(self, target: Target, reply: Reply | file_server.Sent, seconds: float, faults: tuple[str, ...]) -> None:
        """Account for one API request; templates only, so that no id or query is kept or printed."""
        route, status = target.route, str(reply.seen or "cut")
        self._requests[route] = self._requests.get(route, 0) + 1
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._bytes_sent += reply.size
        method, _, template = route.partition(" ")
        self.received.add(
            method,
            template,
            target.endpoint_id,
            status=reply.seen,
            body=target.body,
            response_bytes=reply.size,
            authorization=target.authorization,
            seconds=seconds,
            faults=faults,
        )
        if self.config.access_log:
            print(f"{route} {status} {seconds * 1000:.1f} ms", file=sys.stderr, flush=True)


class App:
    """The ASGI application of one emulation."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation
        self._control = control.create_app(emulation)
        self._router = Router(endpoints().values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(control.PREFIX):
            return await self._control(scope, receive, send)
        request = Request(scope, receive)
        if scope["path"].startswith(files.PREFIX):
            return await self._serve_file(request, send)
        started = time.perf_counter()
        match = self._router.match(request.method, scope["raw_path"]) or _NO_MATCH
        try:
            target = await self._target(request, match.endpoint)
            answer = partial(self._answer, request, match.endpoint, match.path)
            reply, kinds = await misbehave(self._emulation.faults, target, answer)
        except ClientDisconnect:
            return None
        self._emulation.count(target, reply, time.perf_counter() - started, kinds)
        return await reply(scope, receive, send)

    async def _serve_file(self, request: Request, send: Send) -> None:
        """Serve a signed URL: as a stream, or whole when there are fault rules that may strike it."""
        started, faults = time.perf_counter(), self._emulation.faults
        target = self._file_target(request)
        answer = partial(file_server.answer, self._emulation.state.files, request)
        try:
            if request.method != "HEAD" and faults.concern(target.route):
                reply, kinds = await misbehave(faults, target, partial(file_server.whole, answer))
                self._emulation.count(target, reply, time.perf_counter() - started, kinds)
                return await reply(request.scope, request.receive, send)
            response = await answer()
        except ClientDisconnect:
            return None
        self._emulation.count(target, file_server.Sent.of(response), time.perf_counter() - started, ())
        return await response(request.scope, request.receive, send)

    def _file_target(self, request: Request) -> Target:
        emulation = self._emulation
        return Target(
            route=f"{request.method} {file_server.ROUTE}",
            endpoint_id=None,
            tokens=emulation.tokens,
            clock=emulation.clock,
            released=emulation.faults.released,
            authorization=request.headers.get("authorization"),
        )

    async def _target(self, request: Request, endpoint: Endpoint | None) -> Target:
        emulation = self._emulation
        template = "/pem" if request.url.path == "/pem" else _UNKNOWN
        return Target(
            route=endpoint.route if endpoint else f"{request.method} {template}",
            endpoint_id=endpoint.id if endpoint else None,
            tokens=emulation.tokens,
            clock=emulation.clock,
            released=emulation.faults.released,
            query=request.scope["query_string"],
            body=await request.body(),
            authorization=request.headers.get("authorization"),
        )

    async def _answer(self, request: Request, endpoint: Endpoint | None, path: dict[str, str]) -> Response:
        emulation = self._emulation
        await asyncio.sleep(emulation.config.latency / 1000)
        try:
            if endpoint is not None and endpoint.id == TOKEN_ENDPOINT:
                content_type = request.headers.get("content-type", "")
                return json_response(emulation.tokens.exchange(content_type, await request.body()))
            if request.method == "GET" and request.url.path == "/pem":
                return Response(public_key_pem(), media_type="application/x-pem-file")
            if not emulation.tokens.accepts(request.headers.get("authorization")):
                raise unauthorized()
            if endpoint is None:
                raise self._refused_route(request)
            return await self._handled(request, endpoint, path)
        except Refusal as refusal:
            return json_response(refusal.body, refusal.status)

    def _refused_route(self, request: Request) -> Refusal:
        if self._router.verbs(request.scope["raw_path"]):
            return Refusal(405, {"detail": "Method Not Allowed"})
        return not_emulated(f"{request.method} {request.url.path}, which is no route of Candid's,")

    async def _handled(self, request: Request, endpoint: Endpoint, path: dict[str, str]) -> Response:
        handler = HANDLERS.get(endpoint.id)
        if handler is None:
            raise not_emulated(f"{endpoint.id} ({endpoint.route})")
        query = Query(request.query_params.multi_items())
        if endpoint.id not in ANY_QUERY:
            known = {parameter.name for parameter in endpoint.query_params}
            _refuse_parameters(endpoint, [name for name, _ in query.pairs if name not in known])
        asked = Asked(self._emulation.state, endpoint, path, query, await body_of(request, endpoint))
        self._emulation.state.catch_up()
        asked.state.files.origin = str(request.base_url).rstrip("/")
        if self._emulation.precomputed is not None and endpoint.verb == "GET" and endpoint.paging is not None:
            page = self._emulation.precomputed.answer(asked, _page)
            return Response(page, media_type="application/json")
        return _response(endpoint, _read(asked) if endpoint.verb == "GET" else handler(asked))


def _read(asked: Asked) -> Any:
    body = HANDLERS[asked.endpoint.id](asked)
    _refuse_parameters(asked.endpoint, [name for name, _ in asked.query.pairs if name not in asked.query.read])
    return body


def _page(asked: Asked) -> bytes:
    return msgspec.json.encode(_read(asked))


def _refuse_parameters(endpoint: Endpoint, names: list[str]) -> None:
    if names:
        raise not_emulated(f"query parameter '{names[0]}' of {endpoint.id} ({endpoint.route})")


def _response(endpoint: Endpoint, body: Any) -> Response:
    if isinstance(body, Answer):
        return Response(body.content, body.status, body.headers, body.media_type)
    if body is None and endpoint.response == "None":
        return Response(status_code=204)
    return json_response(body)
