"""Downloads into files: whole or not at all, and a retry fetches only what is missing."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from candid_provider.api.storage_client import StorageClient
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.transfers.download import Fetched, fetch
from candid_provider.transfers.download.spool import spooled
from tests.api.storage import Storage, serving
from tests.transfers.output.test_whole_file import store

__all__ = ["store"]

CONTENT = b"id,name\n" + b"".join(b'%d,"Marker, Ann"\n' % number for number in range(20_000))
FETCHED = Fetched(20_000, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), ["id", "name"])


@pytest.fixture
def storage() -> Iterator[Storage]:
    with serving(Storage(content=CONTENT)) as storage:
        yield storage


@pytest.fixture(scope="module")
def client() -> Iterator[StorageClient]:
    with StorageClient(timeout=5.0) as client:
        yield client


def cut_short(client: StorageClient, storage: Storage, target: str | Path) -> None:
    """Fail as a task does whose storage answers no more."""
    storage.deeds = deque([("cut", 100_000), (503, {"Retry-After": "999"})])
    with pytest.raises(CandidUnavailableError, match="503"):
        fetch(client, storage.ask, str(target), count=True)


def test_a_file_is_put_in_place_as_it_came(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.csv"
    assert fetch(client, storage.ask, str(target), count=True) == FETCHED
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert list(target.parent.iterdir()) == [target]


def test_a_retry_fetches_the_rest(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    cut_short(client, storage, target)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".file.csv.part", ".file.csv.part.json"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert fetch(client, storage.ask, str(target), count=True) == FETCHED
    assert storage.sent == len(CONTENT)
    assert list(tmp_path.iterdir()) == [target]


def test_a_retry_begins_anew_if_the_file_has_changed(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    cut_short(client, storage, target)
    storage.content, storage.etag = b"id,name\n1,other\n", '"v2"'
    assert fetch(client, storage.ask, str(target), count=True).rows == 1
    assert target.read_bytes() == storage.content


@pytest.mark.parametrize("damage", ["", "{", '{"size":"x"}', '{"size":5,"validator":null}'])
def test_bytes_that_nothing_is_known_of_are_not_gone_on_with(
    client: StorageClient, storage: Storage, tmp_path: Path, damage: str
) -> None:
    target = tmp_path / "file.csv"
    cut_short(client, storage, target)
    (tmp_path / ".file.csv.part").write_bytes(b"x" * 500)
    (tmp_path / ".file.csv.part.json").write_text(damage)
    assert fetch(client, storage.ask, str(target), count=True) == FETCHED
    assert target.read_bytes() == CONTENT


def test_what_no_retry_can_mend_leaves_the_old_file_and_nothing_else(
    client: StorageClient, storage: Storage, tmp_path: Path
) -> None:
    target = tmp_path / "file.csv"
    target.write_text("old")
    storage.deeds = deque([("cut", 100_000), (418, {})])
    with pytest.raises(CandidUnavailableError, match="418"):
        fetch(client, storage.ask, str(target))
    with pytest.raises(CandidConfigError, match="no column 'gone'"):
        fetch(client, storage.ask, str(target), columns={"gone": "gone"})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_columns_are_written_by_name_and_tallied(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    fetched = fetch(client, storage.ask, str(target), columns={"name": "patient"}, count=True)
    content = target.read_bytes()
    assert content.startswith(b'patient,id\n"Marker, Ann",0\n')
    digest = hashlib.sha256(content).hexdigest()
    assert fetched == Fetched(20_000, len(content), digest, ["patient", "id"])
    assert list(tmp_path.iterdir()) == [target]


def test_an_object_store_gets_it_whole(
    client: StorageClient, storage: Storage, store: fsspec.AbstractFileSystem
) -> None:
    cut_short(client, storage, "memory://bucket/export.csv")
    assert not store.exists("/bucket/export.csv")
    assert fetch(client, storage.ask, "memory://bucket/export.csv", count=True) == FETCHED
    assert store.cat("/bucket/export.csv") == CONTENT
    fetch(client, storage.ask, "memory://bucket/mapped.csv", columns={"name": "name"})
    assert store.cat("/bucket/mapped.csv").startswith(b"name,id\n")


def test_two_who_write_one_file_do_not_share_its_parts(
    client: StorageClient, storage: Storage, tmp_path: Path
) -> None:
    target = tmp_path / "file.csv"
    with spooled(str(target)) as first:
        first.write(b"half")
        assert fetch(client, storage.ask, str(target), count=True) == FETCHED
        assert first.path.read_bytes() == b"half"
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_in_the_parts_place_is_not_followed(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / ".file.csv.part").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic"):
        fetch(client, storage.ask, str(tmp_path / "file.csv"))
    assert elsewhere.read_text() == "precious"


def test_progress_is_told_of_the_bytes(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    seen: list[int] = []
    fetch(client, storage.ask, str(tmp_path / "file.csv"), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


KILLED = """
    import os, signal, sys
    from candid_provider.api.storage_client import StorageClient
    from candid_provider.transfers.download import fetch

    def progress(size):
        if size >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

    with StorageClient(timeout=5.0) as client:
        fetch(client, lambda: sys.argv[1], sys.argv[2], progress=progress)
"""


def test_a_killed_download_is_gone_on_with(client: StorageClient, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    storage.content = CONTENT * 10
    storage.deeds = deque([("cut", 1_000_000)])
    command = [sys.executable, "-c", textwrap.dedent(KILLED), storage.ask(), str(target), "1000001"]
    done = subprocess.run(command, check=False)
    assert done.returncode == -signal.SIGKILL
    there = (tmp_path / ".file.csv.part").stat().st_size
    assert there > 1_000_000
    storage.sent = 0
    fetched = fetch(client, storage.ask, str(target))
    assert fetched.sha256 == hashlib.sha256(storage.content).hexdigest()
    assert storage.sent == len(storage.content) - there
    assert list(tmp_path.iterdir()) == [target]


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
