"""The token endpoint and its tokens (Candid: POST /api/auth/v2/token; public key at an Auth0 /pem URL)."""

from __future__ import annotations

import hmac
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.exchange.answers import Refusal

Clock = Callable[[], float]
_RATE_WINDOW: Final = 60.0
_ISSUER: Final = "https://candid.emulator.invalid/"
_key_lock = threading.Lock()


@cache
def _generate_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def signing_key() -> rsa.RSAPrivateKey:
    """This process's signing key, made at first use."""
    # `cache` alone lets two threads make one each.
    with _key_lock:
        return _generate_key()


def public_key_pem() -> bytes:
    """The public key that verifies the tokens, as PEM."""
    return (
        signing_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


class Tokens:
    """Mints bearer tokens and recognises them again; counts what the token endpoint did.

    `clock` gives seconds since 1970; expiry and the rate limit go by it.
    """

    def __init__(self, config: EmulatorConfig, clock: Clock = time.time) -> None:
        self._config = config
        self._clock = clock
        self._client_secret = config.client_secret
        self.clients: dict[str, str] = {}  # the secrets of more clients, by client id
        self._live: dict[str, float] = {}
        self._mints: deque[float] = deque()
        self.minted = self.rate_limited = self.refused = 0

    def exchange(self, content_type: str, body: bytes) -> dict[str, Any]:
        """Answer a token request: a token, or a Refusal with 400, 401, 415, 422 or 429."""
        client_id, client_secret = _credentials(content_type, body)
        self._check_credentials(client_id, client_secret)
        self._check_rate()
        return {
            "access_token": self._mint(client_id),
            "expires_in": self._config.token_lifetime,
            "token_type": "Bearer",
        }

    def accepts(self, authorization: str | None) -> bool:
        """Whether an Authorization header carries a token that was minted here and still lives."""
        scheme, _, token = (authorization or "").partition(" ")
        expiry = self._live.get(token.strip())
        return scheme.lower() == "bearer" and expiry is not None and self._clock() < expiry

    def live(self) -> list[str]:
        """The tokens that are accepted."""
        now = self._clock()
        return [token for token, expiry in self._live.items() if now < expiry]

    def expire(self, authorization: str | None) -> bool:
        """Make the token of an Authorization header invalid; whether it still lived."""
        alive = self.accepts(authorization)
        if alive:
            del self._live[(authorization or "").partition(" ")[2].strip()]
        return alive

    def revoke(self) -> int:
        """Make every token minted so far invalid; how many there were."""
        revoked, self._live = len(self._live), {}
        return revoked

    def rotate(self, client_secret: str) -> None:
        """Accept another secret from now on and no other; tokens minted so far become invalid."""
        self._client_secret = client_secret
        self.revoke()

    def counts(self) -> dict[str, int]:
        return {"minted": self.minted, "rate_limited": self.rate_limited, "refused": self.refused}

    def _check_credentials(self, client_id: str, client_secret: str) -> None:
        known = {**self.clients, self._config.client_id: self._client_secret}
        if not _same(client_secret, known.get(client_id, "")) or client_id not in known:
            self.refused += 1
            raise Refusal(401, {"detail": "Invalid client credentials"})

    def _check_rate(self) -> None:
        now = self._clock()
        while self._mints and self._mints[0] <= now - _RATE_WINDOW:
            self._mints.popleft()
        if self._config.rate_limit and len(self._mints) >= self._config.rate_limit:
            self.rate_limited += 1
            raise _named(429, "TooManyRequestsError", "Too many requests")
        if self._config.rate_limit:
            self._mints.append(now)

    def _mint(self, client_id: str) -> str:
        now = self._clock()
        issued, lifetime = int(now), self._config.token_lifetime
        claims = {
            "iss": _ISSUER,
            "sub": client_id,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": str(uuid.uuid4()),
        }
        token = jwt.encode(claims, signing_key(), algorithm="RS256")
        self._forget_expired(now)
        self._live[token] = now + lifetime
        self.minted += 1
        return token

    def _forget_expired(self, now: float) -> None:
        # All live equally long, so the oldest expire first.
        while self._live and self._live[oldest := next(iter(self._live))] <= now:
            del self._live[oldest]


def _same(given: str, expected: str) -> bool:
    # JSON can carry half of a surrogate pair, which plain UTF-8 refuses.
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))


def _named(status: int, name: str, message: str) -> Refusal:
    return Refusal(status, {"errorName": name, "content": {"message": message}})


def _credentials(content_type: str, body: bytes) -> tuple[str, str]:
    fields = _fields(content_type.partition(";")[0].strip().lower(), body)
    problems = [problem for name in ("client_id", "client_secret") if (problem := _problem(fields, name))]
    if problems:
        raise Refusal(422, {"detail": problems})
    return fields["client_id"], fields["client_secret"]


def _fields(media_type: str, body: bytes) -> dict[str, Any]:
    if media_type not in ("application/json", "application/x-www-form-urlencoded"):
        raise _named(415, "InvalidContentTypeError", "Unsupported content type")
    try:
        if media_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, {"detail": "The request body could not be parsed"}) from None
    if not isinstance(fields, dict):
        problem = {"type": "dict_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}
        raise Refusal(422, {"detail": [problem]})
    return fields


def _problem(fields: dict[str, Any], name: str) -> dict[str, Any] | None:
    if name not in fields:
        return {"type": "missing", "loc": ["body", name], "msg": "Field required"}
    if not isinstance(fields[name], str):
        return {"type": "string_type", "loc": ["body", name], "msg": "Input should be a valid string"}
    return None
