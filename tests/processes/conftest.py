from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.oauth.store import FileTokenStore, TokenStore
from tests.conftest import REPOSITORY
from tests.oauth.scripted import Scripted, serving
from tests.processes import stores
from tests.processes.fleet import Nursery


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory) -> ForkServerContext:
    """The process that forks all others; it has imported Airflow, and its metadata database is migrated."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "tests.processes.preloaded"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("processes")))
        environment.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
        environment.setenv("PYTHONPATH", str(REPOSITORY))
        first = context.Process()
        first.start()  # starts the parent, too
    first.join()
    assert first.exitcode == 0
    return context


@pytest.fixture
def nursery(parent: ForkServerContext, tmp_path: Path) -> Nursery:
    (tmp_path / "logs").mkdir()
    return Nursery(parent, tmp_path / "logs")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One that takes its time, so that two who ask at once are seen."""
    with running(EmulatorConfig(encounters=3, patients=3, latency=300)) as emulator:
        yield emulator


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as script:
        yield script


@pytest.fixture(params=["file", "metadata database"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TokenStore]:
    """Makes, in each process, the store that all of them share."""
    shared: dict[str, Callable[[], TokenStore]] = {
        "file": partial(FileTokenStore, tmp_path / "tokens"),
        "metadata database": stores.metadata_database,
    }
    return shared[request.param]
