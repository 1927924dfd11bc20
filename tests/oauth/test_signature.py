"""The optional check of a token's signature."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidAuthError, CandidConfigError, CandidUnavailableError
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.signature import SignatureCheck
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore

FORGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False) as client:
        yield client


@pytest.fixture
def bearer(candid: Emulator, http: httpx.Client) -> str:
    fields = {"client_id": "emulator", "client_secret": "emulator-secret"}
    return str(http.post(f"{candid.url}/api/auth/v2/token", json=fields).json()["access_token"])


def forged(bearer: str) -> str:
    claims = jwt.decode(bearer, options={"verify_signature": False})
    return jwt.encode(claims, FORGER, algorithm="RS256")


def check(source: str, bearer: str, http: httpx.Client) -> None:
    signature = SignatureCheck(source)
    signature.fetch_key(http, 5)
    signature.check(bearer)


def test_a_token_signed_with_the_published_key_passes(candid: Emulator, http: httpx.Client, bearer: str) -> None:
    check(f"{candid.url}/pem", bearer, http)


def test_a_pinned_file_needs_no_network(candid: Emulator, http: httpx.Client, bearer: str, tmp_path: Path) -> None:
    pinned = tmp_path / "candid.pem"
    pinned.write_bytes(http.get(f"{candid.url}/pem").content)
    http.close()
    check(str(pinned), bearer, http)


def test_the_key_is_fetched_once(candid: Emulator, http: httpx.Client, bearer: str) -> None:
    signature = SignatureCheck(f"{candid.url}/pem")
    signature.fetch_key(http, 5)
    http.close()
    signature.fetch_key(http, 5)
    signature.check(bearer)


@pytest.mark.parametrize("kind", ["forged", "unsigned", "symmetric", "no jwt"])
def test_any_other_signature_is_refused_without_showing_the_token(
    candid: Emulator, http: httpx.Client, bearer: str, kind: str
) -> None:
    claims = jwt.decode(bearer, options={"verify_signature": False})
    tokens = {
        "forged": forged(bearer),
        "unsigned": jwt.encode(claims, "", algorithm="none"),
        "symmetric": jwt.encode(claims, "s" * 32, algorithm="HS256"),
        "no jwt": "opaque-bearer",
    }
    with pytest.raises(CandidAuthError, match="verify_jwt") as caught:
        check(f"{candid.url}/pem", tokens[kind], http)
    assert tokens[kind] not in str(caught.value)


def test_a_file_that_is_no_key_is_named(http: httpx.Client, bearer: str, tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "curve.pem").write_bytes(curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem", tmp_path / "curve.pem"):
        with pytest.raises(CandidConfigError, match="verify_jwt"):
            check(str(path), bearer, http)


def test_a_host_that_does_not_answer_is_worth_a_retry(http: httpx.Client, bearer: str) -> None:
    with pytest.raises(CandidUnavailableError, match="verify_jwt"):
        check("http://127.0.0.1:1/pem", bearer, http)


def test_a_source_refuses_a_forged_token(candid: Emulator, tmp_path: Path) -> None:
    wrong_key = tmp_path / "wrong.pem"
    wrong_key.write_bytes(FORGER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    credentials = ClientCredentials("emulator", "emulator-secret", f"{candid.url}/api/auth/v2/token")
    source = TokenSource(credentials, MemoryTokenStore(), verify=SignatureCheck(str(wrong_key)))
    with pytest.raises(CandidAuthError, match="not signed"):
        source.token()
    assert candid.stats()["token"]["minted"] == 1


def test_without_the_key_no_token_is_asked_for(candid: Emulator) -> None:
    credentials = ClientCredentials("emulator", "emulator-secret", f"{candid.url}/api/auth/v2/token")
    source = TokenSource(credentials, MemoryTokenStore(), verify=SignatureCheck("http://127.0.0.1:1/pem"), deadline=3)
    with pytest.raises(CandidUnavailableError, match="verify_jwt"):
        source.token()
    assert candid.stats()["token"]["minted"] == 0


def test_a_source_takes_a_good_one(candid: Emulator) -> None:
    credentials = ClientCredentials("emulator", "emulator-secret", f"{candid.url}/api/auth/v2/token")
    source = TokenSource(credentials, MemoryTokenStore(), verify=SignatureCheck(f"{candid.url}/pem"))
    assert source.token().value
