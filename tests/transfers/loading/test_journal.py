"""The journal: what it keeps, on a disk where files grow and on a store where they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.loading.journal import BLOCK, Journal, LocalMedium, RemoteMedium, journal_in
from candid_provider.transfers.loading.outcomes import CREATED, FAILED, REFUSED, Outcome, Outcomes
from candid_provider.transfers.output.directory import Directory

OF = {"resource": "encounters", "input": "abc"}
Make = Callable[[], Journal]


@pytest.fixture(params=["local", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes the journal anew, as the next process does."""
    if request.param == "local":
        return lambda: Journal(LocalMedium(tmp_path / "journal", sync=True))
    return lambda: Journal(RemoteMedium(Directory(f"memory://{tmp_path.name}/journal")), patience=60.0)


@pytest.fixture
def outcomes() -> Iterator[Outcomes]:
    outcomes = Outcomes()
    yield outcomes
    outcomes.close()


def outcome(line: int, kind: str = CREATED) -> Outcome:
    return Outcome(file="in.jsonl", line=line, outcome=kind, external_id=f"visit-{line}")


def test_there_is_nothing_to_resume_at_first(make: Make, outcomes: Outcomes) -> None:
    assert make().resume(OF, outcomes) is None


def test_what_was_begun_and_what_came_of_it_is_there_in_the_next_process(make: Make, outcomes: Outcomes) -> None:
    async def work() -> None:
        journal = make()
        journal.open(OF)
        await journal.begin([0, 1, 2])
        await journal.note(0, outcome(1))
        await journal.begin([3, 4])
        await journal.note(1, outcome(2, REFUSED))
        await journal.note(3, outcome(4, FAILED))
        await journal.end([4])

    asyncio.run(work())
    assert make().resume(OF, outcomes) == {2, 3}
    assert [outcomes.get(number) for number in range(5)] == [outcome(1), outcome(2, REFUSED), None, None, None]


def test_what_is_named_before_it_is_sent_is_durable_at_once(make: Make, outcomes: Outcomes) -> None:
    async def work() -> None:
        journal = make()
        journal.open(OF)
        await journal.begin([7])

    asyncio.run(work())
    assert make().resume(OF, outcomes) == {7}


def test_it_goes_on_where_the_process_before_ended(make: Make, outcomes: Outcomes) -> None:
    async def work(number: int) -> None:
        journal = make()
        if journal.resume(OF, outcomes) is None:
            journal.open(OF)
        await journal.begin([number])

    for number in range(3):
        asyncio.run(work(number))
    assert make().resume(OF, outcomes) == {0, 1, 2}


def test_another_load_is_not_resumed(make: Make, outcomes: Outcomes) -> None:
    make().open(OF)
    with pytest.raises(CandidConfigError, match="with another input"):
        make().resume({**OF, "input": "def"}, outcomes)


def test_it_can_be_removed_and_begun_again(make: Make, outcomes: Outcomes) -> None:
    journal = make()
    journal.open(OF)
    journal.remove()
    assert make().resume(OF, outcomes) is None
    journal.open(OF)
    assert make().resume(OF, outcomes) == set()


def test_a_line_that_was_cut_short_is_cut_off(tmp_path: Path, outcomes: Outcomes) -> None:
    path = tmp_path / "journal"
    Journal(LocalMedium(path, sync=False)).open(OF)
    with path.open("ab") as file:
        file.write(b'{"begun":[1]}\n{"begun":[2')
    journal = Journal(LocalMedium(path, sync=False))
    assert journal.resume(OF, outcomes) == {1}
    asyncio.run(journal.begin([3]))
    assert Journal(LocalMedium(path, sync=False)).resume(OF, outcomes) == {1, 3}


def test_a_first_line_that_was_cut_short_is_no_journal(tmp_path: Path, outcomes: Outcomes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"of":{"resou')
    assert Journal(LocalMedium(path, sync=False)).resume(OF, outcomes) is None


def test_outcomes_wait_for_company_where_files_cannot_grow(tmp_path: Path) -> None:
    now = 0.0
    directory = Directory(f"memory://{tmp_path.name}/journal")
    journal = Journal(RemoteMedium(directory), patience=2.0, clock=lambda: now)

    async def work() -> None:
        nonlocal now
        for number in range(20):
            now += 0.5
            await journal.note(number, outcome(number))

    asyncio.run(work())
    assert len(directory.sizes()) == 5


def test_lines_are_named_one_by_one_where_it_costs_nothing_or_has_to_be(tmp_path: Path) -> None:
    def block(path: str, *, keyed: bool) -> int:
        return journal_in(Directory(path), keyed=keyed, concurrency=8).block

    assert block(str(tmp_path), keyed=True) == block(str(tmp_path), keyed=False) == 1
    assert (block("memory://x", keyed=True), block("memory://x", keyed=False)) == (BLOCK, 8)
