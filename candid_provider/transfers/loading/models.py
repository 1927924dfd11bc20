"""Lines against the official SDK's models (extra ``[sdk]``), so that mistakes are found before Candid finds them."""

from __future__ import annotations

import enum
import importlib
import inspect
import typing
import warnings
from collections.abc import Iterator
from typing import Any

from candid_provider.api.creation import Creation
from candid_provider.hooks import sdk
from candid_provider.transfers.loading.source import Line
from candid_provider.transfers.loading.survey import BOM

NOT_BODY = ("request_options", "return")


class Model:
    """Check lines as the official SDK describes the body of a creation.

    Types are held to as JSON has them: ``"2500"`` is no number of cents. Values of an enumeration that this version
    of the SDK does not know are found as well.

    :param creation: what is created.
    :raises CandidConfigError: the SDK is not installed.
    """

    def __init__(self, creation: Creation) -> None:
        sdk.module()
        from pydantic import TypeAdapter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydantic's, about the SDK's models
            self._adapter: Any = TypeAdapter(_body_of(creation))
            self._known = set(_names_in(self._adapter.json_schema()))

    def faults(self, line: Line) -> tuple[str, tuple[str, ...]] | None:
        """Say what is wrong with a line: kinds of errors and names of fields, no value; None if nothing is."""
        from pydantic import ValidationError

        try:
            found = self._adapter.validate_json(line.content.removeprefix(BOM), strict=True)
        except ValidationError as problem:
            errors: list[Any] = list(problem.errors(include_url=False, include_context=False, include_input=False))
        else:
            errors = [{"type": "enum", "loc": where} for where in _unknown(found, ())]
        if not errors:
            return None
        kinds, fields = {error["type"] for error in errors}, {self._named(error["loc"]) for error in errors}
        return ", ".join(sorted(kinds)), tuple(sorted(field for field in fields if field))

    def _named(self, where: tuple[Any, ...]) -> str:
        # A place can hold keys of the record's own maps, and names of the SDK's classes.
        return ".".join(part for part in where if isinstance(part, str) and part in self._known)


def _body_of(creation: Creation) -> Any:
    """What the SDK's method takes: one request, or the body's fields one by one."""
    *rooms, method = creation.endpoint.split(".")
    module = importlib.import_module(f"candid.resources.{'.resources.'.join(rooms)}.client")
    function = getattr(getattr(module, f"{rooms[-1].title().replace('_', '')}Client"), method)
    hints = typing.get_type_hints(function, include_extras=True)
    if "request" in hints:
        return hints["request"]
    from pydantic import create_model

    fields: Any = {
        name: (hint, ... if inspect.signature(function).parameters[name].default is inspect.Parameter.empty else None)
        for name, hint in hints.items()
        if name not in NOT_BODY
    }
    return create_model("Body", **fields)


def _names_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _names_in(part)


def _unknown(value: Any, where: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Find the values that the SDK has put a stand-in in the place of."""
    if isinstance(value, enum.Enum):
        if value.name == "_UNKNOWN":
            yield where
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _unknown(item, where)
    elif hasattr(type(value), "model_fields"):
        for name, inner in value:
            yield from _unknown(inner, (*where, name))
