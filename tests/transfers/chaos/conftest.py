from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import date
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.conftest import REPOSITORY
from tests.transfers.chaos.storm import Storm


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> ForkServerContext:
    """The process that forks all others; it has imported what they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "tests.transfers.chaos.preloaded"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(REPOSITORY))
        first = context.Process()
        first.start()
    first.join()
    return context


@pytest.fixture(scope="module")
def small() -> Iterator[Emulator]:
    """An emulator of few records, whom all runs of a file ask, one after the other."""
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=300, patients=150, days=10)) as emulator:
        yield emulator


@pytest.fixture
def empty() -> Iterator[Emulator]:
    """An emulator of one's own, which has nothing but what is loaded."""
    with running(EmulatorConfig(as_of=date(2026, 3, 15), encounters=0, patients=10, days=10)) as emulator:
        yield emulator


@pytest.fixture
def storm(nursery: ForkServerContext, small: Emulator, tmp_path: Path) -> Storm:
    return Storm(nursery, small, tmp_path / "log")


@pytest.fixture
def loading(nursery: ForkServerContext, empty: Emulator, tmp_path: Path) -> Storm:
    return Storm(nursery, empty, tmp_path / "log")
