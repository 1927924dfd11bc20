"""The next page is asked for before this one is read: by a guess, which may be wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.api.call import Call
from candid_provider.api.paging import ENDS, TokenPaging
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.transfers.extraction.fetch import HEAD_START, LONG_WAIT, Arrived, take
from tests.conftest import Connect
from tests.oauth.scripted import Answer, Request, Scripted, answer, serving
from tests.transfers.extraction.conftest import extract, rows

LAST = 5
DECOY = '{"note":"\\"next_page_token\\"", "next_page_token": "%s"}'


class Listing(Scripted):
    """Pages 0 to 5 of two rows each, whose tokens are their numbers, written as a test wants them.

    :param write: makes an answer's text from its rows' and its token's.
    """

    write: Callable[[str, str], str]
    spoiled: dict[int, list[bytes]]

    def take(self, request: Request) -> Answer:
        if urlsplit(request.target).path != "/api/payers/v4":
            return super().take(request)
        with self.lock:
            self.requests.append(request)
            number = int(parse_qs(urlsplit(request.target).query).get("page_token", ["0"])[0])
            if number > LAST:
                return answer({"errorName": "UnprocessableEntityError"}, 422)
            if bodies := self.spoiled.get(number):
                return Answer(body=bodies.pop(0))
            rows = ",".join(json.dumps({"payer_uuid": f"{number}-{each}", "é": "x" * ENDS}) for each in "ab")
            token = json.dumps(str(number + 1)) if number < LAST else "null"
            return Answer(body=self.write(rows, token).encode())

    @property
    def asked(self) -> list[str]:
        return [parse_qs(urlsplit(each.target).query).get("page_token", ["0"])[0] for each in self.requests]


@pytest.fixture
def listing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listing]:
    with serving() as script:
        script.__class__ = Listing
        assert isinstance(script, Listing)
        script.spoiled, script.write = {}, at_the_end
        connect(host=script.url)
        yield script


def at_the_end(rows: str, token: str) -> str:
    return f'{{"items":[{rows}], "next_page_token" : {token}}}'


def at_the_beginning(rows: str, token: str) -> str:
    return f'{{"next_page_token":{token},"items":[{rows}]}}'


def escaped(rows: str, token: str) -> str:
    return at_the_end(rows, token.replace("1", "\\u0031"))


def behind_a_decoy(decoy: str) -> Callable[[str, str], str]:
    """Write the token before rows of which the last has another one."""
    return lambda rows, token: f'{{"next_page_token":{token},"items":[{rows}],"prev":{DECOY % decoy}}}'


def read(tmp_path: Path) -> list[str]:
    extract(resource="payers", path=str(tmp_path))
    return [row["payer_uuid"] for row in rows(tmp_path)]


WHOLE = [f"{number}-{each}" for number in range(LAST + 1) for each in "ab"]


@pytest.mark.parametrize("write", [at_the_end, at_the_beginning, escaped])
def test_a_listing_comes_whole_and_no_page_is_asked_for_twice(
    listing: Listing, tmp_path: Path, write: Callable[[str, str], str]
) -> None:
    listing.write = write
    assert read(tmp_path) == WHOLE
    assert listing.asked == [str(number) for number in range(LAST + 1)]


@pytest.mark.parametrize("decoy", ["99", "3", "0"], ids=["no page", "another page", "the first page"])
def test_a_wrong_guess_costs_a_request_and_no_row(listing: Listing, tmp_path: Path, decoy: str) -> None:
    listing.write = behind_a_decoy(decoy)
    assert read(tmp_path) == WHOLE
    assert len(listing.asked) <= LAST + 1 + 2  # what was asked for by the guess


@pytest.mark.parametrize(
    "spoiled",
    [b'{"items":[{"payer_uuid":"3-a"},{], "next_page_token":"4"}', b'{"items":[{"a":"\xff"}],"next_page_token":"4"}'],
    ids=["cut", "no UTF-8"],
)
def test_a_page_that_cannot_be_read_is_asked_for_again(
    listing: Listing, tmp_path: Path, spoiled: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    listing.spoiled = {3: [spoiled]}
    assert read(tmp_path) == WHOLE
    assert listing.asked.count("3") == 2
    assert "GET /api/payers/v4: an answer is not what the API documents; asking again" in capsys.readouterr().out


def test_a_page_that_never_can_be_read_ends_the_extract_and_a_retry_goes_on_there(
    listing: Listing, tmp_path: Path
) -> None:
    listing.spoiled = {3: [b'{"items":[}, "next_page_token":"4"}'] * 4}
    with pytest.raises(CandidUnavailableError, match="not what the API documents"):
        read(tmp_path)
    assert listing.asked.count("3") == 1 + 3
    before = len(listing.asked)
    assert read(tmp_path) == WHOLE
    assert listing.asked[before:] == ["3", "4", "5"]


def test_the_next_page_is_on_its_way_before_this_one_is_read(
    listing: Listing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = list[str]()
    plain = TokenPaging.read

    def noted(self: TokenPaging, call: Call, content: bytes) -> Any:
        readers.append(threading.current_thread().name)
        return plain(self, call, content)

    monkeypatch.setattr(TokenPaging, "read", noted)
    assert read(tmp_path) == WHOLE
    assert readers == ["MainThread"] * LAST + ["candid-fetch"]  # the last one has no token


@pytest.mark.parametrize(("waited", "pauses"), [(LONG_WAIT / 2, []), (LONG_WAIT, [HEAD_START])])
def test_after_a_long_wait_the_next_request_goes_before_this_page_is_read(
    monkeypatch: pytest.MonkeyPatch, waited: float, pauses: list[float]
) -> None:
    paused, clock = list[float](), iter((0.0, waited))
    time = SimpleNamespace(monotonic=lambda: next(clock), sleep=paused.append)
    monkeypatch.setattr("candid_provider.transfers.extraction.fetch.time", time)
    arrivals = SimpleQueue[Arrived | None]()
    arrivals.put(None)
    assert take(arrivals) is None
    assert paused == pauses


def test_a_glimpse_says_nothing_of_what_it_does_not_see() -> None:
    call = Call(method="GET", path="/api/payers/v4", paging=TokenPaging())
    assert isinstance(call.paging, TokenPaging)
    for content in (b"", b"{}", b'{"next_page_token":null}', b'{"next_page_token":""}', b'{"next_page_token":7}'):
        assert call.paging.glimpse(call, content) is None
    far = b" " * (ENDS * 2) + b'"next_page_token":"7"' + b" " * (ENDS * 2)
    assert call.paging.glimpse(call, far) is None
    assert call.paging.glimpse(call, far.strip()) == call.with_params(page_token="7")


def test_a_token_in_the_body_is_guessed_too() -> None:
    paging = TokenPaging(token_in="body")
    call = Call(method="POST", path="/api/patient-ar/v1/inventory", json={"limit": 1}, paging=paging)
    following = paging.glimpse(call, b'{"records":[],"next_page_token":"7"}')
    assert following
    assert following.json == {"limit": 1, "page_token": "7"}


def test_a_wrong_guess_is_no_circle(listing: Listing, tmp_path: Path) -> None:
    """Page 1 seems to be followed by itself, which would be a circle if that were what the answer says."""

    def write(rows: str, token: str) -> str:
        decoy = f',"prev":{DECOY % "1"}' if '"1-a"' in rows else ""
        return f'{{"next_page_token":{token},"items":[{rows}]{decoy}}}'

    listing.write = write
    assert read(tmp_path) == WHOLE


def test_a_circle_ends_the_extract(listing: Listing, tmp_path: Path) -> None:
    listing.write = lambda rows, token: at_the_end(rows, token if token != '"5"' else '"2"')
    with pytest.raises(AirflowFailException, match="leads in a circle"):
        read(tmp_path)


def test_what_must_not_be_sent_twice_is_not(listing: Listing, tmp_path: Path) -> None:
    listing.answers = [Answer(body=b'{"items":[{"a":}],"next_page_token":"4"}')]
    call = Call(method="POST", path="/api/x/v1", json={}, paging=TokenPaging(token_in="body"))
    with pytest.raises(AirflowFailException, match="not what the API documents"):
        extract(resource=call, path=str(tmp_path))
    assert len(listing.requests) == 1
