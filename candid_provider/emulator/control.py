"""The emulator's own routes, under /_emulator: health, counters, markers, clock, tokens, views, tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from candid_provider.emulator.answers import Refusal, json_response
from candid_provider.emulator.endpoints.claim_views import views_of
from candid_provider.emulator.endpoints.encounter_kinds import TAGS
from candid_provider.emulator.people import MARKERS

if TYPE_CHECKING:
    from candid_provider.emulator.app import Emulation

PREFIX: Final = "/_emulator"


def create_app(emulation: Emulation) -> Starlette:
    """The control routes of one emulation."""

    async def health(_: Request) -> Response:
        return json_response({"status": "ok"})

    async def stats(_: Request) -> Response:
        return json_response(emulation.stats())

    async def markers(_: Request) -> Response:
        return json_response({"markers": MARKERS})

    async def revoke(_: Request) -> Response:
        return json_response({"revoked": emulation.tokens.revoke()})

    async def clock(request: Request) -> Response:
        try:
            if request.method == "POST":
                _set_clock(emulation, await request.json())
        except ValueError as problem:
            return json_response({"detail": str(problem)}, 422)
        except Refusal as refusal:
            return json_response(refusal.body, refusal.status)
        return json_response({"now": emulation.state.now(), "speed": emulation.state.clock.speed})

    async def unknown(request: Request) -> Response:
        return json_response({"detail": f"{request.url.path} is none of the emulator's own routes"}, 404)

    return Starlette(
        routes=[
            Route(f"{PREFIX}/health", health),
            Route(f"{PREFIX}/stats", stats),
            Route(f"{PREFIX}/markers", markers),
            Route(f"{PREFIX}/clock", clock, methods=["GET", "POST"]),
            Route(f"{PREFIX}/views", _shown(lambda: {"views": views_of(emulation.state)})),
            Route(f"{PREFIX}/tags", _shown(lambda: {"tags": TAGS})),
            Route(f"{PREFIX}/tokens/revoke", revoke, methods=["POST"]),
            Route("/{path:path}", unknown, methods=["GET", "POST", "DELETE"]),
        ]
    )


def _shown(content: Callable[[], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def show(_: Request) -> Response:
        return json_response(content())

    return show


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
