"""Bodies as records keep them, by the SDK's models: what was not given is null, what no model knows is left out."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from candid_provider.emulator.catalogue import Endpoint, Schema, body_definitions, body_schema, resolved
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.fitting import fits
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.world.world import microseconds, milliseconds

Record = dict[str, Any]


def completed(asked: Asked) -> Record:
    """The body of a request, which fits its model, with null for every optional field that it leaves out."""
    body: Record = _Writer(asked.endpoint, complete=True).written(asked.body)
    return body


def given(asked: Asked) -> Record:
    """The fields that a body gives, each completed: a record takes them over when it is changed."""
    return {name: value for name, value in completed(asked).items() if name in asked.body}


def each_completed(asked: Asked) -> list[Record]:
    """A body that is a list, with its items completed."""
    rows: list[Record] = _Writer(asked.endpoint, complete=True).written(asked.body)
    return rows


def normal(endpoint: Endpoint, body: Any) -> Any:
    """A body with its dates, instants and UUIDs as Candid writes them."""
    return _Writer(endpoint, complete=False).written(body)


class _Writer:
    """Writes bodies of an endpoint anew; `complete` ones have every field of their model, and no others."""

    def __init__(self, endpoint: Endpoint, *, complete: bool) -> None:
        self._schema = body_schema(endpoint.id) or {}
        self._complete = complete
        self._instant = milliseconds if endpoint.host == "pre_encounter" else microseconds

    def written(self, body: Any) -> Any:
        return self._value(self._schema, body)

    def _value(self, schema: Schema, value: Any) -> Any:
        schema = resolved(schema)
        if value is None:
            return None
        if "anyOf" in schema:
            return _as_all([self._value(shape, value) for shape in schema["anyOf"] if fits(shape, value)])
        if "properties" in schema:
            return self._object(schema["properties"], value)
        if "additionalProperties" in schema:
            return {name: self._value(schema["additionalProperties"], item) for name, item in value.items()}
        if "items" in schema:
            return [self._value(schema["items"], item) for item in value]
        return self._plain(schema.get("format"), value)

    def _object(self, fields: dict[str, Schema], value: Record) -> Record:
        if self._complete:
            return {name: self._value(part, value.get(name)) for name, part in fields.items()}
        return {name: self._value(fields.get(name, {}), item) for name, item in value.items()}

    def _plain(self, form: str | None, value: Any) -> Any:
        if form == "date-time":
            return self._instant(moment_of(value))
        if form == "date":
            return date.fromisoformat(value).isoformat()
        return str(UUID(value)) if form == "uuid" else value


def _as_all(found: list[Any]) -> Any:
    """Of the shapes that a value fits, the fields of all: nothing tells them apart."""
    if not all(isinstance(value, dict) for value in found):
        return found[0]
    return {name: item for value in found for name, item in value.items()}


# --- what the models have, whatever was given


def completed_model(model: str, value: Record) -> Record:
    """An instance of a model, with null for every field that is left out, all the way down."""
    whole: Record = _whole(body_definitions()[model], value)
    return whole


def _whole(schema: Schema, value: Any) -> Any:
    schema = resolved(schema)
    if not isinstance(value, dict | list):
        return value
    if "anyOf" in schema:
        shape = next((shape for shape in schema["anyOf"] if fits(shape, value)), None)
        return value if shape is None else _whole(shape, value)
    if isinstance(value, list):
        return [_whole(schema.get("items", {}), item) for item in value]
    known = schema.get("properties", {})
    return dict.fromkeys(known) | {name: _whole(known.get(name, {}), item) for name, item in value.items()}


def values_of(enum: str) -> tuple[str, ...]:
    """The values of an enum."""
    return tuple(body_definitions()[enum]["enum"])


def fields_of(model: str) -> tuple[str, ...]:
    """The names of a model's fields."""
    return tuple(body_definitions()[model]["properties"])


def blank(model: str) -> Any:
    """A value with every field that a model has, and with one item in each list: what paths can lead to."""
    return _blank(body_definitions()[model])


def _blank(schema: Schema) -> Any:
    schema = resolved(schema)
    if "anyOf" in schema:
        return _blank(schema["anyOf"][0])
    if "items" in schema:
        return [_blank(schema["items"])]
    return {name: _blank(part) for name, part in schema["properties"].items()} if "properties" in schema else None


def blank_record(model: str) -> Record:
    """A blank record: what a caller may write of it, and what pre_encounter adds."""
    added = ("id", "organization_id", "deactivated", "version", "updated_at", "updating_user_id")
    return {**dict.fromkeys(added), **blank(model)}
