"""The table of what can be created, held against the facts of the API, and each row of it at work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

import candid_provider.emulator
from candid_provider.api.client import CandidAsyncClient
from candid_provider.api.creation import Creation, Sought, acreate, afind
from candid_provider.api.creations import CREATIONS, creation_named
from candid_provider.api.settings import CandidSettings
from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.exceptions import CandidConfigError, CandidConflictError, CandidUnavailableError
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.emulator.conftest import connected
from tests.emulator.judge.office import Office

T = TypeVar("T")
FACTS = Path(candid_provider.emulator.__file__).parent / "facts"
ROWS = list(CREATIONS.values())
ENCOUNTERS = CREATIONS["encounters"]
KEYED = [row for row in ROWS if row.key]


@cache
def facts(name: str) -> Any:
    return json.loads((FACTS / f"{name}.json").read_text())


def endpoint(name: str) -> Any:
    return next(row for row in facts("endpoints") if row["id"] == name)


def properties(schema: Any) -> Any:
    while "$ref" in schema:
        schema = facts("bodies")["definitions"][schema["$ref"]]
    alternatives = [properties(one) for one in schema.get("anyOf", [])]
    return schema.get("properties") or next(filter(None, alternatives), {})


def has_field(creation: Creation, where: str) -> bool:
    schema = facts("bodies")["bodies"][creation.endpoint]
    for name in where.split("."):
        schema = properties(schema).get(name)
        if schema is None:
            return False
    return True


def named(rows: list[Creation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("creation", rows, ids=lambda row: row.name)


# --- facts


@named(ROWS)
def test_it_is_an_endpoint_of_the_api(creation: Creation) -> None:
    known = endpoint(creation.endpoint)
    assert (known["verb"], known["path"]) == ("POST", creation.path)
    assert set(creation.params) <= {row["name"] for row in known["query_params"]}


@named(ROWS)
def test_its_errors_are_declared_there_or_documented(creation: Creation) -> None:
    declared = {row.partition(" ")[2] for row in endpoint(creation.endpoint)["errors"]}
    assert creation.taken <= declared
    assert bool(creation.taken) == bool(creation.key)


@named(ROWS)
def test_the_id_is_where_the_answer_has_it(creation: Creation) -> None:
    sample = facts("samples")["responses"][creation.endpoint]
    assert creation.id is None or creation.id in sample["typical"]


@named(KEYED)
def test_key_and_lookup_are_fields_of_the_record(creation: Creation) -> None:
    assert creation.lookup
    asked = [creation.lookup.filter[1]] if creation.lookup.filter else []
    for where in (*creation.key, *creation.lookup.given.values(), *asked):
        assert has_field(creation, where)


@named(KEYED)
def test_the_lookup_takes_what_it_is_given(creation: Creation) -> None:
    lookup = creation.lookup
    assert lookup
    (known,) = (row for row in facts("endpoints") if (row["verb"], row["path"]) == ("GET", lookup.path))
    taken = {row["name"] for row in (*known["query_params"], *known["path_params"])}
    assert {*lookup.given, *lookup.params, *(("filters",) if lookup.filter else ())} <= taken


def test_a_name_that_is_not_known_suggests_the_nearest() -> None:
    with pytest.raises(CandidConfigError, match="Did you mean 'encounters'"):
        creation_named("encounter")


# --- at work


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=130, days=10)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def office(emulator: Emulator) -> Iterator[Office]:
    with connected(emulator) as http:
        yield Office(http)


class Desk:
    """Creates and finds without an event loop of one's own."""

    def __init__(self, emulator: Emulator) -> None:
        self._settings = CandidSettings.from_connection(
            login="emulator", password="emulator-secret", host=emulator.url, extra={}
        )

    def create(self, creation: Creation, record: Any) -> str | None:
        content = record if isinstance(record, bytes) else json.dumps(record).encode()
        params = dict.fromkeys(creation.params, True)
        return asyncio.run(self._with_client(lambda http: acreate(http, creation, content, params)))

    def find(self, creation: Creation, record: Any) -> Sought:
        return asyncio.run(self._with_client(lambda http: afind(http, creation, record)))

    async def _with_client(self, work: Callable[[CandidAsyncClient], Awaitable[T]]) -> T:
        source = TokenSource(self._settings.credentials, MemoryTokenStore())
        async with CandidAsyncClient(self._settings, source) as http:
            return await work(http)


@pytest.fixture
def desk(emulator: Emulator) -> Iterator[Desk]:
    yield Desk(emulator)
    emulator.faults.clear()


def record_for(office: Office, creation: Creation) -> dict[str, Any]:
    """A record as Candid takes it, with a key of its own."""
    mark = office.fresh("key")
    keys: dict[str, dict[str, Any]] = {
        "patients": {"external_provenance": {"system_name": "ehr", "external_id": mark}},
        "patients_with_mrn": {"mrn": f"MRNQZX-{mark}"},
        "appointments": {"placer_appointment_id": mark},
        "service_facilities": {"external_id": mark},
    }
    record: dict[str, Any] = office.request(creation.endpoint, **keys.get(creation.name, {})).body
    return record


@named(ROWS)
def test_a_record_is_created_and_found_by_its_key(desk: Desk, office: Office, creation: Creation) -> None:
    record = record_for(office, creation)
    before = desk.find(creation, record)
    made = desk.create(creation, record)
    after = desk.find(creation, record)
    assert (made is not None) == (creation.id is not None)
    assert before.found == (False if creation.key else None)
    assert (after.found, after.id) == ((True, made) if creation.key else (None, None))


@named(KEYED)
def test_a_key_in_use_is_refused_by_the_name_it_says(desk: Desk, office: Office, creation: Creation) -> None:
    record = record_for(office, creation)
    desk.create(creation, record)
    with pytest.raises(CandidConflictError) as refusal:
        desk.create(creation, record)
    assert refusal.value.error_name in creation.taken


def test_a_record_is_sent_as_it_was_written(emulator: Emulator, desk: Desk, office: Office) -> None:
    content = json.dumps(record_for(office, ENCOUNTERS), indent=1).encode()
    desk.create(ENCOUNTERS, content)
    (received,) = emulator.requests(route="POST /api/encounters/v4")[-1:]
    assert received.request_bytes == len(content)


def test_a_key_that_a_filter_cannot_hold_is_not_looked_up(desk: Desk) -> None:
    record = {"external_provenance": {"system_name": "ehr", "external_id": "a,b"}}
    assert desk.find(CREATIONS["patients"], record).found is None


def test_a_creation_whose_answer_is_lost_says_so_and_is_found(emulator: Emulator, desk: Desk, office: Office) -> None:
    record = record_for(office, ENCOUNTERS)
    emulator.faults.add(kind="processed_but_500", route="POST /api/encounters/v4", reset=True)
    with pytest.raises(CandidUnavailableError) as failure:
        desk.create(ENCOUNTERS, record)
    assert failure.value.outcome_unknown
    assert desk.find(ENCOUNTERS, record).found


def test_a_record_like_the_one_looked_for_is_not_it(desk: Desk, office: Office) -> None:
    record = record_for(office, CREATIONS["patients"])
    desk.create(CREATIONS["patients"], record)
    other = record["external_provenance"] | {"system_name": "another"}
    assert desk.find(CREATIONS["patients"], {"external_provenance": other}).found is False
