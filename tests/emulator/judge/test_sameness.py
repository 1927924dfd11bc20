"""Started again with the same seed, an emulator answers byte by byte the same; two of them share nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.endpoints import HANDLERS
from tests.emulator.conftest import connected

from .office import Office
from .styles import LISTINGS

WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=120, patients=60, days=10, payers=23)
NOON = 1_773_576_000.0
READ = [endpoint for endpoint in LISTINGS if endpoint.verb == "GET"]
# Those that are about a record make one first.
UNASKED = [
    endpoint.id
    for endpoint in READ
    if not endpoint.path_params
    and not any(row.required and row.name == "patient_id" for row in endpoint.query_params)
]
Pages = dict[str, bytes]


@contextmanager
def started() -> Iterator[tuple[Emulator, Office]]:
    """An emulator whose tokens and signed URLs are those of one instant, too."""
    with running(WORLD, clock=lambda: NOON) as emulator, connected(emulator) as http:
        yield emulator, Office(http)


def pages(emulator: Emulator, office: Office, names: list[str]) -> Pages:
    """The first page of listings, without the address at which it was asked for."""
    found = {}
    for name in names:
        answer = office.request(name).send(office.http)
        assert answer.status_code == 200, answer.text
        found[name] = answer.content.replace(emulator.url.encode(), b"")
    return found


def unsigned(found: Pages) -> Pages:
    """Pages without signed URLs: each time a file is shown it gets another."""
    return {name: re.sub(rb'/_files/[^"]+', b"", page) for name, page in found.items()}


@pytest.fixture(scope="module")
def twice() -> tuple[Pages, Pages]:
    """What all listings answer, and answer after a restart; on the way to some of them records are made."""
    found = []
    for _ in range(2):
        with started() as (emulator, office):
            found.append(pages(emulator, office, [endpoint.id for endpoint in READ]))
    return found[0], found[1]


@pytest.mark.parametrize("name", [endpoint.id for endpoint in READ])
def test_a_listing_is_the_same_after_a_restart(twice: tuple[Pages, Pages], name: str) -> None:
    first, again = twice
    assert len(first[name]) > 2
    assert first[name] == again[name]


def test_two_emulators_share_nothing() -> None:
    with ExitStack() as stack:
        (one, writer), (other, reader) = (stack.enter_context(started()) for _ in range(2))
        before = pages(other, reader, UNASKED)
        for endpoint in endpoints().values():
            if endpoint.id in HANDLERS and endpoint.verb != "GET":
                writer.made(endpoint.id)
        assert other.stats()["written"] == {}
        assert unsigned(pages(other, reader, UNASKED)) == unsigned(before)
        after = pages(one, writer, UNASKED)
        changed = {name for name in UNASKED if after[name] != before[name]}
        assert len(changed) > len(UNASKED) / 2


def test_another_seed_is_another_world() -> None:
    with started() as (emulator, office):
        known = pages(emulator, office, UNASKED)
    with running(replace(WORLD, seed=2), clock=lambda: NOON) as emulator, connected(emulator) as http:
        found = pages(emulator, Office(http), UNASKED)
    alike = {name for name in UNASKED if found[name] == known[name]}
    assert alike <= {
        "non_insurance_payers.v_1.get_categories",
        "fee_schedules.v_3.get_unique_values_for_dimension",
        "pre_encounter.eligibility_checks.v_1.payer_search",
        "pre_encounter.patient_merges.v_1.scan",  # there are none
    }
