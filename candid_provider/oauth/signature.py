"""The optional check that a token was signed by Candid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from candid_provider.exceptions import CandidAuthError, CandidConfigError, CandidUnavailableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

CANDID_PEM = "https://candidhealth.auth0.com/pem"
"""Where Candid publishes the certificate its tokens are signed with (Candid's documentation, Authentication)."""


class SignatureCheck:
    """Refuse a bearer that was not signed with Candid's key (JWT, RS256).

    The key is read when the first token is checked, and once.

    :param source: a URL of a PEM, or the absolute path of a PEM file, which pins the key.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._key: RSAPublicKey | None = None

    def fetch_key(self, http: httpx.Client, timeout: float) -> None:
        """Read the key, before a token is minted that could not be checked.

        :param http: fetches the PEM if it is not a file.
        :param timeout: seconds for that.
        :raises CandidConfigError: there is no key at the source.
        :raises CandidUnavailableError: the PEM's host did not answer.
        """
        if self._key is None:
            pem = _file(self._source) if os.path.isabs(self._source) else _fetched(self._source, http, timeout)
            self._key = _public_key(pem)

    def check(self, bearer: str) -> None:
        """Check a bearer's signature; its dates are not this check's business.

        :raises CandidAuthError: the signature is not Candid's.
        """
        import jwt  # here, because only the one process that mints needs it

        try:
            jwt.api_jws.decode(bearer, self._key or b"", algorithms=["RS256"])
            return
        except jwt.PyJWTError as error:
            problem = type(error).__name__
        raise CandidAuthError(
            f"the token was not signed with the key of verify_jwt ({problem}): check the connection's host and"
            " auth_url, or the pinned file if Candid has changed its key"
        )


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = type(error).__name__
    raise CandidConfigError(f"verify_jwt: the file cannot be read ({problem})", field="verify_jwt")


def _fetched(url: str, http: httpx.Client, timeout: float) -> bytes:
    try:
        answer = http.get(url, timeout=timeout)
        if answer.status_code == 200:
            return answer.content
        problem = f"HTTP {answer.status_code}"
    except httpx.HTTPError as error:
        problem = type(error).__name__
    raise CandidUnavailableError(f"verify_jwt: the PEM could not be fetched ({problem})")


def _public_key(pem: bytes) -> RSAPublicKey:
    # Here, because parsing a DAG file must not pay for what few deployments use.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certified = b"BEGIN CERTIFICATE" in pem
        key = load_pem_x509_certificate(pem).public_key() if certified else load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise CandidConfigError("verify_jwt: neither a certificate nor a public key (PEM, RSA)", field="verify_jwt")
    return key
