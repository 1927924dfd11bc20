"""Change feeds: over many runs every change comes at least once, and none twice."""

from __future__ import annotations

import datetime
import itertools
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candid_provider.api.call import Call
from candid_provider.api.edge import MOST, Edge
from candid_provider.api.event_feeds import EncounterEvents, Events, ServiceDates
from candid_provider.api.feeds import Falling, Feed, Mark, Rising, Scan, View
from candid_provider.api.instants import microseconds, written
from candid_provider.api.paging import ScanPaging
from candid_provider.api.resources import RESOURCES
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from tests.api.changing import BEGIN, SECOND, Listing, raw, run, token_call

BEGINNING = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
seeds = st.integers(0, 2**32)


def scan_call(page_size: int = 3) -> Call:
    params = {"since": "1970-01-01T00:00:00Z", "maxResults": page_size}
    return Call(method="GET", path="/patients/v1/updates/scan", params=params, paging=ScanPaging(page_size))


FEEDS: dict[str, tuple[Feed, Call, dict[str, Any]]] = {
    "scan": (Scan(), scan_call(7), {"page_size": 7}),
    "rising": (Rising("since", "updated_at", "id"), token_call(), {}),
    "rising, perhaps": (Rising("since", "updated_at", "id", sure_from=3), token_call(), {}),
    "falling": (Falling("updated_at", "id", {"sort": "UPDATED_AT"}), token_call(), {"falling": True}),
    "events": (Events(), token_call("/api/events/v1/"), {"events": True}),
}
every_feed = pytest.mark.parametrize("name", FEEDS)


class Story:
    """What happens to a listing, drawn from a seed: changes, some of which become visible late."""

    def __init__(self, seed: int, listing: Listing, *, names: int = 12, late: float = 50.0) -> None:
        self.random, self.listing, self.names, self.late = Random(seed), listing, names, late

    def goes_on(self) -> None:
        for _ in range(self.random.randrange(4)):
            self.listing.tick(self.random.choice([0, 0.001, 1, 20]))
            name = f"r{self.random.randrange(self.names)}"
            # No version is written before the one that it follows, nor at the same time.
            free = self.listing.events or name not in self.listing.rows
            self.listing.tick(0 if free else 0.001)
            late = self.late and free and self.random.random() < 0.3
            self.listing.write(name, late=self.random.choice([1, self.late]) if late else 0.0)
            if sharing(self.listing) >= self.listing.page_size - 1:
                self.listing.tick(0.001)  # a full page of one time has tests of its own

    def crashes(self) -> bool:
        return self.random.random() < 0.15


def delivered_keys(rows: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((row["id"], row["updated_at"]) for row in rows)


def sharing(listing: Listing) -> int:
    """How many records share a time."""
    return max(Counter(row["updated_at"] for row in listing.rows.values()).values(), default=0)


@every_feed
@settings(deadline=None, max_examples=300)
@given(seed=seeds)
def test_every_change_comes_at_least_once_and_none_twice(name: str, seed: int) -> None:
    feed, call, options = FEEDS[name]
    listing = Listing(**options)
    story, rows = Story(seed, listing), list[dict[str, Any]]()
    mark: Mark | None = None
    for _ in range(story.random.randint(1, 5)):
        story.goes_on()
        listing.tick(story.random.choice([0, 30, 3600]))
        ended = run(listing, feed, call, mark, meanwhile=story.goes_on, crashes=story.crashes)
        rows, mark = rows + ended.rows, ended.mark
    listing.tick(3600)  # whatever was written lies further back than a lag
    rows += run(listing, feed, call, mark).rows
    counts = delivered_keys(rows)
    assert all((row["id"], row["updated_at"]) in counts for row in listing.rows.values())
    assert max(counts.values(), default=1) == 1


@every_feed
@settings(deadline=None, max_examples=150)
@given(seed=seeds)
def test_intervals_partition_what_has_happened(name: str, seed: int) -> None:
    feed, call, options = FEEDS[name]
    listing = Listing(**options)
    story = Story(seed, listing, late=0)
    for _ in range(6):
        story.goes_on()
        listing.tick(story.random.choice([0.001, 600, 7200]))
    listing.tick(3600)
    hours = (listing.clock - BEGIN) // (3600 * SECOND) + 1
    starts = [BEGINNING + datetime.timedelta(hours=number) for number in range(hours + 1)]
    mark = Mark("2026-01-01T00:30:00Z", ("whatever",))
    runs = [run(listing, feed, call, mark, interval) for interval in itertools.pairwise(starts)]
    assert delivered_keys([row for each in runs for row in each.rows]) == delivered_keys([*listing.rows.values()])
    assert [each.mark for each in runs] == [None] * len(runs)


@every_feed
def test_a_quiet_run_delivers_nothing_and_costs_two_requests_at_most(name: str) -> None:
    feed, call, options = FEEDS[name]
    listing = Listing(**options)
    for number in range(20):
        listing.write(f"r{number}")
        listing.tick(100)
    first = run(listing, feed, call)
    before, again = listing.requests, run(listing, feed, call, first.mark)
    assert len(first.rows) == 20
    assert (again.rows, listing.requests - before <= 2) == ([], True)
    assert again.mark is not None
    assert first.mark is not None
    assert again.mark.at >= first.mark.at


@every_feed
def test_an_empty_listing_leaves_the_mark_as_it_is(name: str) -> None:
    feed, call, options = FEEDS[name]
    listing = Listing(**options)
    first = run(listing, feed, call)
    assert first.rows == []
    assert (first.mark is None) == (name != "events")  # a window has an end without any event


@every_feed
def test_an_interval_ends_the_listing_where_it_ends(name: str) -> None:
    feed, call, options = FEEDS[name]
    listing = Listing(**options)
    for number in range(200):
        listing.write(f"r{number}")
        listing.tick(60)
    start = datetime.datetime(2026, 1, 1, 3, tzinfo=datetime.UTC)
    ended = run(listing, feed, call, None, (start, start + datetime.timedelta(minutes=10)))
    assert len(ended.rows) == 10
    assert listing.requests < 12


@every_feed
def test_a_record_without_its_time_is_said_and_not_shown(name: str) -> None:
    feed, call, _ = FEEDS[name]
    _, reader = feed.open(call, mark=None, interval=None, now=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    with pytest.raises(CandidUnavailableError, match="lacks the fields") as failure:
        reader.take([raw({"id": "Jane", "version": 1})])
    assert (failure.value.retryable, "Jane" in str(failure.value)) == (False, False)
    assert failure.value.__context__ is None


# --- what is remembered


@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(st.tuples(st.sampled_from([0, 1, 1000, SECOND]), st.sampled_from([1, 30, 900])), max_size=12),
    cut=st.integers(0, 12),
)
def test_all_that_was_delivered_from_the_mark_on_is_in_it(steps: list[tuple[int, int]], cut: int) -> None:
    edge, moment, delivered = Edge(overlap=60, begun=2**62), BEGIN, list[tuple[str, int]]()
    for number, (step, count) in enumerate(steps):
        for _ in range(count):
            moment += step
            delivered.append((f"k{len(delivered)}", moment))
            assert edge.is_new(*delivered[-1])
        if number == cut:
            edge.restore(json.loads(json.dumps(edge.state())))
    if (end := edge.end()) is None:
        assert not delivered
        return
    at, seen = end
    again = Edge(overlap=60, begun=2**62, floor=at, seen=seen)
    assert not [key for key, moment in delivered if moment >= at and again.is_new(key, moment)]
    assert at >= moment - 60 * SECOND
    most = sum(when == moment for _, when in delivered)
    assert len(seen) <= max(MOST, most)


def test_a_checkpoint_of_a_busy_feed_is_small() -> None:
    edge = Edge(overlap=60, begun=2**62)
    for number in range(10_000):
        edge.is_new(f"key {number}", BEGIN + number)
    assert len(json.dumps(edge.state())) < 64_000
    end = edge.end()
    assert end is not None
    assert len(json.dumps(end)) < 20_000


# --- each feed's own


def test_a_feed_that_rises_moves_its_bound_on_in_place_of_the_token() -> None:
    feed, call, _ = FEEDS["rising"]
    listing = Listing()
    for number in range(10):
        listing.write(f"r{number}")
        listing.tick(1)
    begun, _ = feed.open(call, mark=None, interval=None, now=listing.now)
    assert begun.paging is not None
    page = begun.paging.read(begun, listing.read(begun))
    assert page.next is not None
    assert dict(page.next.params) == {"limit": 3, "since": written(BEGIN + 2 * SECOND)}


def test_a_page_of_one_time_is_followed_by_its_token() -> None:
    feed, call, _ = FEEDS["rising"]
    listing = Listing()
    for number in range(10):
        listing.write(f"r{number}")
    assert len(run(listing, feed, call).rows) == 10


def test_a_listing_in_another_order_than_hoped_for_is_followed_by_its_tokens() -> None:
    listing = Listing(falling=True)
    for number in range(20):
        listing.write(f"r{number}")
        listing.tick(1)
    assert len(run(listing, Rising("since", "updated_at", "id"), token_call()).rows) == 20


def test_a_lower_bound_in_the_query_is_where_the_first_run_begins_and_no_other() -> None:
    listing = Listing()
    for number in range(10):
        listing.write(f"r{number}")
        listing.tick(100)
    feed = Rising("since", "updated_at", "id")
    call = token_call().with_params(since=datetime.datetime(2026, 1, 1, 0, 10, tzinfo=datetime.UTC))
    first = run(listing, feed, call)
    listing.write("r0")
    second = run(listing, feed, call, first.mark)
    assert [row["id"] for row in first.rows + second.rows] == ["r6", "r7", "r8", "r9", "r0"]


@pytest.mark.parametrize(
    ("feed", "params"),
    [
        (Rising("updated_since", "updated_at", "task_id", {"sort": "updated_at:asc"}), {"sort": "status:asc"}),
        (Rising("since", "updated_at", "id"), {"page_token": "Jane"}),
        (Rising("since", "updated_at", "id"), {"since": "Jane"}),
        (Falling("updated_at", "id", {"sort": "UPDATED_AT"}), {"sort": "DUE_DATE"}),
        (Events(), {"created_before": "2026-01-01T00:00:00Z"}),
        (EncounterEvents(), {"claim_status": "Jane"}),
        (ServiceDates(), {"date_of_service_min": "2026-01-01"}),
    ],
    ids=repr,
)
def test_what_a_feed_sets_itself_cannot_be_given(feed: Feed, params: dict[str, Any]) -> None:
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    with pytest.raises(CandidConfigError) as failure:
        feed.open(token_call().with_params(**params), mark=None, interval=None, now=now)
    assert failure.value.field == "query"
    assert next(iter(params)) in str(failure.value)
    assert "Jane" not in str(failure.value)


@every_feed
def test_an_interval_without_a_length_is_refused(name: str) -> None:
    feed, call, _ = FEEDS[name]
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    with pytest.raises(CandidConfigError, match="interval"):
        feed.open(call, mark=None, interval=(moment, moment), now=moment)


# --- views


def view_call(**body: Any) -> Call:
    return RESOURCES["claim_dynamic_view"].call(path_params={"claim_dynamic_view_id": "v"}, json=body)


def test_a_view_is_narrowed_to_what_changed() -> None:
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    given = view_call(filters={"patient_state": {"values": ["IL"]}})
    call, _ = View().open(given, mark=Mark("2026-03-30T00:00:00Z"), interval=None, now=now)
    assert call.json == {
        "limit": 100,
        "filters": {
            "patient_state": {"values": ["IL"]},
            "claim_updated_at": {"min": "2026-03-30T00:00:00.000000Z"},
        },
        "sort": [{"field": "claim_updated_at", "direction": "asc"}],
    }


@pytest.mark.parametrize(
    "body", [{"sort": []}, {"sort": [1]}, {"filters": {"claim_updated_at": {"max": "x"}}}], ids=str
)
def test_a_views_order_and_end_are_the_feeds(body: dict[str, Any]) -> None:
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    with pytest.raises(CandidConfigError, match="json: "):
        View().open(view_call(**body), mark=None, interval=None, now=now)


# --- the table


@pytest.mark.parametrize("name", [name for name, row in RESOURCES.items() if row.feed])
def test_a_resources_feed_can_be_opened(name: str) -> None:
    resource = RESOURCES[name]
    ids: dict[str, str] = dict.fromkeys(resource.placeholders, "id")
    now = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.UTC)
    mark = Mark(written(microseconds("2026-03-30T00:00:00Z")), ())
    open_: Callable[..., Any] = resource.changes().open
    call, reader = open_(resource.call(path_params=ids), mark=mark, interval=None, now=now)
    assert call.paging is not None
    assert reader.mark() == mark or isinstance(resource.feed, Events | EncounterEvents)
