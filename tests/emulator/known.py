"""Identifiers of records that an emulator has, for tests that go through all endpoints."""

from __future__ import annotations

import re
from typing import Any

import httpx

from candid_provider.emulator.catalogue import Endpoint
from candid_provider.emulator.endpoints import emulated

_PARAMETER = re.compile(r"\{(.*?)\}")


def _first_row(http: httpx.Client, path: str) -> dict[str, Any]:
    for listing in (path, f"{path}/updates/scan"):
        answer = http.get(listing, params={"since": "2000-01-01T00:00:00Z"} if listing != path else {})
        rows = answer.json() if answer.status_code == 200 else []
        rows = (
            next((part for part in rows.values() if isinstance(part, list)), []) if isinstance(rows, dict) else rows
        )
        if rows and isinstance(rows[0], dict):
            return dict(rows[0])
    return {}


def known_ids(http: httpx.Client, endpoint: Endpoint) -> dict[str, str]:
    """Values of an endpoint's path parameters that belong to a record, as far as its area lists any."""
    names = _PARAMETER.findall(endpoint.path)
    parent = endpoint.path.partition("{")[0].rstrip("/")
    listed = {item.path.rstrip("/") for item in emulated() if item.verb == "GET"}
    if not names or not {parent, f"{parent}/updates/scan"} & listed:
        return {}
    row = _first_row(http, parent)
    found = {name: row.get(name, row.get("id")) for name in names[:1]}
    if "version" in names and isinstance(row.get("version"), int):
        found["version"] = row["version"] + 1
    return {name: str(value) for name, value in found.items() if value is not None}


def a_path(http: httpx.Client, endpoint: Endpoint) -> str:
    """The path of an endpoint, of a known record if there is one."""
    known = known_ids(http, endpoint)
    return _PARAMETER.sub(lambda match: known.get(match[1], match[1]), endpoint.path)
