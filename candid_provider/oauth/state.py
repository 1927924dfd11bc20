"""What a store knows of a shared token, for people: everything but the token."""

from __future__ import annotations

from dataclasses import dataclass

from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.hold import Hold, read_hold
from candid_provider.oauth.store import TokenStore
from candid_provider.oauth.token import AccessToken, Window


@dataclass(frozen=True, slots=True)
class TokenState:
    """Hold what a store's two registers say at a time.

    :param fingerprint: names the credentials; part of the registers' names.
    :param token: the shared token, if there is one that these credentials open; its printout hides the bearer.
    :param hold: the last hold; it may be over.
    :param now: the time, UTC epoch seconds.
    """

    fingerprint: str
    token: AccessToken | None
    hold: Hold | None
    now: float

    @property
    def lines(self) -> dict[str, str]:
        """Say it in words, by topic."""
        return {"credentials": self.fingerprint, "token": self._token(), "hold": self._hold()}

    def _token(self) -> str:
        if self.token is None:
            return "none; the next task that needs one mints it"
        window = self.token.window(self.now, 0.5)
        if window is Window.EXPIRED:
            return f"{self.token.hash}, over; minted by {self.token.minted_by}"
        age, left = self.now - self.token.issued_at, self.token.expires_at - self.now
        return (
            f"{self.token.hash}, {window.value}, {_span(age)} old, {_span(left)} left;"
            f" minted by {self.token.minted_by}"
        )

    def _hold(self) -> str:
        released = self.hold and self.token and self.hold.fulfilled_by(self.token)
        if self.hold is None or released or not self.hold.left(self.now):
            return "none"
        return f"{self.hold.reason} by {self.hold.owner}, {_span(self.hold.left(self.now))} left"


def read_state(credentials: ClientCredentials, store: TokenStore, now: float) -> TokenState:
    """Read a store's registers without asking Candid.

    :param now: UTC epoch seconds.
    :raises StoreUnavailable: the store could not be read.
    """
    token = Envelope(credentials).open(store.load(credentials.token_register), now)
    return TokenState(credentials.fingerprint, token, read_hold(store.load(credentials.hold_register)), now)


def _span(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
