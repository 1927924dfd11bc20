"""Schemas of custom metadata (Candid: /metadata-schemas/v1)."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, active, in_order, latest_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed
from candid_provider.emulator.exchange.filters import conditions, matching
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.world import milliseconds

_SEEDED: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "Intake",
        "description": "What the front desk asked",
        "fields": [
            {"key": "channel", "type": "ENUM", "enum_values": ["phone", "web", "walk-in"]},
            {"key": "waiting_days", "type": "INTEGER", "enum_values": None},
        ],
    },
    {
        "name": "Programme",
        "description": None,
        "fields": [{"key": "enrolled", "type": "BOOLEAN", "enum_values": None}],
    },
)
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "STRING": (str,),
    "INTEGER": (int,),
    "DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "ENUM": (str,),
}


def _make(state: State, index: int) -> Record:
    return {
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 1,
        "updated_at": milliseconds(state.world.updated("patient", 0)),
        "updating_user_id": state.organization.user_id,
        "id": state.world.ids.uuid("metadata-schema", index),
        **_SEEDED[index],
    }


SCHEMAS: Final = Kind(
    "metadata-schema",
    "id",
    count=lambda _: len(_SEEDED),
    make=_make,
    unique="name",
    seeded=lambda _, text: next((n for n, schema in enumerate(_SEEDED) if schema["name"] == text), None),
    versioned=True,
)
_SCHEMA: Final = Resource(SCHEMAS, "Metadata schema")


def _fields(asked: Asked, own: str | None = None) -> Record:
    fields, refuse = completed(asked), asked.endpoint
    if asked.state.of(SCHEMAS).holder(fields["name"]) not in (None, own):
        raise unprocessable(refuse, "name", "is in use: names are unique within an organization")
    keys = [field["key"] for field in fields["fields"]]
    if len(set(keys)) < len(keys):
        raise unprocessable(refuse, "fields", "must have different keys")
    for number, field in enumerate(fields["fields"]):
        if (field["type"] == "ENUM") != bool(field["enum_values"]):
            raise unprocessable(refuse, f"fields.{number}.enum_values", "is required for ENUM, and for nothing else")
    return fields


def _refuse_losses(asked: Asked, old: list[Record], new: list[Record]) -> None:
    later = {field["key"]: field for field in new}
    for field in old:
        kept = later.get(field["key"])
        if kept is None or kept["type"] != field["type"]:
            raise unprocessable(asked.endpoint, "fields", f"must keep '{field['key']}' and its type")
        if not set(field["enum_values"] or ()) <= set(kept["enum_values"] or ()):
            raise unprocessable(asked.endpoint, "fields", f"must keep every value of '{field['key']}'")


def check_metadata(asked: Asked, entries: list[Record] | None) -> None:
    """Refuse custom metadata that does not fit the schemas it names."""
    for number, entry in enumerate(entries or ()):
        where, schema = f"custom_metadata.{number}", asked.state.of(SCHEMAS).get(entry["metadata_schema_id"])
        if schema is None:
            raise unprocessable(asked.endpoint, f"{where}.metadata_schema_id", "is not a schema of the organization")
        known = {field["key"]: field for field in schema["fields"]}
        for key, value in entry["key_value_pairs"].items():
            if key not in known or not _fits(known[key], value):
                raise unprocessable(asked.endpoint, f"{where}.key_value_pairs.{key}", "does not fit the schema")


def _fits(field: Record, value: Any) -> bool:
    if isinstance(value, bool) and field["type"] != "BOOLEAN":
        return False
    return isinstance(value, _TYPES[field["type"]]) and (not field["enum_values"] or value in field["enum_values"])


@answers("pre_encounter.metadata_schemas.v_1.get_all")
def list_schemas(asked: Asked) -> Record:
    schemas, shape = active(asked.state.of(SCHEMAS)), _make(asked.state, 0)
    wanted = conditions(asked.query.text("filters"), shape)
    return page_of(
        asked, in_order(filter(lambda row: matching(wanted, row), schemas), "name", descending=False, shape=shape)
    )


@answers("pre_encounter.metadata_schemas.v_1.get")
def get_schema(asked: Asked) -> Record:
    return _SCHEMA.found(asked)


@answers("pre_encounter.metadata_schemas.v_1.create")
def create_schema(asked: Asked) -> Record:
    return _SCHEMA.created(asked, _fields(asked))


@answers("pre_encounter.metadata_schemas.v_1.update")
def update_schema(asked: Asked) -> Record:
    """Change a schema: fields and values of an ENUM may be added, none taken away."""
    schema = _SCHEMA.found(asked)
    latest_version(asked, schema)
    fields = _fields(asked, schema["id"])
    _refuse_losses(asked, schema["fields"], fields["fields"])
    return _SCHEMA.updated(asked, schema, fields)


@answers("pre_encounter.metadata_schemas.v_1.deactivate")
def deactivate_schema(asked: Asked) -> None:
    _set_deactivated(asked, True)


@answers("pre_encounter.metadata_schemas.v_1.reactivate")
def reactivate_schema(asked: Asked) -> None:
    _set_deactivated(asked, False)


def _set_deactivated(asked: Asked, deactivated: bool) -> None:
    schema = _SCHEMA.found(asked)
    latest_version(asked, schema)
    _SCHEMA.updated(asked, schema, {"deactivated": deactivated})
