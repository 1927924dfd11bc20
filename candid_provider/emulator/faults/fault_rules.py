"""Fault rules: which requests, how often, and what; read from Python, JSON, TOML or a command line, and checked."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.faults.declared_errors import declared_statuses
from candid_provider.emulator.faults.fault_kinds import FOR_EVER, KINDS, REQUIRED, Field, one_of, share, text, whole

_MOST: Final = 2**53
ANY_ROUTE: Final = "*"
_OTHERS: Final = ("GET /pem", "GET /_files/{file}", "PUT /_files/{file}")


class BadRule(ValueError):
    """A rule is wrong: in which field, how, and which rule of a list it was."""

    def __init__(self, field_name: str, message: str, index: int | None = None) -> None:
        where = field_name if index is None else f"rule {index + 1}: {field_name}"
        super().__init__(f"{where}: {message}")
        self.field, self.message, self.index = field_name, message, index


@dataclass(frozen=True)
class FaultRule:
    """A fault and when it strikes: of the requests on `route`, after the first `after` of them, each `every`th,
    with `probability`, `count` times (None: for ever)."""

    kind: str
    route: str
    count: int | None
    every: int
    probability: float
    seed: int
    after: int
    details: Mapping[str, Any] = field(hash=False)

    def matches(self, route: str, endpoint_id: str | None) -> bool:
        return route_matches(self.route, route, endpoint_id)

    def as_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = asdict(self)
        details: dict[str, Any] = plain.pop("details")
        return plain | details


def route_matches(pattern: str, route: str, endpoint_id: str | None) -> bool:
    """Whether a pattern (`GET /api/encounters/*`, `encounters.v_4.*`, `*`) means a route template or endpoint id."""
    pattern = _normal(pattern)
    return fnmatchcase(_normal(route), pattern) or (endpoint_id is not None and fnmatchcase(endpoint_id, pattern))


@cache
def _normal(route: str) -> str:
    # A bracket would open a set of characters; a trailing slash says nothing.
    return route.strip().rstrip("/").replace("[", "[[]")


def _route(value: Any) -> str:
    pattern = text(value)
    known = any(route_matches(pattern, row.route, row.id) for row in endpoints().values())
    if not known and not any(route_matches(pattern, route, None) for route in _OTHERS):
        raise ValueError("matches no endpoint; say GET /api/encounters/v4, encounters.v_4.get_all or *")
    return pattern


_WHEN: Final = {
    "route": Field(_route, ANY_ROUTE),
    "count": Field(one_of(FOR_EVER, otherwise=whole(1, _MOST)), None),
    "every": Field(whole(1, _MOST), 1),
    "probability": Field(share, 1.0),
    "seed": Field(whole(0, _MOST), 0),
    "after": Field(whole(0, _MOST), 0),
}


def rule_from(given: Any) -> FaultRule:
    """A rule from its fields, all of them checked; raises BadRule."""
    if not isinstance(given, Mapping):
        raise BadRule("kind", "a rule is an object with a kind")
    name = given.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise BadRule("kind", f"must be one of {', '.join(KINDS)}")
    kind = KINDS[name]
    when = {key: row for key, row in _WHEN.items() if key != "route" or kind.route is None}
    for key in given:
        if key != "kind" and key not in when and key not in kind.fields:
            raise BadRule(str(key), f"is no field of {name}; its fields: {', '.join([*kind.fields, *when])}")
    values = {key: _value(key, row, given) for key, row in when.items()}
    values["route"] = values.get("route", kind.route)
    values["count"] = _count(given, once=kind.once)
    details = {key: _value(key, row, given) for key, row in kind.fields.items()}
    if kind.before is not None and "error_name" in details:
        details = _with_status(name, details, given)
    return FaultRule(name, **values, details=details | {"seed": values["seed"]})


def _value(name: str, row: Field, given: Mapping[str, Any]) -> Any:
    value = given.get(name, row.default)
    if value is REQUIRED:
        raise BadRule(name, "is required")
    if value is row.default or (value is None and row.default is None):
        return row.default
    try:
        return row.check(value)
    except ValueError as problem:
        raise BadRule(name, str(problem)) from None


def _count(given: Mapping[str, Any], *, once: bool) -> int | None:
    if "count" in given:
        return None if given["count"] in (None, FOR_EVER) else int(given["count"])
    # A rate is meant to go on.
    return 1 if once and not {"every", "probability"} & given.keys() else None


def _with_status(kind: str, details: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    name = details["error_name"]
    if name is None:
        if details["content"] is not None:
            raise BadRule("content", "needs an error_name")
        if details["status"] is None:
            raise BadRule("status", f"is required, or an error_name, by {kind}")
        return details
    if given.get("status") not in (None, declared_statuses()[name]):
        raise BadRule("status", f"must be {declared_statuses()[name]} for {name}")
    return details | {"status": declared_statuses()[name]}


def rules_in(given: Any) -> list[FaultRule]:
    """One rule or a list of them, bare or under the key `faults`; raises BadRule with the place in the list."""
    if isinstance(given, Mapping) and "faults" in given:
        given = given["faults"]
    if not isinstance(given, list):
        return [rule_from(given)]
    rules = []
    for index, item in enumerate(given):
        try:
            rules.append(rule_from(item))
        except BadRule as problem:
            raise BadRule(problem.field, problem.message, index) from None
    return rules


def rules_in_file(path: Path) -> list[FaultRule]:
    """The rules of a TOML file (`[[faults]]`) or a JSON file; ValueError names what is wrong."""
    content = path.read_text("utf-8")
    return rules_in(tomllib.loads(content) if path.suffix.lower() == ".toml" else json.loads(content))


def rule_from_text(line: str) -> FaultRule:
    """A rule as it is written on a command line: the kind, then key=value pairs, values as JSON or plain text."""
    words = shlex.split(line)
    if not words:
        raise BadRule("kind", "is missing")
    pairs = [word.partition("=") for word in words[1:]]
    for key, equals, _ in pairs:
        if not equals:
            raise BadRule(key, "needs a value: key=value")
    return rule_from({"kind": words[0]} | {key: _plain(value) for key, _, value in pairs})


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
