"""Which handler answers which endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candid_provider.emulator.asked import Asked
from candid_provider.emulator.catalogue import endpoints

Handler = Callable[[Asked], Any]
HANDLERS: dict[str, Handler] = {}
ANY_QUERY: set[str] = set()


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
