"""What the tests of pre-encounter write, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from typing import Any

import httpx

from candid_provider.emulator import Emulator, EmulatorConfig, running

from .conftest import Api, connected

SMALL = EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=130, days=10, payers=23)
LONG_AGO = "2000-01-01T00:00:00Z"
NOBODY = "00000000-0000-4000-8000-000000000000"
_ADDRESS = {
    "use": "HOME",
    "line": ["1 Main St"],
    "city": "Salem",
    "state": "OR",
    "postal_code": "97301",
    "country": "US",
}
_born = count()


class Desk(Api):
    """A signed-in client that also writes."""

    def __init__(self, http: httpx.Client, emulator: Emulator) -> None:
        super().__init__(http)
        self.emulator = emulator

    def send(self, verb: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return self.http.request(verb, path, json=body, params=params)

    def done(self, verb: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.send(verb, path, body, **params)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def fails(self, status: int, verb: str, path: str, body: Any = None, **params: Any) -> Any:
        """A request is refused; the content of the error."""
        answer = self.send(verb, path, body, **params)
        assert answer.status_code == status, answer.text
        error = answer.json()
        names = {400: "BadRequestError", 404: "NotFoundError", 409: "VersionConflictError"}
        assert error.get("errorName") == names.get(status)
        return error.get("content", error.get("detail"))

    def advance(self, seconds: float) -> None:
        self.done("POST", "/_emulator/clock", {"advance": seconds})

    def patient(self, **fields: Any) -> Any:
        return self.done("POST", "/patients/v1", patient(**fields))

    def coverage(self, patient_id: str, **plan: Any) -> Any:
        return self.done("POST", "/coverages/v1", coverage(patient_id, **plan))

    def first(self, path: str) -> Any:
        """The first seeded row of a kind that is not deactivated."""
        rows = self.ok(f"{path}/updates/scan", since=LONG_AGO)
        return next(row for row in rows if not row["deactivated"])


@contextmanager
def desk(config: EmulatorConfig = SMALL) -> Iterator[Desk]:
    with running(config) as emulator, connected(emulator) as http:
        yield Desk(http, emulator)


def name(family: str, given: str) -> dict[str, Any]:
    return {"family": family, "given": [given], "use": "USUAL"}


def patient(**fields: Any) -> dict[str, Any]:
    """A patient unlike any other, unless `fields` make it like one."""
    return {
        "name": name(f"Qvexzo{next(_born)}", "Ada"),
        "other_names": [],
        "birth_date": "1990-01-01",
        "biological_sex": "FEMALE",
        "primary_address": _ADDRESS,
        "other_addresses": [],
        "other_telecoms": [],
        "contacts": [],
        "general_practitioners": [],
        "filing_order": {"coverages": []},
    } | fields


def coverage(patient_id: str, **plan: Any) -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "subscriber": {"name": name("Qvexzo", "Ada"), "biological_sex": "FEMALE"},
        "relationship": "SELF",
        "patient": patient_id,
        "insurance_plan": {"member_id": "MEMQZX1", "payer_id": "60054", "payer_name": "Alder"} | plan,
        "verified": True,
    }


def appointment(patient_id: str, start: str = "2026-04-01T09:00:00Z", **fields: Any) -> dict[str, Any]:
    return {"patient_id": patient_id, "start_timestamp": start, "service_duration": 30, "services": [{}]} | fields


def image(**fields: Any) -> dict[str, Any]:
    return {"file_name": "a.png", "display_name": "A", "file_type": "image/png", "status": "PENDING"} | fields
