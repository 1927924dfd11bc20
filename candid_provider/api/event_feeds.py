"""Change feeds of what has none of its own: events by fixed windows, encounters by events or by day of service."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from candid_provider.api.call import Call
from candid_provider.api.edge import SECOND, Edge
from candid_provider.api.feeds import OVERLAP, Interval, refuse, span_of
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import TokenPaging
from candid_provider.api.position import KEPT_DAYS, MARGIN
from candid_provider.api.readers import ALWAYS, Changes, Encounters, Listed, Mark, Named, Reader, Span
from candid_provider.exceptions import CandidConfigError

EVENTS_PATH = "/api/events/v1/"
ENCOUNTER_PATH = "/api/encounters/v4/{encounter_id}"
LAG = 60.0
"""Seconds before now at which a window ends: an event may be written late, and clocks differ."""
ABOUT_ENCOUNTERS = ("CandidApi.Encounter.Created", "CandidApi.Encounter.StatusUpdated")


@dataclass(frozen=True, slots=True)
class Events:
    """Read events by windows: from where the last one ended to a little before now, both bounds inclusive.

    Events come newest first, so the window is fixed before it is paged to its end. The first run brings what
    Candid keeps, 30 days less an hour. (Candid: GET /api/events/v1/.)

    :param lag: see ``LAG``.
    :param overlap: seconds by which windows overlap.
    """

    lag: float = LAG
    overlap: float = OVERLAP
    name: str = field(default="events", init=False)
    cursor: str = field(default="created_at", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """List the window.

        :raises CandidConfigError: events from before those that are kept are missing.
        """
        begun, edge, span = self.window(call, mark, interval, now)
        return begun, Changes(call.route, Named("id", self.cursor), edge, span=span, marks=interval is None)

    def window(
        self, call: Call, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Edge, Span]:
        """Fix the window: the call for its first page, what was delivered of it, and its span."""
        refuse(call.params, "query", self.name, "page_token", "created_before", "created_after")
        span = span_of(mark, interval)
        oldest = microseconds(now) - round((KEPT_DAYS * 86400 - MARGIN) * SECOND)
        if span[0] != ALWAYS[0] and span[0] < oldest:
            raise _too_late("interval" if interval else "incremental")
        start = max(span[0], oldest)
        end = span[1] if interval else max(start, microseconds(now) - round(self.lag * SECOND))
        begun = call.with_params(created_after=written(start), created_before=written(end))
        floor, seen = (mark.moment, mark.seen) if mark and not interval else (start, ())
        edge = Edge(overlap=self.overlap, begun=microseconds(now), floor=floor, seen=seen, newest=end)
        return begun, edge, span


@dataclass(frozen=True, slots=True)
class EncounterEvents:
    """Read the encounters that events tell of, as they are now: encounters have no change filter of their own.

    The first run lists all encounters and lets the next begin at its own beginning. A run brings an encounter
    once, also if events tell of it several times; after a crash within the run perhaps once more. An encounter
    that changes without an event (of a payment, say) does not come: see :class:`ServiceDates`.

    :param key: field of the events' payload that holds the encounter's id; Candid does not document payloads.
    :param types: types of the events that count.
    :param lag: see ``LAG``.
    :param overlap: seconds by which windows overlap.
    """

    key: str = "encounter_id"
    types: tuple[str, ...] = ABOUT_ENCOUNTERS
    lag: float = LAG
    overlap: float = OVERLAP
    name: str = field(default="encounter_events", init=False)
    cursor: str = field(default="created_at", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """List all encounters, or the window of their events.

        :raises CandidConfigError: encounters are filtered, which events cannot be; or events are missing, as in
            :meth:`Events.open`.
        """
        refuse(call.params, "query", self.name, *(set(call.params) - {"limit", "sort"}))
        events = Events(self.lag, self.overlap)
        if mark is None and interval is None:
            begins = microseconds(now) - round((self.lag + self.overlap) * SECOND)
            return call, Listed(call.route, "encounter_id", Mark(written(begins)))
        listing = Call(
            method="GET",
            path=EVENTS_PATH,
            params={"limit": 100, "event_types": list(self.types)},
            paging=TokenPaging(),
        )
        begun, edge, span = events.window(listing, mark, interval, now)
        reader = Encounters(
            listing.route,
            Named("id", self.cursor),
            edge,
            span=span,
            marks=interval is None,
            key=self.key,
            detail=ENCOUNTER_PATH,
        )
        return begun, reader


@dataclass(frozen=True, slots=True)
class ServiceDates:
    """Read what was served lately anew in each run, changed or not: a window of dates of service that slides.

    :param days: days before today, or before the interval, from which on it is read. Claims change for weeks.
    :param key: field that names a record, of another listing that can be filtered by date of service.
    """

    days: int = 90
    key: str = "encounter_id"
    name: str = field(default="service_dates", init=False)
    cursor: str = field(default="date_of_service", init=False)

    def open(
        self, call: Call, *, mark: Mark | None, interval: Interval | None, now: datetime.datetime
    ) -> tuple[Call, Reader]:
        """List what was served in the window."""
        refuse(call.params, "query", self.name, "page_token", "date_of_service_min", "date_of_service_max")
        if interval:
            span_of(None, interval)
        start = (interval[0] if interval else now).astimezone(datetime.UTC).date()
        window = {"date_of_service_min": (start - datetime.timedelta(days=self.days)).isoformat()}
        if interval:
            window["date_of_service_max"] = interval[1].astimezone(datetime.UTC).date().isoformat()
        return call.with_params(**window), Listed(call.route, self.key, None)


def _too_late(argument: str) -> CandidConfigError:
    since = "the interval begins" if argument == "interval" else "the last run ended"
    return CandidConfigError(
        f"{argument}: {since} more than {KEPT_DAYS} days ago, for which Candid keeps events: what happened before"
        " cannot be read as events any more. List the records themselves in full, without incremental, and remove"
        " the watermark: the next run then begins anew",
        field=argument,
    )
