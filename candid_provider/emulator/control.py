"""The emulator's own routes, under /_emulator: what it is, what was asked of it, its clock, tokens and faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from candid_provider.emulator.endpoints.encounters.claim_views import views_of
from candid_provider.emulator.endpoints.encounters.encounter_kinds import TAGS
from candid_provider.emulator.exchange.answers import json_response
from candid_provider.emulator.faults.faults import BadRule, Faults
from candid_provider.emulator.faults.received import Received
from candid_provider.emulator.openapi import description
from candid_provider.emulator.world.people import MARKERS

if TYPE_CHECKING:
    from candid_provider.emulator.app import Emulation

PREFIX: Final = "/_emulator"
_FAULTS: Final = f"{PREFIX}/faults"
_REQUESTS: Final = f"{PREFIX}/requests"
_PAGE: Final = 1000


def create_app(emulation: Emulation) -> Starlette:
    """The control routes of one emulation."""
    tokens, state = emulation.tokens, emulation.state
    return Starlette(
        routes=[
            _route("health", lambda: {"status": "ok"}),
            _route("stats", emulation.stats),
            _route("markers", lambda: {"markers": MARKERS}),
            _route("openapi.json", description),
            _route("views", lambda: {"views": views_of(state)}),
            _route("tags", lambda: {"tags": TAGS}),
            _route("tokens/revoke", lambda: {"revoked": tokens.revoke()}, "POST"),
            _clock_route(emulation),
            *_fault_routes(emulation.faults),
            *_request_routes(emulation.received),
            Route("/{path:path}", _unknown, methods=["GET", "POST", "DELETE"]),
        ]
    )


def _route(name: str, content: Callable[[], Any], method: str = "GET") -> Route:
    async def show(_: Request) -> Response:
        return json_response(content())

    return Route(f"{PREFIX}/{name}", show, methods=[method])


async def _unknown(request: Request) -> Response:
    return json_response({"detail": f"{request.url.path} is none of the emulator's own routes"}, 404)


def _clock_route(emulation: Emulation) -> Route:
    async def clock(request: Request) -> Response:
        try:
            if request.method == "POST":
                _set_clock(emulation, await request.json())
        except ValueError as problem:
            return json_response({"detail": str(problem)}, 422)
        return json_response({"now": emulation.state.now(), "speed": emulation.state.clock.speed})

    return Route(f"{PREFIX}/clock", clock, methods=["GET", "POST"])


def _set_clock(emulation: Emulation, order: Any) -> None:
    known = {"advance", "speed"}
    if not isinstance(order, dict) or not order or not known >= order.keys():
        raise ValueError('the clock takes {"advance": seconds} and {"speed": seconds per second}')
    for name, value in order.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number")
    if "advance" in order:
        emulation.state.clock.advance(order["advance"])
    if "speed" in order:
        emulation.state.clock.speed = order["speed"]


def _fault_routes(faults: Faults) -> list[Route]:
    """Add, list and end fault rules."""

    async def add(request: Request) -> Response:
        try:
            ids = faults.add_all(msgspec.json.decode(await request.body()))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _refused(["body"], "is not JSON")
        except BadRule as problem:
            place = [] if problem.index is None else [problem.index]
            return _refused(["body", *place, problem.field], problem.message)
        return json_response({"ids": ids}, 201)

    async def listed(_: Request) -> Response:
        return json_response({"faults": faults.rules()})

    async def clear(_: Request) -> Response:
        return json_response({"removed": faults.clear()})

    async def remove(request: Request) -> Response:
        removed = faults.remove(request.path_params["rule"])
        return json_response({"removed": int(removed)}, 200 if removed else 404)

    return [
        Route(_FAULTS, listed),
        Route(_FAULTS, add, methods=["POST"]),
        Route(_FAULTS, clear, methods=["DELETE"]),
        Route(f"{_FAULTS}/{{rule:int}}", remove, methods=["DELETE"]),
    ]


def _request_routes(received: Received) -> list[Route]:
    """List and empty the log of what was received."""

    async def listed(request: Request) -> Response:
        query = request.query_params
        numbers: dict[str, Any] = {"since_number": 0, "limit": _PAGE}
        for name in numbers.keys() & query.keys():
            if not query[name].isdecimal():
                return _refused(["query", name], "must be a whole number")
            numbers[name] = int(query[name])
        entries = received.requests(route=query.get("route"), status=query.get("status"), **numbers)
        return json_response(
            {
                "requests": [entry.as_json() for entry in entries],
                "totals": received.totals(),
                "duplicate_external_ids": received.duplicate_external_ids(),
            }
        )

    async def clear(_: Request) -> Response:
        return json_response({"removed": received.clear()})

    return [Route(_REQUESTS, listed), Route(_REQUESTS, clear, methods=["DELETE"])]


def _refused(place: list[Any], message: str) -> Response:
    return json_response({"detail": [{"type": "value_error", "loc": place, "msg": message}]}, 422)
