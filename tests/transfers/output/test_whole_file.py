"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.sdk.io import attach  # noqa: TID251 - how a deployment adds a file system

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.whole_file import whole_file


def write_and_stop(path: str) -> None:
    with whole_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with whole_file(str(target)) as file:
        file.write(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"


def test_while_it_is_written_nobody_else_can_read_it(tmp_path: Path) -> None:
    with whole_file(str(tmp_path / "file")) as file:
        file.write(b"one")
        (part,) = tmp_path.iterdir()
        assert part.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_process_had_written_goes_with_the_next_try(tmp_path: Path) -> None:
    target = tmp_path / "file"
    if os.fork() == 0:
        with whole_file(str(target)) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"half"]
    with whole_file(str(target)) as file:
        file.write(b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_what_somebody_else_is_writing_stays(tmp_path: Path) -> None:
    target = str(tmp_path / "file")
    with whole_file(target) as one:
        one.write(b"one")
        with whole_file(target) as other:
            other.write(b"other")
        assert Path(target).read_bytes() == b"other"
    assert Path(target).read_bytes() == b"one"


def test_a_file_url_is_a_local_file(tmp_path: Path) -> None:
    with whole_file(f"file://{tmp_path}/file") as file:
        file.write(b"one")
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_path_object_is_a_path(tmp_path: Path) -> None:
    with whole_file(ObjectStoragePath(f"file://{tmp_path}/file")) as file:
        file.write(b"one")
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_directory_is_made_and_tried(tmp_path: Path) -> None:
    Directory(str(tmp_path / "deep" / "er")).make()
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "er"]
    assert list((tmp_path / "deep" / "er").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(CandidConfigError, match=r"^results_path is a file"):
        Directory(str(tmp_path / "file"), "results_path")
    with pytest.raises(CandidConfigError, match=r"^path: .* cannot be written"):
        Directory(str(tmp_path / "file" / "deep")).make()


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_and_stop(str(target))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_object_store_holds_the_upload_back_until_the_end(store: fsspec.AbstractFileSystem) -> None:
    with whole_file("memory://bucket/file") as file:
        file.write(b"one")
        assert not store.exists("/bucket/file")
    assert store.cat("/bucket/file") == b"one"


def test_an_object_store_keeps_nothing_of_a_failed_upload(store: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_and_stop("memory://bucket/failed")
    assert not store.exists("/bucket/failed")


@pytest.fixture
def store() -> fsspec.AbstractFileSystem:
    """An object store that Airflow knows; fsspec's own, in memory."""
    store = fsspec.filesystem("memory")
    attach("memory", fs=store)
    return store


@pytest.mark.parametrize(
    "path", ["file", "./file", "/tmp/../file", "s3://bucket/../x", "nosuchscheme://bucket/x", "/proc/no/file"]
)
def test_a_path_that_cannot_be_written_is_named(path: str) -> None:
    with pytest.raises(CandidConfigError, match="path") as caught, whole_file(path):
        pass
    assert caught.value.field == "path"
