"""The Test button: what it costs, and whether its message leads to the fix."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.hooks.candid import CandidHook
from candid_provider.oauth.hold import Hold
from candid_provider.oauth.store import FileTokenStore
from tests.conftest import Connect
from tests.oauth.scripted import HTML, Scripted, answer, self_signed, serving

pytestmark = pytest.mark.requirement(22)


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another emulator may have had the port, and left a token for it.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def server(connect: Connect) -> Iterator[Scripted]:
    """A Candid that answers from a script, with the connection pointing there."""
    with serving() as script:
        connect(host=script.url)
        yield script


def test_a_shared_token_is_used(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    connect(extra={"store": "file"})
    CandidHook().get_token()
    minted = candid.stats()["token"]["minted"]
    assert CandidHook().test_connection() == (True, f"Candid accepted the credentials and answered at {candid.url}")
    assert candid.stats()["token"]["minted"] == minted == 1


def test_without_a_shared_token_one_is_minted_and_not_shared(candid: Emulator, connect: Connect) -> None:
    connect(extra={"store": "file"})
    for minted in (1, 2):
        assert CandidHook().test_connection()[0]
        assert candid.stats()["token"]["minted"] == minted
    assert CandidHook().token_state().token is None


def test_a_shared_token_that_is_refused_is_replaced_for_the_test(candid: Emulator, connect: Connect) -> None:
    connect(extra={"store": "file"})
    CandidHook().get_token()
    candid.revoke_tokens()
    assert CandidHook().test_connection()[0]
    assert candid.stats()["token"]["minted"] == 2


def test_wrong_credentials_name_the_fields(candid: Emulator, connect: Connect) -> None:
    connect(password="wrong-secret")
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "refused the credentials" in message
    assert "password (Client Secret)" in message
    assert "wrong-secret" not in message
    assert candid.stats()["token"]["refused"] == 1


def test_throttled_says_for_how_long(server: Scripted) -> None:
    server.token_answers = [answer({}, 429, Retry_After="40")]
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "asked to slow down" in message
    assert "40 s" in message


def test_no_network_names_the_host(connect: Connect) -> None:
    connect(host="http://127.0.0.1:9")
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "did not answer: ConnectError; check the network and the connection's host" in message


def test_an_untrusted_certificate_says_whom_to_trust(connect: Connect, tmp_path: Path) -> None:
    with serving(self_signed(tmp_path)) as server:
        connect(host=server.url)
        accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "TLS: self-signed certificate; trust the server's authority with SSL_CERT_FILE" in message


def test_no_tls_where_tls_is_expected_says_so(connect: Connect, server: Scripted) -> None:
    connect(host=server.url.replace("http://", "https://"))
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "TLS: " in message
    assert "schema and port" in message


def test_a_token_of_another_environment_says_so(server: Scripted) -> None:
    server.answers = [answer({}, 401)]
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "check that the credentials belong to the connection's environment" in message


def test_a_host_that_is_not_candids_says_so(server: Scripted) -> None:
    server.token_answers = [HTML]
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "the token endpoint answered HTTP 502" in message
    assert "Jane" not in message


def test_an_unusable_store_is_named(candid: Emulator, connect: Connect) -> None:
    connect(extra={"store": "no.such.Store"})
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "store" in message


def test_two_environments_share_no_token(connect: Connect) -> None:
    with running(EmulatorConfig()) as one, running(EmulatorConfig()) as other:
        for emulator in (one, other):
            connect(host=emulator.url, extra={"store": "file"})
            CandidHook().get_token()
            assert CandidHook().test_connection()[0]
        assert one.stats()["token"]["minted"] == other.stats()["token"]["minted"] == 1


def test_a_pause_that_everybody_keeps_is_kept_by_the_button_too(candid: Emulator, connect: Connect) -> None:
    connect(extra={"store": "file"})
    credentials = CandidHook()._settings.credentials
    hold = Hold("host:1", "abc", "throttled", 600.0, time.time() + 600.0)
    FileTokenStore().save(credentials.hold_register, hold.text())
    accepted, message = CandidHook().test_connection()
    assert not accepted
    assert "asked to slow down" in message
    assert candid.stats()["token"]["minted"] == 0
