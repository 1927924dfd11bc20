"""What may be written: values checked and completed by the SDK's models, so that the SDK can read them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from candid_provider.emulator.answers import unprocessable
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.data import milliseconds
from candid_provider.emulator.instants import moment_of

Record = dict[str, Any]


class _Unfit(ValueError):
    """A value that a model does not take: where it is, and what is wrong with it."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem


@cache
def _models() -> dict[str, Any]:
    models: dict[str, Any] = json.loads((files(__package__) / "facts" / "models.json").read_bytes())
    return models


def written(asked: Asked, model: str) -> Record:
    """The body as pre_encounter keeps it: unset optional fields are null, unknown fields dropped."""
    try:
        return _object(_models()[model], asked.body, "")
    except _Unfit as unfit:
        raise unprocessable(asked.endpoint, unfit.where or "body", unfit.problem) from None


def fields_of(model: str) -> tuple[str, ...]:
    """The names of a model's fields."""
    return tuple(_models()[model])


def blank(kind: str) -> Any:
    """A value with every field that a model has, and with one item in each list: what paths can lead to."""
    kind = kind.removesuffix("?")
    if kind.startswith("["):
        return [blank(kind[1:-1])]
    shape = _models().get(kind)
    return {name: blank(inner) for name, inner in shape.items()} if isinstance(shape, dict) else None


def blank_record(model: str) -> Record:
    """A blank record: what a caller may write of it, and what pre_encounter adds."""
    added = ("id", "organization_id", "deactivated", "version", "updated_at", "updating_user_id")
    return {**dict.fromkeys(added), **blank(model)}


def choices(enum: str) -> tuple[str, ...]:
    """The values of an enum."""
    return tuple(_models()[enum])


def _object(shape: dict[str, str], value: Any, where: str) -> Record:
    if not isinstance(value, dict):
        raise _Unfit(where, "must be an object")
    path = f"{where}." if where else ""
    return {name: _value(kind, value.get(name), path + name) for name, kind in shape.items()}


def _value(kind: str, value: Any, where: str) -> Any:
    if kind.endswith("?"):
        return None if value is None else _value(kind[:-1], value, where)
    if value is None and kind != "any":
        raise _Unfit(where, "is required")
    if kind.startswith("["):
        return [_value(kind[1:-1], item, f"{where}.{n}") for n, item in enumerate(_of(list, value, where, "a list"))]
    if kind.startswith("{"):
        entries = _of(dict, value, where, "an object")
        return {name: _value(kind[1:-1], item, f"{where}.{name}") for name, item in entries.items()}
    if kind in _PLAIN:
        return _PLAIN[kind](value, where)
    shape = _models()[kind]
    return _object(shape, value, where) if isinstance(shape, dict) else _choice(shape, value, where)


def _of(kind: type, value: Any, where: str, name: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise _Unfit(where, f"must be {name}")
    return value


def _choice(allowed: list[str], value: Any, where: str) -> str:
    if value not in allowed:
        raise _Unfit(where, "is not one of the known values")
    return str(value)


def _integer(value: Any, where: str) -> int:
    if not -(2**63) <= _of(int, value, where, "a whole number") < 2**63:
        raise _Unfit(where, "is too large")
    return int(value)


def _number(value: Any, where: str) -> float:
    return value if isinstance(value, int) and not isinstance(value, bool) else _of(float, value, where, "a number")


def _date(value: Any, where: str) -> str:
    try:
        return date.fromisoformat(_of(str, value, where, "a date")).isoformat()
    except ValueError:
        raise _Unfit(where, "must be a date, YYYY-MM-DD") from None


def _instant(value: Any, where: str) -> str:
    try:
        return milliseconds(moment_of(_of(str, value, where, "a date-time")))
    except (ValueError, TypeError, OverflowError):
        raise _Unfit(where, "must be an ISO 8601 date-time with a UTC offset") from None


def _uuid(value: Any, where: str) -> str:
    try:
        return str(UUID(_of(str, value, where, "a UUID")))
    except ValueError:
        raise _Unfit(where, "must be a UUID") from None


_PLAIN: Final[dict[str, Callable[[Any, str], Any]]] = {
    "text": lambda value, where: _of(str, value, where, "a string"),
    "boolean": lambda value, where: _of(bool, value, where, "true or false"),
    "integer": _integer,
    "number": _number,
    "date": _date,
    "instant": _instant,
    "uuid": _uuid,
    "any": lambda value, _: value,
}
