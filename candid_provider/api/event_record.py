"""What Airflow keeps of an event that a watcher delivered to an asset: which it is, and of which stream."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from candid_provider.api.position import Event

PREFIX = "candid_events__"
DESCRIPTION = "Up to where events of Candid Health were delivered, kept by airflow-provider-candid"
LONGEST = 200
"""Letters of a connection's id in the name of a stream, which names a Variable, too (at most 250)."""


def stream_of(conn_id: str, event_types: Sequence[str]) -> str:
    """Name the stream of the events of some types; each has a position of its own.

    :param conn_id: id of the connection.
    :param event_types: types of the events; none for all.
    """
    text = "\n".join([conn_id, *sorted(set(event_types))])
    return f"{PREFIX}{conn_id[:LONGEST]}__{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def record_of(event: Event, stream: str) -> dict[str, Any]:
    """Give what Airflow is told of an event."""
    return {**msgspec.structs.asdict(event), "stream": stream}


def event_in(extra: Any) -> tuple[Event, str] | None:
    """Give the event, and the name of its stream, that the ``extra`` of an asset's event tells of.

    None for what was not delivered by a watcher of ours.
    """
    if not isinstance(extra, Mapping) or not extra.get("from_trigger"):
        return None
    payload = extra.get("payload")
    stream = payload.get("stream") if isinstance(payload, Mapping) else None
    if not isinstance(stream, str) or not stream.startswith(PREFIX):
        return None
    try:
        return msgspec.convert(payload, Event), stream
    except msgspec.ValidationError:
        return None
