"""Rotation: credentials that are refused are read again, once, in case somebody has changed them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from candid_provider.exceptions import CandidAuthError
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.token import AccessToken


class Tokens(Protocol):
    """What managed auth needs of whoever has tokens; see :class:`TokenSource`."""

    def token(self, refused: str | None = None) -> AccessToken: ...

    async def atoken(self, refused: str | None = None) -> AccessToken: ...

    def condemn(self, bearer: str) -> None: ...

    async def acondemn(self, bearer: str) -> None: ...


class RotatingSource:
    """Answer with tokens of a source, and of another one once its credentials are refused and others are found.

    A secret that is changed in the connection so takes effect in tasks and triggers that are running.

    :param source: where tokens come from at first.
    :param reread: gives a source with the credentials that hold now, the same one if they have not changed, or
        None if they cannot be read or belong elsewhere.
    :param areread: does so without holding the event loop.
    """

    def __init__(
        self,
        source: TokenSource,
        reread: Callable[[], TokenSource | None],
        areread: Callable[[], Awaitable[TokenSource | None]],
    ) -> None:
        self._source, self._reread, self._areread = source, reread, areread
        self._left_with: dict[TokenSource, str | None] = {}

    def token(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token.

        :param refused: a bearer that Candid has just answered with 401; the answer is another one.
        :raises CandidError: as :meth:`TokenSource.token`.
        """
        source = self._source
        try:
            return source.token(refused)
        except CandidAuthError as error:
            refusal = error
        if self._source is source:
            self._turn(source, refused, self._reread(), refusal)
        return self._source.token(self._refused_here(refused))

    async def atoken(self, refused: str | None = None) -> AccessToken:
        """Answer with a usable token without holding the event loop."""
        source = self._source
        try:
            return await source.atoken(refused)
        except CandidAuthError as error:
            refusal = error
        if self._source is source:
            self._turn(source, refused, await self._areread(), refusal)
        return await self._source.atoken(self._refused_here(refused))

    def condemn(self, bearer: str) -> None:
        """Keep the fleet from minting for a while: a token that replaced a refused one was refused, too."""
        self._source.condemn(bearer)

    async def acondemn(self, bearer: str) -> None:
        """Keep the fleet from minting for a while, without holding the event loop."""
        await self._source.acondemn(bearer)

    def _turn(self, old: TokenSource, refused: str | None, new: TokenSource | None, refusal: CandidAuthError) -> None:
        if new is None or new is old:
            raise refusal
        self._left_with[old] = refused
        if self._source is old:
            new.report("rotate", "the connection has other credentials now")
            self._source = new

    def _refused_here(self, refused: str | None) -> str | None:
        """Say which bearer is not to be used again, now that the source may be another one, or one left before."""
        return self._left_with.get(self._source, refused)
