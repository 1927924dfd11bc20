"""Requests that succeed: for each endpoint the least it needs, about records that the emulator has."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from typing import Any

import httpx

from candid_provider.emulator.catalogue import Endpoint, endpoints, required_body

from .recipes import RECIPES
from .values import PLACEHOLDERS, VALUES

Row = dict[str, Any]
_FILE = ("qvexzo.pdf", b"%PDF-1.4 qvexzo", "application/pdf")


@dataclass
class Request:
    """The parts of a request to an endpoint, under the names they have on the wire."""

    endpoint: Endpoint
    path: Row
    query: Row
    body: Any

    def arguments(self, method: Any) -> Row:
        """The request as the arguments of the SDK's method."""
        types = {row.name: row.type for row in self.endpoint.query_params}
        given = {_snake(name): _typed(types[name], value) for name, value in self.query.items()}
        given |= self.path
        name = self.endpoint.body.get("python_name")
        if name is not None:
            given[name] = self.body
        elif isinstance(self.body, dict):
            given |= self.body
        assert given.keys() <= inspect.signature(method).parameters.keys()
        return given

    def send(self, http: httpx.Client) -> httpx.Response:
        """The request without the SDK."""
        path = self.endpoint.path
        for name, value in self.path.items():
            path = path.replace("{" + name + "}", str(value))
        body: Row = {"json": self.body} if self.endpoint.body["kind"] == "json" else {}
        if self.endpoint.body["kind"] == "multipart":
            files = {row["name"] for row in self.endpoint.body["fields"] if row["part"] == "file"}
            body = {
                "files": {name: value for name, value in self.body.items() if name in files},
                "data": {name: value for name, value in self.body.items() if name not in files},
            }
        return http.request(self.endpoint.verb, path, params=self.query, **body)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def _typed(kind: str, value: Any) -> Any:
    if kind == "dt.datetime":
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if kind == "dt.date" else value


class Office:
    """Knows an emulator's records, and makes new ones for whatever is to be changed."""

    def __init__(self, http: httpx.Client) -> None:
        self.http: httpx.Client = http
        self._numbers = count(1)
        self._seen: set[str] = set()

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def is_new(self, text: str) -> bool:
        """Whether it was not asked before of this text."""
        new = text not in self._seen
        self._seen.add(text)
        return new

    def value(self, name: str) -> Any:
        """What goes by a name."""
        return VALUES[name](self)

    def advance(self, hours: int) -> None:
        """Let time pass in the world."""
        assert self.http.post("/_emulator/clock", json={"advance": hours * 3600}).is_success

    def fresh(self, stem: str) -> str:
        """A text that was not used before."""
        return f"{stem}-{next(self._numbers)}"

    # --- records

    def rows(self, endpoint_id: str, **query: Any) -> list[Any]:
        """The first page of a listing."""
        page = self.send(self.request(endpoint_id, **query))
        rows: list[Any] = (
            page if isinstance(page, list) else next(row for row in page.values() if isinstance(row, list))
        )
        return rows

    def first(self, endpoint_id: str, **query: Any) -> Row:
        rows = self.rows(endpoint_id, **query)
        assert rows, f"{endpoint_id} lists nothing"
        return dict(rows[0])

    def made(self, endpoint_id: str, **changes: Any) -> Any:
        """What an endpoint answers to its request, changed so."""
        return self.send(self.request(endpoint_id, **changes))

    def send(self, request: Request) -> Any:
        answer = request.send(self.http)
        assert answer.is_success, f"{request.endpoint.id}: {answer.status_code} {answer.text} to {request.body}"
        return answer.json() if answer.content else None

    # --- requests

    def request(self, endpoint_id: str, **changes: Any) -> Request:
        """A request that succeeds, once. `changes` (`body`: all of it) go before the recipe, it before the rest."""
        endpoint = endpoints()[endpoint_id]
        changes = RECIPES.get(endpoint_id, _nothing)(self) | changes
        path = {row.name: row.name for row in endpoint.path_params if row.name not in changes}
        path = self.filled(path) | _taken(changes, [row.name for row in endpoint.path_params])
        known = [row.name for row in endpoint.query_params]
        query = {row.name: row.name for row in endpoint.query_params if row.required and row.name not in changes}
        query = self.filled(query) | _taken(changes, known)
        return Request(endpoint, path, query, self._body(endpoint, changes))

    def _body(self, endpoint: Endpoint, changes: Row) -> Any:
        if endpoint.body["kind"] == "none":
            assert not changes
            return None
        if "body" in changes:
            return changes["body"]
        if endpoint.body["kind"] == "multipart":
            fields = {row["name"]: _FILE for row in endpoint.body["fields"] if row["part"] == "file"}
            return self.filled({row["name"]: row["name"] for row in endpoint.body["fields"]}) | fields | changes
        body = required_body(endpoint.id)
        if isinstance(body, dict):
            return self.filled({name: value for name, value in body.items() if name not in changes}) | changes
        return self.filled(body)

    def filled(self, sample: Any, name: str = "") -> Any:
        """A sample, its ids replaced by those of records, its placeholders by texts that carry a marker."""
        if isinstance(sample, dict):
            return {name: self.filled(value, name) for name, value in sample.items()}
        if isinstance(sample, list):
            return [self.filled(value, name.removesuffix("s")) for value in sample]
        if name in VALUES:
            return VALUES[name](self)
        if sample in PLACEHOLDERS:
            return PLACEHOLDERS[sample]
        return f"Qvexzo {name}" if sample in (name, name + "s") else sample


def _nothing(_: Office) -> Row:
    return {}


def _taken(changes: Row, names: list[str]) -> Row:
    return {name: changes.pop(name) for name in names if name in changes}
