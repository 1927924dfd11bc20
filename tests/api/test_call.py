"""Calls: which paths they refuse, how they fill placeholders, and what they show of themselves."""

from __future__ import annotations

import datetime
import pickle
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.call import Call, Page
from candid_provider.api.paging import TokenPaging
from candid_provider.exceptions import CandidConfigError
from tests.api.conftest import Sender, settings_for
from tests.oauth.scripted import Scripted, answer, everything_in, serving


def get(path: str, **fields: Any) -> Call:
    return Call(method="GET", path=path, **fields)


def refusal(**fields: Any) -> CandidConfigError:
    with pytest.raises(CandidConfigError) as caught:
        Call(**({"method": "GET", "path": "/x"} | fields)).target  # noqa: B018 - reading it is the test
    assert "Jane" not in everything_in(caught.value)
    return caught.value


def arrived(server: Scripted) -> list[str]:
    return [request.target for request in server.requests]


# --- what is refused


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Jane",
        "https://Jane.example/x",
        "//Jane.example/x",
        "/api/../Jane",
        "/..",
        "/Jane/.",
        "/./Jane",
        "/%2e%2e/Jane",
        "/.%2E/Jane",
        "/%2e/Jane",
        "/x?q=Jane",
        "/x#Jane",
        "/x\\Jane",
        "\\\\Jane\\x",
        "/Jane%2fx",
        "/Jane%5Cx",
        "/Jane Roe",
        "/Jane\n",
        "/Jane\r\nX: y",
        "/Jane\t",
        "/Jane\x00",
        "/Jane\x1b",
        "/Jane\x7f",
        "/Jane\u00a0Roe",
        "/Jane\u2028",
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    assert refusal(path=path).field == "path"


@pytest.mark.parametrize("path", ["/x", "/api/events/v1/", "/coverages/v1//updates/scan", "/a.b/..c", "/x-y_z~1"])
def test_paths_that_are_taken(path: str) -> None:
    assert get(path).target == path


@pytest.mark.parametrize("method", ["get", "", "TRACE", "CONNECT", "GET\r\nX: Jane"])
def test_another_method_is_refused(method: str) -> None:
    error = refusal(method=method)
    assert error.field == "method"
    assert "PATCH" in str(error)


@pytest.mark.parametrize(
    ("path", "given", "odd"),
    [("/x/{id}", {}, "{id}"), ("/x", {"id": "Jane"}, "{id}"), ("/x/{id}", {"mrn": "Jane"}, "{id}")],
)
def test_placeholders_and_values_must_agree(path: str, given: dict[str, str], odd: str) -> None:
    error = refusal(path=path, path_params=given)
    assert error.field == "path_params"
    assert odd in str(error)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_that_is_empty_or_dots_is_refused(value: str) -> None:
    error = refusal(path="/patients/v1/{id}", path_params={"id": value})
    assert error.field == "path_params"
    assert "id" in str(error)


def test_an_id_that_is_no_text_at_all_is_refused_without_being_shown() -> None:
    assert refusal(path="/patients/v1/{id}", path_params={"id": "Jane\ud800"}).field == "path_params"


# --- placeholders

HOSTILE_IDS = [
    "a/b",
    "a?b",
    "#1",
    "../../x",
    "%2e%2e",
    "a%2fb",
    "a b",
    "a\\b",
    "a;b",
    "\u00fc",
    "x\r\ny",
    "{id}",
    "a&b=c",
]


@pytest.mark.parametrize("value", HOSTILE_IDS)
def test_an_id_stays_one_segment_when_it_arrives(sender: Sender, server: Scripted, value: str) -> None:
    sender.send(get("/patients/v1/{id}/history", path_params={"id": value}))
    (target,) = arrived(server)
    prefix, segment, suffix = target.removeprefix("/patients/v1").split("/")
    assert (prefix, urllib.parse.unquote(segment), suffix) == ("", value, "history")


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..")))
def test_any_id_fills_one_segment(value: str) -> None:
    target = get("/patients/v1/{id}", path_params={"id": value}).target
    assert target.count("/") == 3
    assert urllib.parse.unquote(target.removeprefix("/patients/v1/")) == value


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    call = get("/patients/v1/{id}/{version}", path_params={"id": "{version}", "version": "7"})
    assert call.target == "/patients/v1/%7Bversion%7D/7"


def test_an_id_may_be_a_number_or_a_uuid() -> None:
    assert get("/patients/v1/{id}", path_params={"id": 7}).target == "/patients/v1/7"


# --- query and body


def test_none_is_left_out_and_sequences_repeat(sender: Sender, server: Scripted) -> None:
    sender.send(get("/api/x", params={"a": None, "b": ["1", "2"], "c": "x y&z=\u00fc", "d": 5, "e": True}))
    query = urllib.parse.parse_qsl(arrived(server)[0].partition("?")[2])
    assert query == [("b", "1"), ("b", "2"), ("c", "x y&z=\u00fc"), ("d", "5"), ("e", "true")]


def test_dates_go_as_iso_and_aware_times_in_utc(sender: Sender, server: Scripted) -> None:
    ahead = datetime.timezone(datetime.timedelta(hours=2))
    moment, day = datetime.datetime(2026, 3, 1, 1, 30, tzinfo=ahead), datetime.date(2026, 3, 1)
    sender.send(get("/api/x", params={"since": moment, "days": [day, day]}))
    query = urllib.parse.parse_qsl(arrived(server)[0].partition("?")[2])
    assert query == [("since", "2026-02-28T23:30:00Z"), ("days", "2026-03-01"), ("days", "2026-03-01")]


def test_a_time_without_a_time_zone_is_refused_by_name(sender: Sender, server: Scripted) -> None:
    with pytest.raises(CandidConfigError, match=r"since.*time zone"):
        sender.send(get("/api/x", params={"since": datetime.datetime.fromisoformat("2026-03-01T00:00")}))
    assert server.requests == []


@pytest.mark.parametrize("params", [{}, {"a": None}])
def test_without_parameters_there_is_no_query(sender: Sender, server: Scripted, params: dict[str, None]) -> None:
    sender.send(get("/api/x", params=params))
    assert arrived(server) == ["/api/x"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_method_may_carry_json(sender: Sender, server: Scripted, method: str) -> None:
    sender.send(Call(method=method, path="/api/x", json={"a": [1]}))
    (request,) = server.requests
    assert (request.method, request.body) == (method, b'{"a":[1]}')


@pytest.mark.parametrize("body", [{}, [], 0, False, ""])
def test_an_empty_body_is_sent_all_the_same(sender: Sender, server: Scripted, body: Any) -> None:
    sender.send(Call(method="POST", path="/api/x", json=body))
    assert server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "fields",
    [{"json": {"name": "Jane \ud800"}}, {"params": {"name": "Jane \ud800"}}, {"json": {"Jane": float("nan")}}],
    ids=["json", "params", "not a number"],
)
def test_what_cannot_be_encoded_is_refused_without_being_shown(
    hasty: Sender, server: Scripted, fields: dict[str, Any]
) -> None:
    assert isinstance(hasty.fails(Call(method="POST", path="/api/x", **fields)), CandidConfigError)
    assert server.requests == []


@pytest.mark.parametrize(("path", "host"), [("/api/x", 0), ("/apix", 1), ("/patients/v1", 1), ("/api", 1)])
def test_the_path_decides_which_host_is_asked(server: Scripted, path: str, host: int, asynchronous: bool) -> None:
    with serving() as other:
        settings = settings_for(server.url, pre_encounter=other.url)
        Sender(settings, 0, asynchronous).send(get(path))
        assert arrived([server, other][host]) == [path]
        assert arrived([other, server][host]) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_empty_answer_is_none(sender: Sender, server: Scripted, method: str) -> None:
    server.answers = [answer(None, 200)]
    assert sender.send(Call(method=method, path="/api/x")) is None


# --- what shows


def test_neither_ids_nor_parameters_show() -> None:
    call = Call(
        method="POST",
        path="/patients/v1/{id}",
        path_params={"id": "Jane"},
        params={"q": "Jane"},
        json={"name": "Jane"},
    )
    assert repr(call) == "Call(POST /patients/v1/{id})" == str(call)
    assert call.route == "POST /patients/v1/{id}"


@pytest.mark.parametrize("path", ["/patients/v1/Jane", "/Jane/Roe", "/patients/v1/mrn/Jane"])
def test_an_id_written_into_the_path_does_not_show_either(path: str) -> None:
    assert "Jane" not in f"{get(path)} {get(path).route}"


def test_a_page_shows_no_records() -> None:
    page = TokenPaging().read(get("/api/x"), b'{"items": [{"name": "Jane"}], "next_page_token": "Jane"}')
    assert page.items == [{"name": "Jane"}]
    assert "Jane" not in repr(page)


def test_with_params_copies() -> None:
    call = get("/api/x", params={"a": 1, "b": 2})
    assert call.with_params(b=3, c=4).params == {"a": 1, "b": 3, "c": 4}
    assert call.params == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("method", "read_only", "retry"),
    [("GET", None, True), ("HEAD", None, True), ("POST", None, False), ("POST", True, True), ("GET", False, False)],
)
def test_reads_may_be_sent_again(method: str, read_only: bool | None, retry: bool) -> None:
    assert Call(method=method, path="/x", read_only=read_only).retry is retry


def test_a_call_survives_pickling() -> None:
    call = get("/patients/v1/{id}", path_params={"id": "1"}, params={"a": ["b"]}, paging=TokenPaging())
    assert pickle.loads(pickle.dumps(call)) == call


def test_a_page_without_paging_is_refused(sender: Sender) -> None:
    with pytest.raises(CandidConfigError, match="paging") as failure:
        sender.pages(get("/api/x"))
    assert failure.value.field == "paging"
    assert Page([], None).items == []
