"""Downloads from a storage that cuts, changes its mind and forgets: the file comes whole, or the reason is said."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candid_provider.api.download import Version, download
from candid_provider.api.large_reads import READ_AT_ONCE
from candid_provider.api.storage_client import StorageClient
from candid_provider.exceptions import CandidUnavailableError
from tests.api.storage import Storage, serving

CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(280_000)


class Memory:
    """Keep the bytes of a download."""

    def __init__(self, content: bytes = b"", version: Version | None = None) -> None:
        self.content, self.version = bytearray(content), version

    @property
    def size(self) -> int:
        return len(self.content)

    def begin(self, version: Version) -> None:
        self.content.clear()
        self.version = version

    def write(self, chunk: bytes) -> None:
        self.content += chunk


class Clock:
    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(scope="module")
def client() -> Iterator[StorageClient]:
    with StorageClient(timeout=5.0) as client:
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Storage, str]]:
    with serving(Storage(content=CONTENT)) as storage:
        yield storage, storage.url


@pytest.fixture
def storage(server: tuple[Storage, str]) -> Storage:
    storage, url = server
    vars(storage).update(vars(Storage(content=CONTENT, url=url)))
    return storage


def fetched(
    client: StorageClient, storage: Storage, sink: Memory | None = None, clock: Clock | None = None
) -> Memory:
    sink, clock = sink or Memory(), clock or Clock()
    download(client, storage.ask, sink, clock=clock, sleep=clock.sleep)
    return sink


def refused(client: StorageClient, storage: Storage, sink: Memory | None = None) -> CandidUnavailableError:
    with pytest.raises(CandidUnavailableError) as caught:
        fetched(client, storage, sink)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "secret" not in f"{error!r} {vars(error)}"
    return error


def test_a_file_comes_in_one_request_without_a_bearer(client: StorageClient, storage: Storage) -> None:
    assert fetched(client, storage).content == CONTENT
    (request,) = storage.requests
    assert "authorization" not in request
    assert request["accept-encoding"] == "identity"
    assert request["user-agent"].startswith("airflow-provider-candid/")


def test_a_read_takes_more_than_httpx_would(client: StorageClient, storage: Storage) -> None:
    storage.content = b"x" * 8_000_000
    largest = 0

    class Watched(Memory):
        def write(self, chunk: bytes) -> None:
            nonlocal largest
            largest = max(largest, len(chunk))
            super().write(chunk)

    fetched(client, storage, Watched())
    assert 1 << 16 < largest <= READ_AT_ONCE


def test_a_cut_costs_the_rest_and_nothing_more(client: StorageClient, storage: Storage) -> None:
    storage.deeds = deque([("cut", 100_000), ("cut", 50_000)])
    assert fetched(client, storage).content == CONTENT
    asked = [(request.get("range"), request.get("if-range")) for request in storage.requests]
    assert asked == [(None, None), ("bytes=100000-", '"v1"'), ("bytes=150000-", '"v1"')]
    assert storage.sent == len(CONTENT)


def test_a_stall_is_as_good_as_a_cut(storage: Storage) -> None:
    storage.deeds = deque([("stall", 100_000)])
    with StorageClient(timeout=0.2) as client:
        assert fetched(client, storage).content == CONTENT
    assert storage.sent == len(CONTENT)


def test_each_attempt_has_a_fresh_url(client: StorageClient, storage: Storage) -> None:
    asked = []

    def ask() -> str:
        asked.append(1)
        return storage.ask()

    storage.deeds = deque([("cut", 1000), (403, {}), (400, {})])
    sink, clock = Memory(), Clock()
    download(client, ask, sink, clock=clock, sleep=clock.sleep)
    assert (len(asked), bytes(sink.content)) == (4, CONTENT)


def test_a_file_that_has_changed_begins_anew(client: StorageClient, storage: Storage) -> None:
    storage.deeds = deque([("cut", 100_000)])

    def ask() -> str:
        if storage.requests:
            storage.content, storage.etag = OTHER, '"v2"'
        return storage.ask()

    sink, clock = Memory(), Clock()
    download(client, ask, sink, clock=clock, sleep=clock.sleep)
    assert (bytes(sink.content), sink.version) == (OTHER, Version(len(OTHER), '"v2"'))


@pytest.mark.parametrize(
    "lie", ["bytes 5-299999/300000", "bytes 1000-299999/300001", "bytes */300000", "bytes 1000-299999", "x"]
)
def test_a_part_that_is_not_the_rest_is_not_taken(client: StorageClient, storage: Storage, lie: str) -> None:
    storage.deeds = deque([("cut", 1000), ("part", lie)])
    assert fetched(client, storage).content == CONTENT
    assert [request.get("range") for request in storage.requests] == [None, "bytes=1000-", None]


@pytest.mark.parametrize(
    "changes", [{"ranges": False}, {"etag": None}, {"etag": 'W/"v1"'}, {"framing": "chunked"}], ids=str
)
def test_what_cannot_be_gone_on_with_begins_anew(
    client: StorageClient, storage: Storage, changes: dict[str, Any]
) -> None:
    vars(storage).update(changes)
    storage.deeds = deque([("cut", 1000)])
    assert fetched(client, storage).content == CONTENT


def test_a_last_change_is_as_good_as_an_etag(client: StorageClient, storage: Storage) -> None:
    changed = "Mon, 02 Mar 2026 06:00:00 GMT"
    storage.etag, storage.headers = None, {"Last-Modified": changed}
    storage.deeds = deque([("cut", 1000)])
    assert fetched(client, storage).content == CONTENT
    assert storage.requests[1]["if-range"] == changed


def test_bytes_of_an_earlier_try_are_gone_on_with(client: StorageClient, storage: Storage) -> None:
    sink = Memory(CONTENT[:200_000], Version(len(CONTENT), '"v1"'))
    assert fetched(client, storage, sink).content == CONTENT
    assert storage.sent == 100_000


def test_a_whole_file_of_an_earlier_try_is_only_checked(client: StorageClient, storage: Storage) -> None:
    sink = Memory(CONTENT, Version(len(CONTENT), '"v1"'))
    assert fetched(client, storage, sink).content == CONTENT
    assert storage.sent == 0
    storage.content, storage.etag = OTHER, '"v2"'
    assert fetched(client, storage, sink).content == OTHER


def test_a_file_that_has_shrunk_begins_anew(client: StorageClient, storage: Storage) -> None:
    sink = Memory(CONTENT + b"more", Version(len(CONTENT) + 9, '"v1"'))
    assert fetched(client, storage, sink).content == CONTENT


def test_an_empty_file_is_a_file(client: StorageClient, storage: Storage) -> None:
    storage.content = b""
    assert fetched(client, storage).content == b""


def test_a_busy_storage_is_asked_again_when_it_says(client: StorageClient, storage: Storage) -> None:
    storage.deeds = deque([(503, {"Retry-After": "40"}), (429, {"Retry-After": "50"}), (500, {})])
    clock = Clock()
    assert fetched(client, storage, clock=clock).content == CONTENT
    assert clock.slept[0] == 40
    assert clock.slept[1] == 50


def test_patience_counts_from_the_last_byte(client: StorageClient, storage: Storage) -> None:
    outage = [(503, {"Retry-After": "100"})] * 2
    storage.deeds = deque([*outage, ("cut", 1000), *outage, ("cut", 1000), *outage])
    assert fetched(client, storage).content == CONTENT
    storage.deeds = deque([("cut", 1000), *outage * 2])
    error = refused(client, storage)
    assert (error.status_code, error.retryable, error.error_name) == (503, True, "OddCode")


def test_a_signature_that_stays_refused_is_not_asked_for_for_ever(client: StorageClient, storage: Storage) -> None:
    storage.deeds = deque([(403, {})] * 9)
    error = refused(client, storage)
    assert len(storage.requests) == 3
    assert str(error) == "GET the signed URL: the file storage answered HTTP 403 OddCode"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"headers": {"Content-Encoding": "gzip"}}, "compressed"),
        ({"framing": "close"}, "where the file ends"),
        ({"deeds": deque([(418, {})])}, "HTTP 418"),
        ({"deeds": deque([(302, {"Location": "http://example.invalid/secret"})])}, "not https"),
        ({"url": "http://example.invalid"}, "not https"),
        ({"url": "http://127.0.0.1:port"}, "no URL"),
        ({"url": "nonsense"}, "not https"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_retry_can_mend_is_said_at_once(
    client: StorageClient, storage: Storage, changes: dict[str, Any], says: str
) -> None:
    vars(storage).update(changes)
    error = refused(client, storage)
    assert says in str(error)
    assert not error.retryable


def test_a_redirect_is_followed(client: StorageClient, storage: Storage) -> None:
    storage.deeds = deque([(302, {"Location": f"{storage.url}/elsewhere"})])
    assert fetched(client, storage).content == CONTENT


def test_a_refused_connection_is_said_without_the_url(client: StorageClient, storage: Storage) -> None:
    with serving(Storage(content=b"")) as gone:
        pass
    vars(storage).update(url=gone.url)
    error = refused(client, storage)
    assert error.retryable
    assert "ConnectError" in str(error)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.one_of(st.integers(0, 120_000), st.sampled_from([-500, -416, -403])), max_size=8))
def test_whatever_happens_the_bytes_are_right(client: StorageClient, storage: Storage, cuts: list[int]) -> None:
    storage.deeds = deque((-cut, {}) if cut < 0 else ("cut", cut) for cut in cuts)
    sink = Memory()
    try:
        fetched(client, storage, sink)
    except CandidUnavailableError as error:
        assert (error.status_code, cuts.count(-403) >= 3) == (403, True)  # noqa: PT017 - either end is right
    else:
        assert sink.content == CONTENT
