"""Candid's events, a window of time at once (Candid: GET /api/events/v1/)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candid_provider.api.call import Call, apages
from candid_provider.api.client import CandidAsyncClient
from candid_provider.api.event_feeds import EVENTS_PATH
from candid_provider.api.instants import written
from candid_provider.api.paging import TokenPaging
from candid_provider.api.position import Event
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.oauth.unreadable import UNREADABLE

LARGEST_PAGE = 100


async def aread(client: CandidAsyncClient, start: int, end: int, types: Sequence[str] = ()) -> list[Event]:
    """Read the events of a window, the oldest first, without what they tell of.

    :param start: microseconds since 1970, inclusive.
    :param end: microseconds since 1970, inclusive; later than now, events would be missed.
    :param types: their types; all where none is given.
    :raises CandidError: the typed error of what went wrong.
    """
    call = Call(
        method="GET",
        path=EVENTS_PATH,
        params={
            "limit": LARGEST_PAGE,
            "created_after": written(start),
            "created_before": written(end),
            "event_types": list(types) or None,
        },
        paging=TokenPaging(),
    )
    found: dict[str, Event] = {}
    async for page in apages(client, call):
        found.update((event.id, event) for event in map(_event, page.rows))
    return sorted(found.values(), key=lambda event: (event.moment, event.id))


def _event(row: msgspec.Raw) -> Event:
    try:
        event = _DECODER.decode(row)
        _ = event.moment
        return event
    except UNREADABLE:
        pass
    raise CandidUnavailableError(f"GET {EVENTS_PATH}: an event has no id, type or time", retryable=False)


_DECODER = msgspec.json.Decoder(Event)
