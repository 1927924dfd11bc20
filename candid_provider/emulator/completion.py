"""What was written in part, made whole: null for each field that the SDK's models know and nobody gave."""

from __future__ import annotations

from typing import Any

from candid_provider.emulator.catalogue import body_definitions
from candid_provider.emulator.fitting import fits


def completed(name: str, value: Any) -> Any:
    """An instance of a model that bodies hold, with all of its fields, all the way down."""
    return _whole(body_definitions()[name], value)


def _whole(schema: dict[str, Any], value: Any) -> Any:
    if "$ref" in schema:
        return _whole(body_definitions()[schema["$ref"]], value)
    if not isinstance(value, dict | list):
        return value
    if "anyOf" in schema:
        shape = next((shape for shape in schema["anyOf"] if fits(shape, value)), None)
        return value if shape is None else _whole(shape, value)
    if isinstance(value, list):
        return [_whole(schema.get("items", {}), item) for item in value]
    known = schema.get("properties", {})
    return dict.fromkeys(known) | {name: _whole(known.get(name, {}), item) for name, item in value.items()}
