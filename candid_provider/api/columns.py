"""The columns of Candid's records: names and types of their top-level fields, from the official SDK's models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec


class _Table(msgspec.Struct):
    models: dict[str, dict[str, str]]
    routes: dict[str, str]


def columns_of(route: str) -> Mapping[str, str]:
    """Give the columns of what a route lists or answers, and the type of each; none for a route that is not known.

    Types are ``string``, ``bool``, ``int64``, ``float64``, ``timestamp``, ``date``, and ``json`` for what is nested.

    :param route: method and path template, such as ``GET /api/encounters/v4`` (candidhealth 1.37.0).
    """
    table = _table()
    return table.models.get(table.routes.get(route.rstrip("/"), ""), {})


@cache
def _table() -> _Table:
    return msgspec.json.decode(Path(__file__).with_name("columns.json").read_bytes(), type=_Table)
