"""The token source and its store: one that fails, forgets or lies, and what is written to it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from candid_provider.emulator import Emulator
from candid_provider.exceptions import (
    CandidRateLimitError,
)
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.steps import Clock
from candid_provider.oauth.store import FileTokenStore, MemoryTokenStore, StoreUnavailable, TokenStore
from tests.oauth.conftest import signed_up
from tests.oauth.sources import minted


class NoStore:
    settle = 0.0

    def load(self, register: str) -> str | None:
        raise StoreUnavailable("this store is closed")

    def save(self, register: str, value: str) -> None:
        raise StoreUnavailable("this store is closed")


class ReadOnlyStore(NoStore):
    def load(self, register: str) -> str | None:
        return None


class ForgetfulStore:
    settle = 0.0

    def load(self, register: str) -> str | None:
        return None

    def save(self, register: str, value: str) -> None:
        pass


class HalfShadowedStore(MemoryTokenStore):
    """Shares holds, but always gives another text for the token."""

    def load(self, register: str) -> str | None:
        return super().load(register) if "hold" in register else "***"


class LoudStore(NoStore):
    """Fails in its own words, which hold a password."""

    def load(self, register: str) -> str | None:
        raise ConnectionError("redis://user:p4ssw0rd@host")

    def save(self, register: str, value: str) -> None:
        raise ConnectionError("redis://user:p4ssw0rd@host")


class ShadowedStore(ForgetfulStore):
    """Always gives what somebody else put there, as a secrets backend does that is read first."""

    def load(self, register: str) -> str | None:
        return "***"


@pytest.mark.requirement(10)
@pytest.mark.parametrize(
    ("store", "why"),
    [
        pytest.param(NoStore(), "this store is closed", id="unreadable"),
        pytest.param(ReadOnlyStore(), "this store is closed", id="unwritable"),
        pytest.param(ForgetfulStore(), "does not give back what was written", id="forgetful"),
        pytest.param(ShadowedStore(), "does not give back what was written", id="shadowed"),
        pytest.param(HalfShadowedStore(), "does not give back what was written", id="half shadowed"),
        pytest.param(LoudStore(), "the store failed (ConnectionError)", id="loud"),
    ],
)
def test_a_store_that_fails_costs_sharing_only(
    emulator: Emulator, store: TokenStore, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = TokenSource(signed_up(emulator), store)
    assert {source.token().value for _ in range(5)} == {source.token().value}
    assert minted(emulator) == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert why in warnings[0]
    assert "p4ssw0rd" not in caplog.text


@pytest.mark.requirement(10)
@pytest.mark.parametrize("store", [NoStore(), ForgetfulStore()], ids=["unreadable", "forgetful"])
def test_without_a_store_a_process_mints_at_most_three_times_in_five_minutes(
    emulator: Emulator, store: TokenStore
) -> None:
    passed = 0.0
    clock = Clock(lambda: time.time() + passed, lambda: time.monotonic() + passed)
    source = TokenSource(signed_up(emulator), store, clock=clock)
    last = source.token().value
    for most in (3, 6):
        while minted(emulator) < most:
            last = source.token(refused=last).value
        with pytest.raises(CandidRateLimitError) as failure:
            source.token(refused=last)
        assert failure.value.retry_after == pytest.approx(300, abs=60)
        passed += 300
    assert minted(emulator) == 6


@pytest.mark.requirement(10)
def test_garbage_in_every_register_is_overwritten(emulator: Emulator, tmp_path: Path) -> None:
    source = TokenSource(signed_up(emulator), FileTokenStore(tmp_path))
    source.token()
    for register in tmp_path.iterdir():
        register.write_text("***")
    fresh = TokenSource(signed_up(emulator), FileTokenStore(tmp_path))
    assert fresh.token() == TokenSource(signed_up(emulator), FileTokenStore(tmp_path)).token()
    assert minted(emulator) == 2


@pytest.mark.requirement(21)
def test_register_names_hold_the_word_token_and_no_credentials(emulator: Emulator, tmp_path: Path) -> None:
    TokenSource(signed_up(emulator), FileTokenStore(tmp_path)).token()
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2
    assert all("token" in name and "emulator" not in name for name in names)


@pytest.mark.requirement(21)
def test_no_file_holds_the_token_or_the_secret(emulator: Emulator, tmp_path: Path) -> None:
    bearer = TokenSource(signed_up(emulator), FileTokenStore(tmp_path)).token().value
    stored = "".join(path.read_text() for path in tmp_path.iterdir())
    assert not [part for part in (bearer, *bearer.split("."), "emulator-secret") if part in stored]
