"""What the official SDK's models say of request bodies, as the emulator's facts hold it.

`python -m tests.emulator.body_facts` writes it anew.
"""

from __future__ import annotations

import json
import re
import typing
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import candid_provider.emulator
from candid_provider.emulator.catalogue import Endpoint, endpoints

FACTS = Path(candid_provider.emulator.__file__).parent / "facts" / "bodies.json"
_KEPT = (
    "$ref",
    "anyOf",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "format",
    "additionalProperties",
)


def body_facts() -> dict[str, Any]:
    """A JSON Schema of each JSON body and of the texts of each form, by endpoint, and the definitions they share."""
    from pydantic import TypeAdapter

    types = {name: _types(endpoint) for name, endpoint in endpoints().items() if endpoint.body["kind"] != "none"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs: Any = [
            ((name, field), "validation", TypeAdapter(hint)) for name, hints in types.items() for field, hint in hints
        ]
        schemas, shared = TypeAdapter.json_schemas(inputs)
    bodies = {name: _body(endpoints()[name], hints, schemas) for name, hints in types.items()}
    definitions = {_short(key): _pruned(value) for key, value in shared["$defs"].items()}
    return {"bodies": bodies, "definitions": dict(sorted(definitions.items()))}


@cache
def _client() -> Any:
    from candid import CandidApiClient

    return CandidApiClient(token=str)


def _types(endpoint: Endpoint) -> list[tuple[str, Any]]:
    client = _client()
    resource, _, method = endpoint.id.rpartition(".")
    for part in resource.split("."):
        client = getattr(client, part)
    hints = typing.get_type_hints(getattr(type(client), method), include_extras=True)
    if "fields" not in endpoint.body:
        return [("", hints[endpoint.body["python_name"]])]
    return [(field["name"], hints[_python_name(field["name"], hints)]) for field in _texts(endpoint)]


def _texts(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The fields of a body, without the files of a form."""
    return [field for field in endpoint.body["fields"] if field.get("part") != "file"]


def _python_name(wire: str, hints: dict[str, Any]) -> str:
    snake = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", wire).lower()
    return next(name for name in (wire, snake) if name in hints)


def _body(endpoint: Endpoint, hints: list[tuple[str, Any]], schemas: Any) -> dict[str, Any]:
    parts = {field: _pruned(schemas[((endpoint.id, field), "validation")]) for field, _ in hints}
    if "" in parts:
        return dict(parts[""])
    required = [field["name"] for field in _texts(endpoint) if field["required"]]
    return {"type": "object", "properties": parts, "required": required}


def _pruned(schema: Any) -> Any:
    """Only what says which values fit."""
    if not isinstance(schema, dict):
        return schema
    known = {"anyOf" if key == "oneOf" else key: value for key, value in schema.items()}
    pruned: dict[str, Any] = {key: value for key, value in known.items() if key in _KEPT and value is not True}
    if "$ref" in pruned:
        pruned["$ref"] = _short(pruned["$ref"].rpartition("/")[2])
    if "enum" in pruned:
        pruned["enum"] = [value for value in pruned["enum"] if not str(value).endswith("_UNKNOWN__")]
    if "anyOf" in pruned:
        pruned["anyOf"] = [_pruned(item) for item in pruned["anyOf"]]
    for key in ("items", "additionalProperties"):
        if key in pruned:
            pruned[key] = _pruned(pruned[key])
    if "properties" in pruned:
        properties = pruned["properties"] = {name: _pruned(item) for name, item in pruned["properties"].items()}
        # What tells one shape of several from the others has a default in the SDK, and must be sent.
        told = [name for name, item in properties.items() if "const" in item]
        pruned["required"] = [*told, *(name for name in pruned.get("required", ()) if name not in told)]
    return pruned


def _short(name: str) -> str:
    """Names that the SDK has twice are long paths: without what they have in common."""
    return ".".join(part for part in name.split("__") if part not in ("candid", "resources", "types", ""))


def text() -> str:
    """The facts as a file: a line for each endpoint and each definition."""
    lines = []
    for section, rows in body_facts().items():
        inner = ",\n".join(
            f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows.items()
        )
        lines.append(f"{json.dumps(section)}:{{\n{inner}\n}}")
    return "{" + ",\n".join(lines) + "}\n"


if __name__ == "__main__":
    FACTS.write_text(text())
