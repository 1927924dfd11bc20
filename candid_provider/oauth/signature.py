"""The optional check that a token was signed by Candid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx

from candid_provider.exceptions import CandidAuthError, CandidConfigError, CandidUnavailableError

CANDID_PEM = "https://candidhealth.auth0.com/pem"
"""Where Candid publishes the certificate its tokens are signed with (Candid's documentation, Authentication)."""


class SignatureCheck:
    """Refuse a bearer that was not signed with Candid's key (JWT, RS256).

    The key is read when the first token is checked, and once.

    :param source: a URL of a PEM, or the absolute path of a PEM file, which pins the key.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._key: Any = None

    def __call__(self, bearer: str, http: httpx.Client) -> None:
        """Check a bearer's signature; its dates are not this check's business.

        :param http: fetches the PEM if it is not a file.
        :raises CandidAuthError: the signature is not Candid's.
        :raises CandidConfigError: there is no key at the source.
        :raises CandidUnavailableError: the PEM's host did not answer.
        """
        import jwt  # here, because only the one process that mints needs it

        self._key = self._key or _public_key(self._pem(http))
        try:
            jwt.api_jws.decode(bearer, self._key, algorithms=["RS256"])
            return
        except jwt.PyJWTError as error:
            problem = type(error).__name__
        raise CandidAuthError(
            f"the token was not signed with the key of verify_jwt ({problem}): check the connection's host and"
            " auth_url, or the pinned file if Candid has changed its key"
        )

    def _pem(self, http: httpx.Client) -> bytes:
        return _file(self._source) if os.path.isabs(self._source) else _fetched(self._source, http)


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = type(error).__name__
    raise CandidConfigError(f"verify_jwt: the file cannot be read ({problem})", field="verify_jwt")


def _fetched(url: str, http: httpx.Client) -> bytes:
    try:
        answer = http.get(url)
        if answer.status_code == 200:
            return answer.content
        problem = f"HTTP {answer.status_code}"
    except httpx.HTTPError as error:
        problem = type(error).__name__
    raise CandidUnavailableError(f"verify_jwt: the PEM could not be fetched ({problem})")


def _public_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        if b"BEGIN CERTIFICATE" in pem:
            return load_pem_x509_certificate(pem).public_key()
        return load_pem_public_key(pem)
    except ValueError:
        pass
    raise CandidConfigError("verify_jwt: neither a PEM certificate nor a PEM public key", field="verify_jwt")
