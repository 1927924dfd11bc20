"""Records that a request names, and those of other areas, asked for through the endpoints that answer them."""

from __future__ import annotations

from typing import Any

from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.endpoints.registry import HANDLERS
from candid_provider.emulator.exchange.answers import Refusal, missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.collection import Kind, Record


def found(asked: Asked, kind: Kind, identifier: str | None = None) -> Record:
    """The record that the path names, or that has another id; 404 if there is none."""
    identifier = asked.id if identifier is None else identifier
    record = asked.state.of(kind).get(identifier)
    if record is None:
        raise missing(asked.endpoint, identifier)
    return record


def fetched(asked: Asked, endpoint_id: str, identifier: str) -> Any:
    """What an endpoint answers for an id; None when it refuses, as it does for an unknown one."""
    endpoint = endpoints()[endpoint_id]
    path = {endpoint.path_params[0].name: identifier}
    try:
        return HANDLERS[endpoint_id](Asked(asked.state, endpoint, path, Query(())))
    except Refusal:
        return None
