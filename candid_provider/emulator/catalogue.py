"""What is known of Candid's API: its 274 endpoints, and an answer of each that the official SDK parses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

Schema = dict[str, Any]


class Parameter(msgspec.Struct, frozen=True):
    """A path or query parameter; `type` is its Python type in the SDK."""

    name: str
    type: str
    required: bool = True


class Paging(msgspec.Struct, frozen=True):
    """How a listing is paged: `page_token`, `since`, `page envelope` or `bare list`."""

    style: str
    items_key: str | None = None
    total: bool = False
    prev: bool = False
    token_in: str = "query"
    limit_param: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint, under the name it has in the SDK (`encounters.v_4.get_all`)."""

    id: str
    verb: str
    path: str
    host: str
    path_params: tuple[Parameter, ...]
    query_params: tuple[Parameter, ...]
    body: dict[str, Any]
    response: str | None
    errors: tuple[str, ...]
    paging: Paging | None = None

    @property
    def route(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def statuses(self) -> dict[str, int]:
        """The declared errors: their name and HTTP status."""
        return {name: int(status) for status, _, name in (error.partition(" ") for error in self.errors)}


def _fact(name: str) -> bytes:
    return (files(__package__) / "facts" / name).read_bytes()


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """All endpoints of the SDK (candidhealth 1.37.0) by id."""
    return {row.id: row for row in msgspec.json.decode(_fact("endpoints.json"), type=list[Endpoint])}


@cache
def _samples() -> dict[str, Any]:
    samples: dict[str, Any] = json.loads(_fact("samples.json"))
    return samples


@cache
def _template(endpoint_id: str) -> bytes:
    sample = _samples()["responses"][endpoint_id]
    typical = sample["typical"]
    if isinstance(typical, dict):
        typical = dict.fromkeys(sample["optional_fields"] or ()) | typical
    return msgspec.json.encode(typical)


def template(endpoint_id: str) -> Any:
    """A fresh answer of an endpoint in the SDK's shape; optional fields are null, as Candid sends them."""
    return msgspec.json.decode(_template(endpoint_id))


def error_samples() -> dict[str, Any]:
    """Error answers that the SDK raises as its typed exceptions, by a name of their own."""
    samples: dict[str, Any] = _samples()["errors"]
    return samples


def required_body(endpoint_id: str) -> Any:
    """The least that an endpoint's JSON body must hold, with example values; None if nothing is required."""
    request = _samples()["requests"].get(endpoint_id)
    return None if request is None else request["required_body"]


@cache
def _bodies() -> dict[str, dict[str, Any]]:
    bodies: dict[str, dict[str, Any]] = msgspec.json.decode(_fact("bodies.json"))
    return bodies


def body_schema(endpoint_id: str) -> Schema | None:
    """The JSON Schema of a JSON body, or of the texts of a form, by the SDK's models; a `$ref` names a definition."""
    return _bodies()["bodies"].get(endpoint_id)


def body_definitions() -> dict[str, Schema]:
    """The schemas that those of bodies refer to, by name."""
    return _bodies()["definitions"]


def resolved(schema: Schema) -> Schema:
    """The definition that a schema refers to, or else itself."""
    return body_definitions()[schema["$ref"]] if "$ref" in schema else schema


def response_sample(endpoint_id: str) -> Mapping[str, Any] | None:
    """The least that an endpoint answers (`typical`) and the names of its `optional_fields`; None for no body."""
    sample: Mapping[str, Any] | None = _samples()["responses"].get(endpoint_id)
    return sample
