"""Client credentials: what they are called, how they ask for a token, how the answer is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import httpx
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidRateLimitError,
    CandidUnavailableError,
)
from candid_provider.oauth.retry_after import retry_after_seconds
from candid_provider.oauth.token import AccessToken
from candid_provider.oauth.unanswered import explain
from candid_provider.oauth.unreadable import UNREADABLE

DEFAULT_LIFE = 18_000.0
"""Seconds; Candid's documentation says a token lives five hours."""
MAX_LIFE = 86_400.0
MAX_ANSWER_BYTES = 1_000_000
REFUSALS = frozenset({400, 401, 403, 415, 422})


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Hold a client id, its secret and the URL that turns them into a token.

    :param client_id: Candid's client id.
    :param client_secret: its secret; never shown.
    :param token_url: absolute URL of ``POST /api/auth/v2/token``.
    :param encoding: body of the token request; Candid takes both.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str
    encoding: Literal["json", "form"] = "json"

    @property
    def fingerprint(self) -> str:
        """Name these very credentials without revealing them: 16 hex digits."""
        return self.derive("fingerprint", 8).hex()

    @property
    def token_register(self) -> str:
        """Name the register of a store that holds the token; Airflow hides values of names with ``token``."""
        return f"candid_token__{self.fingerprint}"

    @property
    def hold_register(self) -> str:
        """Name the register of a store that holds the hold."""
        return f"candid_token_hold__{self.fingerprint}"

    def derive(self, purpose: str, length: int) -> bytes:
        """Derive key material that only holders of the secret can derive (HKDF-SHA256, RFC 5869)."""
        salt = f"{self.token_url}\n{self.client_id}".encode()
        return HKDF(SHA256(), length, salt, f"airflow-provider-candid {purpose}".encode()).derive(
            self.client_secret.encode()
        )

    def mint(
        self,
        http: httpx.Client,
        *,
        timeout: float,
        minted_by: str = "",
        now: Callable[[], float] = time.time,
    ) -> AccessToken:
        """Ask the token endpoint for a new token, once.

        :param http: a client without auth, used for nothing else: a request that travels through another
            client's auth flow stays in the answer's history, secret included.
        :param timeout: seconds the answer may take.
        :param minted_by: who asks.
        :param now: tells UTC epoch seconds.
        :raises CandidAuthError: the credentials were refused.
        :raises CandidRateLimitError: too many tokens were asked for (HTTP 429).
        :raises CandidConfigError: the URL is not a token endpoint.
        :raises CandidUnavailableError: no usable answer.
        """
        started = now()
        status, headers, content = self._ask(http, timeout)
        return self._outcome(status, headers, content, started, minted_by)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled: pass the connection id and read the connection there")

    def _ask(self, http: httpx.Client, timeout: float) -> tuple[int, httpx.Headers, bytes]:
        fields = {"client_id": self.client_id, "client_secret": self.client_secret}
        body: Mapping[str, Any] = {"json": fields} if self.encoding == "json" else {"data": fields}
        problem, unusable, ends = "", False, time.monotonic() + timeout
        try:
            with http.stream("POST", self.token_url, timeout=timeout, **body) as response:
                return response.status_code, response.headers, _read(response, MAX_ANSWER_BYTES, ends)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            unusable = True
        except httpx.HTTPError as error:
            problem = explain(error)
        # Raised out here, where no httpx error, whose request holds the secret, is their context.
        if unusable:
            raise CandidConfigError(
                "auth_url: not a URL. Leave it empty, or give the https:// URL of the token endpoint",
                field="auth_url",
            )
        raise CandidUnavailableError(
            f"the token endpoint did not answer: {problem}",
            route="POST /api/auth/v2/token",
        )

    def _outcome(
        self, status: int, headers: Mapping[str, str], content: bytes, started: float, minted_by: str
    ) -> AccessToken:
        if status == 429:
            raise CandidRateLimitError(
                "too many tokens were asked for (HTTP 429 from the token endpoint)",
                retry_after=retry_after_seconds(headers.get("retry-after"), started),
                route="POST /api/auth/v2/token",
            )
        if status in REFUSALS:
            raise CandidAuthError(
                f"Candid refused the credentials (HTTP {status}): check the connection's login (Client ID),"
                " password (Client Secret) and environment; each environment has credentials of its own"
            )
        if 300 <= status < 500 and status != 408:
            raise CandidConfigError(
                f"auth_url: the token endpoint answered HTTP {status}; check the connection's host,"
                " environment and auth_url",
                field="auth_url",
            )
        if status != 200:
            raise CandidUnavailableError(
                f"the token endpoint answered HTTP {status}",
                status_code=status,
                route="POST /api/auth/v2/token",
                retry_after=retry_after_seconds(headers.get("retry-after"), started),
            )
        return _token_from(content, started, minted_by)


def _read(response: httpx.Response, limit: int, ends: float) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > limit:
            raise httpx.ReadError("answer too large")
        if time.monotonic() > ends:  # httpx counts its timeout anew for each piece
            raise httpx.ReadTimeout("answer too slow")
    return bytes(content)


def _token_from(content: bytes, started: float, minted_by: str) -> AccessToken:
    try:
        answer = msgspec.json.decode(content)
    except UNREADABLE:
        answer = None
    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value.strip():
        raise CandidUnavailableError(
            "the token endpoint answered 200 without an access_token: check the connection's host and auth_url",
            route="POST /api/auth/v2/token",
        )
    if str(answer.get("token_type") or "bearer").lower() != "bearer":
        raise CandidUnavailableError(
            "the token endpoint answered with a token_type other than Bearer", route="POST /api/auth/v2/token"
        )
    lives = [life for life in (_seconds(answer.get("expires_in")), _jwt_life(value, started)) if life > 0]
    return AccessToken(value, started, started + min([*lives, MAX_LIFE] if lives else [DEFAULT_LIFE]), minted_by)


def _seconds(value: object) -> float:
    """Read a number of seconds; 0 for anything that is not one."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0


def _jwt_life(value: str, started: float) -> float:
    """Read the life a JWT claims for itself, unverified: it can only shorten what ``expires_in`` says."""
    import jwt  # here, because only the one process that mints needs it

    try:
        claims = jwt.decode(value, options={"verify_signature": False})
    except jwt.PyJWTError:
        return 0.0
    # Both claims come from the server's clock, so their difference is free of ours.
    return _seconds(claims.get("exp")) - (_seconds(claims.get("iat")) or started)
