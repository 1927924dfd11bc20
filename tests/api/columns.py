"""Columns of records, read off the SDK's models: ``python -m tests.api.columns`` writes ``api/columns.json`` anew.

A listing's columns are those of its records, any other GET's those of its answer.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import types
import typing
import uuid
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

FILE = REPOSITORY / "candid_provider" / "api" / "columns.json"
ENDPOINTS = REPOSITORY / "candid_provider" / "emulator" / "facts" / "endpoints.json"
KINDS = {
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    uuid.UUID: "string",
    decimal.Decimal: "string",
    datetime.datetime: "timestamp",
    datetime.date: "date",
}


def kind(annotation: Any) -> str:
    """Name the type of a column; whatever is nested or can be several things is JSON."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind(arguments[0])
    if origin in (typing.Union, types.UnionType):
        kinds = {kind(each) for each in arguments if each is not type(None)}
        return kinds.pop() if len(kinds) == 1 else "json"
    if origin is typing.Literal:
        return "string" if all(isinstance(each, str) for each in arguments) else "json"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return "string" if all(isinstance(each.value, str) for each in annotation) else "json"
    return KINDS.get(annotation, "json") if isinstance(annotation, type) else "json"


def wire_name(name: str, field: Any) -> str:
    aliases = [getattr(each, "alias", None) for each in field.metadata]
    return next((alias for alias in [field.alias, *aliases] if alias), name)


def record(endpoint: dict[str, Any], client: Any) -> Any:
    """Find the type of what an endpoint answers with, or lists."""
    owner = client
    for part in endpoint["resource"].split("."):
        owner = getattr(owner, part)
    answer = typing.get_type_hints(getattr(type(owner), endpoint["method"]))["return"]
    paging = endpoint["paging"]
    if paging and (key := paging.get("items_key")) and hasattr(answer, "model_fields"):
        answer = answer.model_fields[key].annotation
    return answer


def models_in(annotation: Any) -> list[Any]:
    """List the models that an annotation speaks of: of a list its items', of a union all."""
    if typing.get_origin(annotation) is typing.Annotated:
        return models_in(typing.get_args(annotation)[0])
    if arguments := typing.get_args(annotation):
        return [model for each in arguments for model in models_in(each)]
    return [annotation] if getattr(annotation, "model_fields", None) else []


def columns_of(models: list[Any]) -> dict[str, str]:
    """Give the columns of records that are of one of these models."""
    found: dict[str, str] = {}
    for model in models:
        for name, field in model.model_fields.items():
            wire, its = wire_name(name, field), kind(field.annotation)
            found[wire] = its if found.get(wire, its) == its else "json"
    return found


def columns() -> dict[str, Any]:
    """Give columns by model, and the model by route."""
    from candid import CandidApiClient
    from candid.environment import CandidApiClientEnvironment

    local = CandidApiClientEnvironment(candid_api="http://localhost", pre_encounter="http://localhost")
    client = CandidApiClient(token=lambda: "none", environment=local)
    models: dict[str, dict[str, str]] = {}
    routes: dict[str, str] = {}
    for endpoint in json.loads(ENDPOINTS.read_text()):
        if not endpoint["paging"] and endpoint["verb"] != "GET":
            continue
        if listed := models_in(record(endpoint, client)):
            name = " or ".join(dict.fromkeys(model.__name__ for model in listed))
            route = f"{endpoint['verb']} {endpoint['path'].rstrip('/')}"
            routes[route] = entered(models, name, columns_of(listed))
    return {"models": dict(sorted(models.items())), "routes": dict(sorted(routes.items()))}


def entered(models: dict[str, dict[str, str]], name: str, found: dict[str, str]) -> str:
    """Enter a model's columns; several models of the SDK share a name."""
    names = [name, *(f"{name} {number}" for number in range(2, 10))]
    free = next(each for each in names if models.setdefault(each, found) == found)
    return free


def written(table: dict[str, Any]) -> str:
    """Write the table, a model a line."""
    rooms = (
        f'"{room}": {{\n' + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}"
        for room, rows in table.items()
    )
    return "{\n" + ",\n".join(rooms) + "\n}\n"


def main() -> None:
    """Write the file."""
    Path(FILE).write_text(written(columns()))


if __name__ == "__main__":
    main()
