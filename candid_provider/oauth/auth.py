"""The httpx auth: the shared bearer for Candid's own hosts, one replay after a refused one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable

import httpx

from candid_provider.oauth.rotation import Tokens
from candid_provider.oauth.token import AccessToken

Origin = tuple[str, str, int | None]
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(url: httpx.URL) -> Origin:
    """Name a URL's scheme, host and port, which together decide who may see the bearer."""
    return url.scheme, url.host, url.port or DEFAULT_PORTS.get(url.scheme)


class CandidAuth(httpx.Auth):
    """Put the shared token on requests to Candid, and replace it once when Candid refuses it.

    A 401 is answered by one forced refresh and one replay; a request whose body cannot be sent twice is
    not replayed. A second 401 keeps the whole fleet from minting for a minute, or each task would mint. 403
    replaces the token only when it has outlived its life, because Candid also answers 403 to what a user may
    not do. Requests to any other host, such as signed file URLs, go out bare.

    :param source: where tokens come from.
    :param urls: base URLs of the hosts that may see the bearer; scheme, host and port must be equal.
    """

    def __init__(self, source: Tokens, urls: Iterable[str]) -> None:
        self._source = source
        self._origins = frozenset(origin(httpx.URL(url)) for url in urls)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authorise a request of :class:`httpx.Client`."""
        if origin(request.url) not in self._origins:
            yield request
            return
        token = self._source.token()
        response = yield _signed(request, token)
        if self._refused(response, token):
            token = self._source.token(refused=token.value)
            if _replayable(request) and self._refused((yield _signed(request, token)), token):
                self._source.condemn(token.value)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authorise a request of :class:`httpx.AsyncClient`."""
        if origin(request.url) not in self._origins:
            yield request
            return
        token = await self._source.atoken()
        response = yield _signed(request, token)
        if self._refused(response, token):
            token = await self._source.atoken(refused=token.value)
            if _replayable(request) and self._refused((yield _signed(request, token)), token):
                await self._source.acondemn(token.value)

    def _refused(self, response: httpx.Response, token: AccessToken) -> bool:
        if response.status_code != 401 and not (response.status_code == 403 and token.expired):
            return False
        return origin(response.url) in self._origins  # not if a redirect has led elsewhere


def _signed(request: httpx.Request, token: AccessToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value}"
    request.extensions["candid_token"] = token
    return request


def _replayable(request: httpx.Request) -> bool:
    try:
        _ = request.content
    except httpx.RequestNotRead:
        return False
    return True
