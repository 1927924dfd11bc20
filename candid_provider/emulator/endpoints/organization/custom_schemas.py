"""Schemas of an organization's own fields of claims (Candid: /api/custom-schemas/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import Refusal, declared, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import given
from candid_provider.emulator.exchange.given import check, is_filled
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State

_SEEDED: Final = (
    ("Visit", "What the practice knows of a visit", (("room", "STRING"), ("minutes_waited", "INTEGER"))),
    ("Referral", None, (("is_internal", "BOOLEAN"), ("distance_km", "DOUBLE"))),
)


def _make(state: State, index: int) -> Record:
    name, description, fields = _SEEDED[index]
    rows = [{"key": key, "type": kind} for key, kind in fields]
    return {"id": state.world.ids.uuid("schema", index), "name": name, "description": description, "fields": rows}


SCHEMAS: Final = Kind("schema", "id", count=lambda _: len(_SEEDED), make=_make)


@answers("custom_schemas.v_1.get_multi")
def list_schemas(asked: Asked) -> Record:
    organization = asked.query.uuid("organization_id")
    ours = organization in (None, asked.state.organization.id)
    return {"schemas": list(asked.state.of(SCHEMAS)) if ours else []}


@answers("custom_schemas.v_1.get")
def get_schema(asked: Asked) -> Record:
    return found(asked, SCHEMAS)


@answers("custom_schemas.v_1.create")
def create_schema(asked: Asked) -> Record:
    _check(asked, "fields")
    body, schemas = asked.body, asked.state.of(SCHEMAS)
    _refuse_taken(asked, [*_name_taken(asked, body["name"], None), *_keys_taken(body["fields"], [])])
    fields = {"name": body["name"], "description": body.get("description"), "fields": _fields(body["fields"])}
    return schemas.add({"id": schemas.new_id(), **fields})


@answers("custom_schemas.v_1.update")
def update_schema(asked: Asked) -> Record:
    schema, body, added = get_schema(asked), asked.body, asked.body.get("fields_to_add") or []
    _check(asked, "fields_to_add")
    names = _name_taken(asked, body["name"], schema["id"]) if "name" in body else []
    _refuse_taken(asked, [*names, *_keys_taken(added, schema["fields"])])
    told = {name: value for name, value in given(asked).items() if name in schema}
    schema = {**schema, **told, "fields": schema["fields"] + _fields(added)}
    return asked.state.of(SCHEMAS).put(schema)


def _check(asked: Asked, name: str) -> None:
    check(asked, {"name": is_filled}, needed=("name",))
    if any(is_filled(field["key"]) for field in asked.body.get(name) or []):
        raise unprocessable(asked.endpoint, name, "must have keys that are not empty")


def _fields(given: list[Record]) -> list[Record]:
    return [{"key": field["key"], "type": field["type"]} for field in given]


def _name_taken(asked: Asked, name: str, own: str | None) -> list[Record]:
    same = (schema for schema in asked.state.of(SCHEMAS) if schema["name"] == name and schema["id"] != own)
    return [{"type": "schema_name_already_exists", "name": name, "id": schema["id"]} for schema in same]


def _keys_taken(given: list[Record], present: list[Record]) -> list[Record]:
    known, taken = {field["key"]: field["type"] for field in present}, []
    for field in given:
        if field["key"] in known:
            taken.append({"type": "key_name_already_exists", "key": field["key"], "value_type": known[field["key"]]})
        known.setdefault(field["key"], field["type"])
    return taken


def _refuse_taken(asked: Asked, problems: list[Record]) -> None:
    if problems:
        raise _failure(asked, problems)


def _failure(asked: Asked, problems: list[Record]) -> Refusal:
    return declared(asked.endpoint, "SchemaValidationHttpFailure", {"errors": problems})
