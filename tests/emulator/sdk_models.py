"""The fields of the SDK's models, written as facts/models.json has them: how that file is made, and checked."""

from __future__ import annotations

import datetime as dt
import enum
import importlib
import json
import sys
import types
import typing
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

PRE_ENCOUNTER = "candid.resources.pre_encounter.resources"
WRITTEN = {
    "patients": ("MutablePatient", "MutablePatientWithMrn"),
    "appointments": ("MutableAppointment",),
    "coverages": ("MutableCoverage", "PayerPlanGroupFields"),
    "images": ("MutableImage",),
    "metadata_schemas": ("MutableMetadataSchema",),
    "notes": ("MutableNote",),
    "tags": ("MutableTag",),
    "organization_external_providers": ("MutableOrganizationExternalProvider",),
    "patient_merges": ("MutablePatientMerge", "PatientMergeSearchRequest"),
}
_PLAIN = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
    dt.date: "date",
    dt.datetime: "instant",
    uuid.UUID: "uuid",
    typing.Any: "any",
}


class Facts(dict[str, Any]):
    """Models and enums by name; a name that two models share gets the module of the later one in front."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[Any, str] = {}

    def name_of(self, model: Any) -> str:
        if model not in self._names:
            taken = model.__name__ in self
            name = f"{model.__module__.split('.')[-5]}.{model.__name__}" if taken else model.__name__
            self._names[model] = name
            self[name] = None
            self[name] = [*_values(model)] if issubclass(model, enum.Enum) else self._fields(model)
        return self._names[model]

    def _fields(self, model: Any) -> dict[str, str]:
        hints = typing.get_type_hints(model)
        return {field.alias or name: self._type(hints[name]) for name, field in model.model_fields.items()}

    def _type(self, hint: Any) -> str:
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType) and type(None) in inner:
            return self._type(next(part for part in inner if part is not type(None))) + "?"
        if origin is typing.Annotated:
            return self._type(inner[0])
        if origin is list:
            return f"[{self._type(inner[0])}]"
        if origin is dict:
            return "{" + self._type(inner[1]) + "}"
        return _PLAIN[hint] if hint in _PLAIN else self.name_of(hint)


def _values(model: Any) -> Iterator[str]:
    yield from (member.value for member in model if not member.value.endswith("_UNKNOWN__"))


def facts() -> dict[str, Any]:
    """What facts/models.json must hold."""
    found = Facts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for resource, names in WRITTEN.items():
            module = importlib.import_module(f"{PRE_ENCOUNTER}.{resource}.resources.v_1")
            for name in names:
                found.name_of(getattr(module, name))
    return dict(sorted(found.items()))


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(shape)}" for name, shape in facts().items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
