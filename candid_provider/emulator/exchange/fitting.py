"""Whether a request body fits the models of Candid's SDK, and if not, which field is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final, NamedTuple
from uuid import UUID

from candid_provider.emulator.catalogue import Schema, body_schema, resolved
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.world.world import milliseconds


class Misfit(NamedTuple):
    """A field, by its path, and what is wrong with it."""

    where: str
    message: str


_TYPES: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "string": ((str,), "a string"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "array": ((list,), "a list"),
    "object": ((dict,), "an object"),
    "null": ((type(None),), "null"),
}
_FORMATS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "date": (date.fromisoformat, "must be a date, YYYY-MM-DD"),
    "date-time": (lambda text: milliseconds(moment_of(text)), "must be an ISO 8601 date-time with a UTC offset"),
    "uuid": (UUID, "must be a UUID"),
}


def misfit(endpoint_id: str, body: Any) -> Misfit | None:
    """The first thing wrong with the body of a request; None if it fits."""
    schema = body_schema(endpoint_id)
    return None if schema is None else next(_misfits(schema, body, ""), None)


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is what a schema describes."""
    return next(_misfits(schema, value, ""), None) is None


def _misfits(schema: Schema, value: Any, where: str) -> Iterator[Misfit]:
    schema = resolved(schema)
    if "anyOf" in schema:
        yield from _none_of(schema["anyOf"], value, where)
    elif (wrong := _plainly_wrong(schema, value)) is not None:
        yield Misfit(where, wrong)
    elif isinstance(value, dict):
        yield from _in_object(schema, value, where)
    elif isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from _misfits(schema["items"], item, f"{where or 'body'}.{number}")


def _none_of(shapes: list[Schema], value: Any, where: str) -> Iterator[Misfit]:
    """What is wrong if a value fits none of several shapes: of the one it was meant to have, as far as that shows."""
    if value is None and {"type": "null"} in shapes:
        return
    found = []
    for shape in map(resolved, shapes):
        wrong = next(_misfits(shape, value, where), None)
        if wrong is None:
            return
        found.append((_resembles(shape, value), wrong))
    yield max(found, key=lambda pair: pair[0])[1]


def _resembles(shape: Schema, value: Any) -> int:
    """How much a value looks like an attempt at a shape."""
    if shape.get("type") == "null" or not isinstance(value, _TYPES[shape.get("type", "object")][0]):
        return 0
    if not isinstance(value, dict):
        return 1
    told = [name for name, item in shape.get("properties", {}).items() if "const" in item]
    return 2 + all(value.get(name) == shape["properties"][name]["const"] for name in told)


def _plainly_wrong(schema: Schema, value: Any) -> str | None:
    if "type" in schema:
        kinds, name = _TYPES[schema["type"]]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return f"must be {name}"
    if "const" in schema and value != schema["const"]:
        return "is not one of the known values"
    if "enum" in schema and value not in schema["enum"]:
        return "is not one of the known values"
    if isinstance(value, str) and schema.get("format") in _FORMATS:
        read, wrong = _FORMATS[schema["format"]]
        try:
            read(value)
        except (ValueError, TypeError, OverflowError):
            return wrong
    return None


def _in_object(schema: Schema, value: dict[str, Any], where: str) -> Iterator[Misfit]:
    inner = f"{where}." if where else ""
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Misfit(inner + name, "is required")
    for name, item in value.items():
        part = properties.get(name, schema.get("additionalProperties"))
        if part:
            yield from _misfits(part, item, inner + name)
