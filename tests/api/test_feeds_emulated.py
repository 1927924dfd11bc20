"""Change feeds over HTTP: a second run brings what was written since the first, and nothing else."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pytest

from candid_provider.api.call import Call, pages, send
from candid_provider.api.client import CandidClient
from candid_provider.api.feeds import Feed, Interval, Mark
from candid_provider.api.instants import microseconds
from candid_provider.api.resources import RESOURCES
from candid_provider.emulator import EmulatorConfig, running
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.api.conftest import quick, settings_for
from tests.emulator.conftest import connected
from tests.emulator.judge.office import Office

WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=420, patients=130, days=10, payers=23)
WRITTEN_BY = {
    "patients": "pre_encounter.patients.v_1.create",
    "appointments": "pre_encounter.appointments.v_1.create",
    "coverages": "pre_encounter.coverages.v_1.create",
    "patient_merges": "pre_encounter.patient_merges.v_1.create",
    "organization_external_providers": "pre_encounter.organization_external_providers.v_1.create",
    "tasks": "tasks.v_3.create",
    "invoices": "import_invoice.v_1.import_invoice",
    "events": "encounters.v_4.create",
    "encounters": "encounters.v_4.create",
    "claim_dynamic_view": "encounters.v_4.create",
}
DAY = datetime.timedelta(days=1)
SMALL = {"limit": 7, "maxResults": 50}


@dataclass
class Bureau:
    """An emulator, a client of it, and extractions from it."""

    http: httpx.Client
    client: CandidClient
    office: Office

    @property
    def now(self) -> datetime.datetime:
        now = self.http.get("/_emulator/clock").json()["now"]
        return datetime.datetime.fromisoformat(str(now))

    def call(self, name: str) -> Call:
        resource = RESOURCES[name]
        ids = {placeholder: self.office.value(placeholder) for placeholder in resource.placeholders}
        size = {resource.size.name: SMALL[resource.size.name]} if resource.size else {}
        if resource.verb == "POST":
            return resource.call(path_params=ids, json=size)
        return resource.call(size, path_params=ids)

    def extract(
        self, name: str, mark: Mark | None = None, interval: Interval | None = None, feed: Feed | None = None
    ) -> tuple[list[Any], Mark | None]:
        """All that a run brings, details included, and where the next begins."""
        call, reader = RESOURCES[name].changes(feed).open(self.call(name), mark=mark, interval=interval, now=self.now)
        rows = [json.loads(bytes(row)) for page in pages(self.client, call) for row in reader.take(page.rows)]
        if reader.detail:
            details = [Call(method="GET", path=reader.detail, path_params=row) for row in rows]
            rows = [send(self.client, detail) for detail in details]
        return rows, reader.mark()


@pytest.fixture(scope="module")
def bureau() -> Iterator[Bureau]:
    with running(WORLD) as emulator, connected(emulator) as http:
        settings = settings_for(emulator.url)
        source = TokenSource(settings.credentials, MemoryTokenStore(), http=quick, deadline=5)
        with CandidClient(settings, source) as client:
            yield Bureau(http, client, Office(http))


def keys(name: str, rows: list[Any]) -> list[Any]:
    return [row[RESOURCES[name].key or ""] for row in rows]


@pytest.mark.parametrize("name", WRITTEN_BY)
def test_a_second_run_brings_what_was_written_since_the_first(bureau: Bureau, name: str) -> None:
    if name == "patient_merges":
        bureau.office.made(WRITTEN_BY[name])
    everything, mark = bureau.extract(name)
    assert everything
    assert len(set(keys(name, everything))) == len(everything)
    assert mark is not None
    bureau.office.advance(hours=3)
    quiet, mark = bureau.extract(name, mark)
    before = {*keys(name, everything), *keys(name, quiet)}
    for _ in range(9):
        bureau.office.made(WRITTEN_BY[name])
    bureau.office.advance(hours=3)
    changed, mark = bureau.extract(name, mark)
    new = set(keys(name, changed)) - before
    assert len(changed) == len(set(keys(name, changed)))
    assert len(new) == 9 if name != "events" else len(new) >= 9
    assert not set(keys(name, bureau.extract(name, mark)[0])) & new


@pytest.mark.parametrize("name", [name for name, row in RESOURCES.items() if row.feed and name != "encounters"])
def test_intervals_bring_what_a_whole_run_brings(bureau: Bureau, name: str) -> None:
    cursor = RESOURCES[name].cursor or ""
    whole = bureau.extract(name)[0]
    moments = sorted(microseconds(row[cursor]) for row in whole)
    end = bureau.now - datetime.timedelta(minutes=1)
    start = end - datetime.timedelta(days=29)
    days = [start + datetime.timedelta(days=number) for number in range(0, 30, 3)]
    parts = [row for begun in days[:-1] for row in bureau.extract(name, interval=(begun, begun + 3 * DAY))[0]]
    spanned = [m for m in moments if microseconds(days[0]) <= m < microseconds(days[-1])]
    assert sorted(microseconds(row[cursor]) for row in parts) == spanned
    assert spanned


def test_an_interval_of_encounters_brings_those_that_events_tell_of(bureau: Bureau) -> None:
    end = bureau.now
    encounters, mark = bureau.extract("encounters", interval=(end - DAY, end))
    told = bureau.extract("events", interval=(end - DAY, end))[0]
    about = {row["payload"]["encounter_id"] for row in told if row["event_type"].startswith("CandidApi.Encounter.")}
    assert {row["encounter_id"] for row in encounters} == about
    assert len(encounters) == len(about)
    assert mark is None


def test_the_inventory_moves_on_as_balances_do(bureau: Bureau) -> None:
    rows, mark = bureau.extract("patient_ar_inventory")
    assert rows == sorted(rows, key=lambda row: str(row["timestamp"]))
    again, same = bureau.extract("patient_ar_inventory", mark)
    assert (again, same) == ([], mark)
    bureau.office.advance(hours=24)
    moved, _ = bureau.extract("patient_ar_inventory", mark)
    versions = {(row["claim_id"], row["timestamp"]) for row in rows}
    now = bureau.extract("patient_ar_inventory")[0]
    assert {(row["claim_id"], row["timestamp"]) for row in now} - versions == {
        (row["claim_id"], row["timestamp"]) for row in moved
    }
