"""The feeds that read events: by windows, and encounters by theirs."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from candid_provider.api.call import Call
from candid_provider.api.event_feeds import EncounterEvents, Events, ServiceDates
from candid_provider.api.feeds import Feed, Mark
from candid_provider.exceptions import CandidConfigError
from tests.api.changing import SECOND, Listing, raw, run, token_call


def open_events(feed: Feed, now: str, mark: Mark | None = None) -> Call:
    at = datetime.datetime.fromisoformat(now)
    return feed.open(token_call("/api/events/v1/"), mark=mark, interval=None, now=at)[0]


def test_a_window_begins_at_the_mark_and_ends_a_little_before_now() -> None:
    call = open_events(Events(lag=60), "2026-03-15T12:00:00+00:00", Mark("2026-03-14T00:00:00Z"))
    assert call.params["created_after"] == "2026-03-14T00:00:00.000000Z"
    assert call.params["created_before"] == "2026-03-15T11:59:00.000000Z"


def test_the_first_window_begins_with_what_is_kept_for_sure() -> None:
    call = open_events(Events(), "2026-03-31T12:00:00+00:00")
    assert call.params["created_after"] == "2026-03-01T13:00:00.000000Z"


@pytest.mark.parametrize("feed", [Events(), EncounterEvents()], ids=["events", "encounters"])
def test_more_than_thirty_days_missed_is_said(feed: Feed) -> None:
    call = token_call("/api/events/v1/")
    now = datetime.datetime(2026, 3, 31, tzinfo=datetime.UTC)
    with pytest.raises(CandidConfigError, match=r"more than 30 days ago.*in full.*remove the watermark"):
        feed.open(call, mark=Mark("2026-02-28T00:00:00Z"), interval=None, now=now)
    interval = (
        datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC),
        datetime.datetime(2026, 2, 2, tzinfo=datetime.UTC),
    )
    with pytest.raises(CandidConfigError, match="interval begins more than 30 days ago"):
        feed.open(call, mark=None, interval=interval, now=now)


def test_a_run_right_after_another_reads_an_empty_window_and_keeps_its_memory() -> None:
    feed, call = Events(), token_call("/api/events/v1/")
    listing = Listing(events=True)
    listing.write("e")
    listing.tick(120)
    first = run(listing, feed, call)
    listing.clock -= 90 * SECOND  # another worker's clock
    second = run(listing, feed, call, first.mark)
    listing.tick(3600)
    third = run(listing, feed, call, second.mark)
    assert [len(each.rows) for each in (first, second, third)] == [1, 0, 0]


def test_encounters_are_listed_first_and_then_told_by_events() -> None:
    feed, listing = EncounterEvents(), token_call("/api/encounters/v4")
    now = datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)
    call, reader = feed.open(listing, mark=None, interval=None, now=now)
    assert (call, reader.detail) == (listing, None)
    assert len(reader.take([raw({"encounter_id": "a"}), raw({"encounter_id": "a"})])) == 1
    assert reader.mark() == Mark("2026-03-15T11:58:00.000000Z")
    later = now + datetime.timedelta(days=1)
    call, reader = feed.open(listing, mark=reader.mark(), interval=None, now=later)
    assert (call.path, reader.detail) == ("/api/events/v1/", "/api/encounters/v4/{encounter_id}")
    assert call.params["event_types"] == ["CandidApi.Encounter.Created", "CandidApi.Encounter.StatusUpdated"]
    told = [event(f"e{n}", f"2026-03-16T0{n}:00:00Z", f"encounter {n // 2}") for n in range(6)]
    rows = [json.loads(bytes(row)) for row in reader.take(told[:3]) + reader.take(told[2:])]
    assert rows == [{"encounter_id": f"encounter {n}"} for n in range(3)]


def test_encounters_told_are_remembered_over_a_checkpoint() -> None:
    feed, now = EncounterEvents(), datetime.datetime(2026, 3, 16, 12, tzinfo=datetime.UTC)
    readers = [
        feed.open(token_call(), mark=Mark("2026-03-15T00:00:00Z"), interval=None, now=now)[1] for _ in range(2)
    ]
    readers[0].take([event("e1", "2026-03-16T00:00:00Z", "encounter")])
    readers[1].restore(json.loads(json.dumps(readers[0].state())))
    assert readers[1].take([event("e2", "2026-03-15T23:00:00Z", "encounter")]) == []


def test_an_event_whose_payload_has_no_encounter_asks_for_the_field() -> None:
    now = datetime.datetime(2026, 3, 16, 12, tzinfo=datetime.UTC)
    feed = EncounterEvents(key="id_of_encounter")
    _, reader = feed.open(token_call(), mark=Mark("2026-03-15T00:00:00Z"), interval=None, now=now)
    with pytest.raises(
        CandidConfigError, match=r"no id_of_encounter in its payload.*EncounterEvents\(key="
    ) as failure:
        reader.take([event("e1", "2026-03-16T00:00:00Z", "Jane")])
    assert "Jane" not in str(failure.value)


def event(name: str, created: str, encounter: str) -> Any:
    return raw({"id": name, "created_at": created, "payload": {"encounter_id": encounter}})


def test_the_listing_of_encounters_goes_on_after_a_crash_with_its_first_mark() -> None:
    feed, now = EncounterEvents(), datetime.datetime(2026, 3, 15, 12, tzinfo=datetime.UTC)
    _, first = feed.open(token_call(), mark=None, interval=None, now=now)
    _, second = feed.open(token_call(), mark=None, interval=None, now=now + datetime.timedelta(hours=5))
    second.restore(json.loads(json.dumps(first.state())))
    assert second.mark() == first.mark()


def test_a_window_of_service_dates_slides_with_the_day_or_the_interval() -> None:
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    call, reader = ServiceDates(days=30).open(token_call(), mark=None, interval=None, now=now)
    assert dict(call.params) == {"limit": 3, "date_of_service_min": "2026-03-01"}
    assert reader.mark() is None
    interval = (
        datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC),
        datetime.datetime(2026, 2, 2, tzinfo=datetime.UTC),
    )
    call, _ = ServiceDates(days=31).open(token_call(), mark=None, interval=interval, now=now)
    assert dict(call.params) == {
        "limit": 3,
        "date_of_service_min": "2026-01-01",
        "date_of_service_max": "2026-02-02",
    }
