"""What the token source logs: each decision, and no secret."""

from __future__ import annotations

import logging
import random

import pytest

from candid_provider.emulator import Emulator
from candid_provider.exceptions import (
    CandidAuthError,
)
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.oauth.conftest import SECRET, signed_up
from tests.oauth.scripted import Answer, Scripted, answer
from tests.oauth.sources import LINE, minted, source_of


def decisions(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if record.name == "candid_provider.token"]
    matches = [LINE.match(line) for line in lines]
    assert all(matches), lines
    return [match[1] for match in matches if match]


@pytest.mark.requirement(5)
def test_each_log_line_has_its_decision_and_hash_and_no_secret(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source = source_of(emulator)
    one = source.token()
    other = source.token(refused=one.value)
    assert {"mint", "minted", "fence"} <= set(decisions(caplog))
    assert f"hash={other.hash}" in caplog.text
    for hidden in (one.value, other.value, "emulator-secret"):
        assert hidden not in caplog.text


@pytest.mark.requirement(24)
def test_a_load_is_logged_with_the_hash_of_what_was_loaded(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryTokenStore()
    token = TokenSource(signed_up(emulator), store).token()
    caplog.clear()
    caplog.set_level(logging.INFO)
    TokenSource(signed_up(emulator), store).token()
    assert decisions(caplog) == ["load"]
    assert f"hash={token.hash}" in caplog.text


@pytest.mark.requirement(24)
def test_the_number_of_mints_can_be_read_from_the_log(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source, chance = source_of(emulator), random.Random(1)
    last = source.token().value
    for _ in range(10):
        last = source.token(refused=last if chance.random() < 0.5 else None).value
    assert decisions(caplog).count("minted") == minted(emulator) > 1


@pytest.mark.requirement(5)
def test_a_refused_secret_is_logged_without_being_shown(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CandidAuthError):
        TokenSource(signed_up(emulator, "wrong-secret"), MemoryTokenStore()).token()
    assert "back_off" in decisions(caplog)
    assert "wrong-secret" not in caplog.text


def test_the_endpoints_body_is_never_logged(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.token_answers = [Answer(503, b"Jane Roe"), answer({"detail": "Jane Roe"}, 401)]
    source = TokenSource(ClientCredentials("me", SECRET, server.token_url), MemoryTokenStore(), deadline=5)
    with pytest.raises(CandidAuthError):
        source.token()
    assert "Jane" not in caplog.text
    assert SECRET not in caplog.text
