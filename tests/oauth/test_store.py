"""Stores: missing is None, the last save wins, and a file is whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from candid_provider.oauth.store import FileTokenStore, MemoryTokenStore, StoreUnavailable, TokenStore
from tests.oauth.scripted import everything_in


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    return MemoryTokenStore() if request.param == "memory" else FileTokenStore(tmp_path / "tokens")


@pytest.fixture
def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("not a directory")
    return tmp_path / "file" / "tokens"


def test_a_register_that_was_never_saved_is_none(store: TokenStore) -> None:
    assert store.load("token") is None


def test_the_last_save_wins(store: TokenStore) -> None:
    for value in ("one", "two", ""):
        store.save("token", value)
        assert store.load("token") == value


def test_registers_are_apart(store: TokenStore) -> None:
    store.save("token", "one")
    store.save("hold", "two")
    assert [store.load("token"), store.load("hold")] == ["one", "two"]


def test_it_is_a_token_store(store: TokenStore) -> None:
    assert isinstance(store, TokenStore)
    assert store.settle >= 0


def test_memory_is_not_shared() -> None:
    MemoryTokenStore().save("token", "one")
    assert MemoryTokenStore().load("token") is None


def test_files_are_shared(tmp_path: Path) -> None:
    FileTokenStore(tmp_path).save("token", "one")
    assert FileTokenStore(str(tmp_path)).load("token") == "one"


def test_directory_and_file_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileTokenStore(tmp_path / "tokens").save("token", "one")
    finally:
        os.umask(before)
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "tokens" / "token").stat().st_mode & 0o777 == 0o600


def test_no_temporary_file_stays_behind(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    for number in range(5):
        store.save("token", str(number))
    assert os.listdir(tmp_path) == ["token"]


def test_no_temporary_file_stays_behind_after_a_failure(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(StoreUnavailable):
        FileTokenStore(tmp_path).save("token", "the-value")
    assert os.listdir(tmp_path) == ["token"]


def test_a_directory_that_cannot_be_made_is_unavailable(below_a_file: Path) -> None:
    with pytest.raises(StoreUnavailable, match="written") as failure:
        FileTokenStore(below_a_file).save("token", "the-value")
    assert "the-value" not in everything_in(failure.value)


def test_a_directory_that_cannot_be_read_is_unavailable(below_a_file: Path) -> None:
    with pytest.raises(StoreUnavailable, match="read"):
        FileTokenStore(below_a_file).load("token")


def test_a_directory_in_the_files_place_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(StoreUnavailable, match="read"):
        FileTokenStore(tmp_path).load("token")


def test_bytes_that_are_no_text_are_unavailable_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"the-value\xff")
    with pytest.raises(StoreUnavailable) as failure:
        FileTokenStore(tmp_path).load("token")
    assert "the-value" not in everything_in(failure.value)


def test_the_default_directory_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    FileTokenStore().save("token", "one")
    assert (tmp_path / "airflow-provider-candid" / "token").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become a user without a home")
def test_a_given_directory_needs_no_home() -> None:
    # As on OpenShift, which runs containers under a user id that has no entry anywhere.
    code = (
        "import os, pwd; from candid_provider.oauth.store import FileTokenStore; os.setuid(54_321);"
        " print(FileTokenStore('/nowhere').load('token'))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("None\n", 0), done.stderr


def test_a_reader_never_sees_a_half_written_value(store: TokenStore) -> None:
    values = {letter * 200_000 for letter in "abc"}
    store.save("token", "a" * 200_000)
    done = threading.Event()

    def write() -> None:
        for _ in range(20):
            for value in sorted(values):
                store.save("token", value)
        done.set()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = set()
    while not done.is_set():
        seen.add(store.load("token"))
    for writer in writers:
        writer.join()
    assert seen <= values
