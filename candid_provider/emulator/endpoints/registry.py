"""Which handler answers which endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from candid_provider.emulator.catalogue import Endpoint, endpoints
from candid_provider.emulator.exchange.asked import Asked

Handler = Callable[[Asked], Any]
HANDLERS: dict[str, Handler] = {}
ANY_QUERY: set[str] = set()
# Answered by itself: it is asked without a bearer.
TOKEN_ENDPOINT: Final = "auth.default.get_token"


def answers(*endpoint_ids: str, any_query: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler for endpoints, under their names in the SDK. It returns the body, or an `Answer`.

    `any_query` is for endpoints that hand their query on, whatever is in it.
    """

    def register(handler: Handler) -> Handler:
        for name in endpoint_ids:
            if name not in endpoints() or name in HANDLERS:
                raise ValueError(f"no such endpoint, or answered twice: {name}")
            HANDLERS[name] = handler
            if any_query:
                ANY_QUERY.add(name)
        return handler

    return register


def emulated() -> list[Endpoint]:
    """All endpoints that are answered, in the order of the catalogue."""
    return [endpoint for name, endpoint in endpoints().items() if name in HANDLERS or name == TOKEN_ENDPOINT]
