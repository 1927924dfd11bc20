from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transfers.object_stores.server import CONNECTION, Bucket, serving


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with serving(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and the connection ``lake`` to its server."""
    found = Bucket(*s3_server)
    monkeypatch.setenv(CONNECTION, found.connection)
    return found
