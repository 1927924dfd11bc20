"""The sealed envelope in which a token is stored: opened only by holders of the same credentials."""

from __future__ import annotations

import base64
from typing import Literal, NoReturn

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from candid_provider.oauth.credentials import MAX_LIFE, ClientCredentials
from candid_provider.oauth.token import CLOCK_SKEW, AccessToken
from candid_provider.oauth.unreadable import UNREADABLE


class _Record(msgspec.Struct):
    v: Literal[1]
    access_token: str
    issued_at: float
    expires_at: float
    minted_by: str


class Envelope:
    """Seal and open stored tokens with a key derived from the credentials.

    Another secret, another environment or a stranger cannot open what was sealed, and whatever cannot be
    opened counts as absent.

    :param credentials: the key is derived from these (HKDF), so it needs no Fernet key on the worker.
    """

    def __init__(self, credentials: ClientCredentials) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(credentials.derive("envelope", 32)))

    def __reduce__(self) -> NoReturn:
        raise TypeError("an envelope is not pickled: its key opens what is sealed")

    def seal(self, token: AccessToken) -> str:
        """Turn a token into text that may be stored anywhere."""
        record = _Record(1, token.value, token.issued_at, token.expires_at, token.minted_by)
        return self._fernet.encrypt(msgspec.json.encode(record)).decode()

    def open(self, text: str | None, now: float) -> AccessToken | None:
        """Turn stored text back into a token; None for anything else: absent, masked, foreign, implausible.

        :param now: UTC epoch seconds.
        """
        try:
            record = msgspec.json.decode(self._fernet.decrypt((text or "").encode("ascii", "replace")), type=_Record)
        except (InvalidToken, *UNREADABLE):
            return None
        if not now - MAX_LIFE <= record.issued_at <= now + CLOCK_SKEW:
            return None
        life = record.expires_at - record.issued_at
        if not 0 < life <= MAX_LIFE:
            return None
        # Minted in the future it cannot be: by our clock it ends no later than if it were minted now.
        expires_at = min(record.expires_at, now + life)
        return AccessToken(record.access_token, record.issued_at, expires_at, record.minted_by)
