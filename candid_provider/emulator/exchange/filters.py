"""pre_encounter's filters: `field|op|value`, joined by commas, fields in camelCase from the row's parts on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from candid_provider.emulator.exchange.answers import Refusal
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.world.clock import EPOCH

Record = dict[str, Any]
_DAY: Final = 86_400_000_000
# Each op holds for a value between `first` and `last`: a day is as long as a day, all else is one point.
_OPS: Final[dict[str, Callable[[Any, Any, Any], bool]]] = {
    "eq": lambda value, first, last: first <= value <= last,
    "ne": lambda value, first, last: not first <= value <= last,
    "gt": lambda value, first, last: value > last,
    "gte": lambda value, first, last: value >= first,
    "lt": lambda value, first, last: value < first,
    "lte": lambda value, first, last: value <= last,
}


@dataclass(frozen=True)
class Condition:
    """One condition on a field, given as the names on the way to it."""

    path: tuple[str, ...]
    op: str
    value: str

    def holds(self, row: Record) -> bool:
        """Whether the field, or any of its values if it has several, is as wanted; an unset one never is."""
        found = [value for value in _values(row, self.path) if value is not None]
        if self.op == "ne":
            return all(self._fits(value) for value in found)
        return any(self._fits(value) for value in found)

    def _fits(self, value: Any) -> bool:
        bounds = _bounds(value, self.value)
        return self.op == "ne" if bounds is None else _OPS[self.op](*bounds)

    def instants(self) -> tuple[int | None, int | None]:
        """The first and last instant for which the condition can hold."""
        bounds = instants_of(self.value)
        if bounds is None:
            raise bad_request(f"'{self.value}' is neither a date nor a date-time with a UTC offset")
        after, until = {"gt": bounds[1] + 1, "gte": bounds[0], "eq": bounds[0]}, {"lt": bounds[0] - 1}
        return after.get(self.op), {"lte": bounds[1], "eq": bounds[1], **until}.get(self.op)


def bad_request(message: str) -> Refusal:
    """pre_encounter's 400."""
    return Refusal(400, {"errorName": "BadRequestError", "content": {"message": message}})


def conditions(text: str | None, shape: Record) -> list[Condition]:
    """The conditions of a filter on rows of a shape; refused with 400 if they cannot be read."""
    return [_condition(part, shape) for part in (text or "").split(",") if part.strip()]


def _condition(part: str, shape: Record) -> Condition:
    names, op, value = (*part.strip().split("|", 2), "", "")[:3]
    path = path_of(names, shape)
    if path is None:
        raise bad_request(f"unknown field in filter: '{names}'")
    if op not in _OPS or not value:
        raise bad_request(f"a filter is field|op|value with one of {', '.join(_OPS)}: '{part}'")
    return Condition(path, op, value)


def path_of(names: str, shape: Record) -> tuple[str, ...] | None:
    """The way to a field written in camelCase; None if rows of that shape have no such field."""
    path = tuple(re.sub("([A-Z])", r"_\1", name).lower() for name in names.split("."))
    part: Any = shape
    for name in path:
        while isinstance(part, list) and part:
            part = part[0]
        if isinstance(part, dict):
            if name not in part:
                return None
            part = part[name]
        elif part is not None:
            return None
    return path


def matching(wanted: Iterable[Condition], row: Record) -> bool:
    """Whether all conditions hold for a row."""
    return all(condition.holds(row) for condition in wanted)


def value_at(row: Record, path: tuple[str, ...]) -> Any:
    """The first value of a field."""
    return next(iter(_values(row, path)), None)


def _values(row: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(row, list):
        for item in row:
            yield from _values(item, path)
    elif not path:
        yield row
    elif isinstance(row, dict):
        yield from _values(row.get(path[0]), path[1:])


def instants_of(text: str) -> tuple[int, int] | None:
    """First and last instant (microseconds since 1970) that a date or date-time stands for."""
    try:
        if len(text) == len("2026-01-15"):
            first = (date.fromisoformat(text) - EPOCH.date()).days * _DAY
            return first, first + _DAY - 1
        point = moment_of(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return point, point


def _bounds(value: Any, wanted: str) -> tuple[Any, Any, Any] | None:
    if isinstance(value, bool):
        truth = {"true": True, "false": False}.get(wanted.lower())
        return None if truth is None else (value, truth, truth)
    if isinstance(value, int | float):
        return (value, float(wanted), float(wanted)) if re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", wanted) else None
    text = str(value)
    if "T" in text and (own := instants_of(text)) and (bounds := instants_of(wanted)):
        return own[0], *bounds
    return text, wanted, wanted
