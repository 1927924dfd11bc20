"""Calls as values: one request and how to read its answer; sent sync or async, paged to the end."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pendulum

from candid_provider.api.client import CandidAsyncClient, CandidClient, aexchange, exchange
from candid_provider.api.routes import route_of
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError

if TYPE_CHECKING:
    from candid_provider.api.paging import Paging

READS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = READS | {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call:
    """Describe one API request; sending it is somebody else's work.

    :param method: HTTP method.
    :param path: path relative to the environment, with placeholders: ``/api/encounters/v4/{encounter_id}``.
        Under ``/api/`` it goes to the API's host, anything else to the pre-encounter host.
    :param path_params: values of the placeholders; they are quoted, so that no id reaches another route.
    :param params: query; a sequence repeats its key, None leaves it out, dates and aware times go out in UTC.
    :param json: body; dates and aware times as well.
    :param read_only: sending it twice does no harm, so it is retried; by default what GET and HEAD are.
    :param paging: how the answer is read as a page.
    :param final: error names and HTTP statuses that are raised at once where others would be tried again: who
        waits for something for hours asks for itself when to ask again.
    :param patience: seconds within which it is sent again, where that is fewer than its client's.
    :raises CandidConfigError: method, path or placeholders are wrong.
    """

    method: str
    path: str
    path_params: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    read_only: bool | None = None
    paging: Paging | None = None
    final: frozenset[str | int] = frozenset()
    patience: float = math.inf

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise CandidConfigError(f"method is not one of {', '.join(sorted(METHODS))}", field="method")
        if not self.path.startswith("/") or self.path.startswith("//"):
            raise CandidConfigError(
                "path is not relative to the connection's host. Begin it with a single '/'", field="path"
            )
        if re.search(r"[?#\\\s\x00-\x1f\x7f]|%2f|%5c|(^|/)(\.|%2e){1,2}(/|$)", self.path, re.IGNORECASE):
            raise CandidConfigError(
                "path holds '..', a query or a blank. Put queries into params and ids into path_params",
                field="path",
            )
        names = set(re.findall(r"{(\w+)}", self.path))
        if names != set(self.path_params):
            odd = sorted(names ^ set(self.path_params))[0]
            raise CandidConfigError(f"path_params and path disagree about {{{odd}}}", field="path_params")

    def __repr__(self) -> str:
        return f"Call({self.route})"

    @property
    def route(self) -> str:
        """Method and route template, for logs and errors."""
        return f"{self.method} {route_of(self.path)}"

    @property
    def retry(self) -> bool:
        """Whether it may be sent again when its fate is unknown."""
        return self.method in READS if self.read_only is None else self.read_only

    @property
    def target(self) -> str:
        """The path with its placeholders filled in."""
        quoted = {name: _segment(name, value) for name, value in self.path_params.items()}
        return re.sub(r"{(\w+)}", lambda match: quoted[match[1]], self.path)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters as they are sent.

        :raises CandidConfigError: one is a time without a time zone.
        """
        given = {name: value for name, value in self.params.items() if value is not None}
        return {
            name: [_text(name, each) for each in (value if isinstance(value, list | tuple | set) else [value])]
            for name, value in given.items()
        }

    @property
    def body(self) -> bytes | None:
        """The body as it is sent.

        :raises CandidConfigError: it cannot be written as JSON, as NaN cannot.
        """
        if self.json is None:
            return None
        try:
            # msgspec alone would send NaN as null.
            plain = msgspec.to_builtins(self.json)
            return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            problem = type(error).__name__
        raise CandidConfigError(f"json cannot be written as JSON ({problem})", field="json")

    def with_params(self, /, **params: Any) -> Call:
        """Copy the call with some query parameters set."""
        return dataclasses.replace(self, params={**self.params, **params})


def _text(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime.datetime() if value.tzinfo is None:
            raise CandidConfigError(f"params: {name} is a time without a time zone. Give it one", field="params")
        case datetime.datetime():
            return pendulum.instance(value).in_timezone("UTC").isoformat().replace("+00:00", "Z")
        case datetime.date():
            return value.isoformat()
    return _encodable("params", name, str(value))


def _encodable(argument: str, name: str, text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise CandidConfigError(f"{argument}: {name} holds half a character (a lone surrogate)", field=argument)
    return text


def _segment(name: str, value: str | None) -> str:
    if value is None:
        raise CandidConfigError(f"path_params: {name} is None", field="path_params")
    text = quote(_encodable("path_params", name, str(value)), safe="")
    if text in ("", ".", ".."):
        raise CandidConfigError(f"path_params: {name} is empty or a dot segment", field="path_params")
    return text


@dataclass(frozen=True, slots=True)
class Page:
    """Hold one page of a listing, its records as the bytes that came.

    :param rows: one JSON text a record; they are slices of the answer, neither parsed nor copied.
    :param next: the call for the next page, None at the end; its parameters are a checkpoint.
    :param nbytes: size of the answer.
    """

    rows: list[msgspec.Raw] = field(repr=False)
    next: Call | None = field(repr=False)
    nbytes: int = 0

    @property
    def items(self) -> list[Any]:
        """The records, parsed."""
        return [msgspec.json.decode(row) for row in self.rows]


def send(client: CandidClient, call: Call) -> Any:
    """Send a call and give its parsed answer: JSON, or None for an empty one.

    :raises CandidError: the typed error of what went wrong; reads were retried by then.
    """
    return exchange(client, call, _read_json)


def send_bytes(client: CandidClient, call: Call) -> bytes:
    """Send a call and give its answer as the bytes that came."""
    return exchange(client, call, lambda _, content: content)


async def asend(client: CandidAsyncClient, call: Call) -> Any:
    """Send a call and give its parsed answer, without holding the event loop."""
    return await aexchange(client, call, _read_json)


async def asend_page(client: CandidAsyncClient, call: Call) -> Page:
    """Send the call for one page of a listing and cut its answer into records, without holding the event loop.

    :raises CandidError: the typed error of what went wrong; reads were retried by then.
    """
    page: Page = await aexchange(client, call, _reader(call))
    return page


async def asend_raw(client: CandidAsyncClient, call: Call) -> msgspec.Raw:
    """Send a call and give its answer as the JSON text that came, without holding the event loop."""
    return await aexchange(client, call, _read_raw)


def pages(client: CandidClient, call: Call) -> Iterator[Page]:
    """Follow a listing to its end, one page in memory at a time.

    :raises CandidUnavailableError: the server leads in a circle.
    """
    seen = {_position(call)}
    following: Call | None = call
    while following:
        page = exchange(client, following, _reader(following))
        following = _guarded(page.next, seen)
        yield page


async def apages(client: CandidAsyncClient, call: Call) -> AsyncIterator[Page]:
    """Follow a listing to its end without holding the event loop."""
    seen = {_position(call)}
    following: Call | None = call
    while following:
        page = await aexchange(client, following, _reader(following))
        following = _guarded(page.next, seen)
        yield page


def _read_raw(call: Call, content: bytes) -> msgspec.Raw:
    str(content, "utf-8")  # msgspec looks for the end of a text only
    return _RAW.decode(content)


_RAW = msgspec.json.Decoder(msgspec.Raw)


def _read_json(call: Call, content: bytes) -> Any:
    return msgspec.json.decode(content) if content.strip() else None


def _reader(call: Call) -> Any:
    if call.paging is None:
        raise CandidConfigError(
            f"{call.route} has no paging. Give the call a paging style of candid_provider.api.paging",
            field="paging",
        )
    return call.paging.read


def _position(call: Call | None) -> str:
    return call.paging.position(call) if call and call.paging else ""


def _guarded(call: Call | None, seen: set[str]) -> Call | None:
    position = _position(call)
    if position and position in seen:
        raise CandidUnavailableError(
            "the listing leads in a circle: Candid gave the same page token twice",
            route=call.route if call else None,
            retryable=False,
        )
    seen.add(position)
    return call
