"""httpx clients for Candid: quiet about URLs, errors typed, reads retried within one deadline."""

from __future__ import annotations

import logging
import platform
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import tenacity

from candid_provider import __version__
from candid_provider.api import turn
from candid_provider.api.answer import error_from
from candid_provider.api.large_reads import read_more_at_once
from candid_provider.api.limit import RateLimit, limit_for
from candid_provider.api.routes import route_of
from candid_provider.api.settings import CandidSettings
from candid_provider.exceptions import (
    CandidConfigError,
    CandidError,
    CandidRateLimitError,
    CandidUnavailableError,
    signs_of,
)
from candid_provider.oauth.auth import CandidAuth, Origin, origin
from candid_provider.oauth.quiet import quiet
from candid_provider.oauth.rotation import Tokens
from candid_provider.oauth.unanswered import explain
from candid_provider.oauth.unreadable import UNREADABLE

if TYPE_CHECKING:
    from candid_provider.api.call import Call

T = TypeVar("T")
log = logging.getLogger("candid_provider.api")

RETRY_DEADLINE = 300.0
"""Seconds within which a call is sent again, where that is safe."""

CONNECTIONS = 20
"""How many requests a client has under way at most; more wait for a connection."""


class CandidClient(httpx.Client):
    """Send requests with the shared token, logging the route template and never the URL.

    :param settings: hosts and timeout.
    :param source: where the token comes from.
    :param retry_deadline: seconds within which a call is sent again.
    :param limit: what requests wait for, in place of the limit that all clients of this process share for the
        connection; it also does the waiting between the tries of a call.
    """

    def __init__(
        self,
        settings: CandidSettings,
        source: Tokens,
        *,
        retry_deadline: float = RETRY_DEADLINE,
        limit: RateLimit | None = None,
    ) -> None:
        super().__init__(**_options(settings, source), event_hooks=turn.HOOKS)
        read_more_at_once(self)
        self.settings, self.retry_deadline = settings, retry_deadline
        self.limit = limit or _shared_limit(settings)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request when it is its turn, as httpx does."""
        started, place = time.monotonic(), _place(self, request)
        try:
            with quiet():
                response = super().send(request, **options)
        finally:
            place.leave()
        _log(request, response, started)
        _release(response)
        return response


class CandidAsyncClient(httpx.AsyncClient):
    """Send requests with the shared token without holding the event loop; else as :class:`CandidClient`.

    :param settings: hosts and timeout.
    :param source: where the token comes from.
    :param retry_deadline: seconds within which a call is sent again.
    :param limit: what requests wait for, in place of the shared limit.
    """

    def __init__(
        self,
        settings: CandidSettings,
        source: Tokens,
        *,
        retry_deadline: float = RETRY_DEADLINE,
        limit: RateLimit | None = None,
    ) -> None:
        super().__init__(**_options(settings, source), event_hooks=turn.ASYNC_HOOKS)
        self.settings, self.retry_deadline = settings, retry_deadline
        self.limit = limit or _shared_limit(settings)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request when it is its turn, as httpx does."""
        started, place = time.monotonic(), _place(self, request)
        try:
            with quiet():
                response = await super().send(request, **options)
        finally:
            place.leave()
        _log(request, response, started)
        _release(response)
        return response


def _shared_limit(settings: CandidSettings) -> RateLimit:
    # Candid does not say whether its two hosts count together, so that here they do.
    return limit_for(origin(httpx.URL(settings.candid_api)))


def _place(client: CandidClient | CandidAsyncClient, request: httpx.Request) -> turn.Turn:
    own = origin(request.url) in _hosts(client.settings.candid_api, client.settings.pre_encounter)
    # A signed file URL leads to a host that has nothing to do with Candid's limit.
    return turn.Turn(client.limit, client.retry_deadline, request if own else None)


@cache
def _hosts(*urls: str) -> frozenset[Origin]:
    return frozenset(origin(httpx.URL(url)) for url in urls)


@cache
def tls_context() -> ssl.SSLContext:
    """Give this process's TLS settings; reading the certificates takes tens of milliseconds, once."""
    return httpx.create_ssl_context()


def user_agent() -> str:
    """Name this package and its version, as every request does."""
    return f"airflow-provider-candid/{__version__} Python/{platform.python_version()}"


def _options(settings: CandidSettings, source: Tokens) -> dict[str, Any]:
    return {
        "base_url": settings.candid_api,
        "auth": CandidAuth(source, (settings.candid_api, settings.pre_encounter)),
        "timeout": settings.timeout,
        "verify": tls_context(),
        "limits": httpx.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=30
        ),
        "headers": {
            "User-Agent": user_agent(),
            "Accept": "application/json",
        },
    }


def _log(request: httpx.Request, response: httpx.Response, started: float) -> None:
    if not log.isEnabledFor(logging.DEBUG):  # naming route and token doubles what we add to a request
        return
    token = request.extensions.get("candid_token")
    log.debug(
        "%s %s status=%d ms=%.0f bytes=%s token=%s",
        request.method,
        request.extensions.get("candid_route") or route_of(request.url.raw_path.partition(b"?")[0].decode("ascii")),
        response.status_code,
        (time.monotonic() - started) * 1000,
        response.num_bytes_downloaded if response.is_closed else "streamed",
        token.hash if token else "-",
    )


def _release(response: httpx.Response) -> None:
    """Let an answer that was read go with its last use.

    In httpx 0.28 it and its stream hold each other: some thirty pages would wait for the garbage collector.
    """
    if response.is_closed:
        response.stream = httpx.ByteStream(response.content)


def exchange(client: CandidClient, call: Call, read: Callable[[Call, bytes], T]) -> T:
    """Send a call, read its answer, and send it again while that is safe and makes sense.

    :param read: turns the answer's bytes into the result; raises one of ``UNREADABLE`` if it cannot.
    :raises CandidError: what went wrong in the end.
    """
    for attempt in tenacity.Retrying(sleep=client.limit.sleep, **_retrying(client, call)):
        with attempt:
            failure, answer = None, None
            try:
                answer = client.send(_request(client, call))
            except httpx.HTTPError as error:
                failure = _broken(call, error)
            return _result(call, answer, failure, read)
    raise AssertionError("tenacity ends with a result or an error")


async def aexchange(client: CandidAsyncClient, call: Call, read: Callable[[Call, bytes], T]) -> T:
    """Send a call without holding the event loop; else as :func:`exchange`."""
    async for attempt in tenacity.AsyncRetrying(sleep=client.limit.asleep, **_retrying(client, call)):
        with attempt:
            failure, answer = None, None
            try:
                answer = await client.send(_request(client, call))
            except httpx.HTTPError as error:
                failure = _broken(call, error)
            return _result(call, answer, failure, read)
    raise AssertionError("tenacity ends with a result or an error")


def _request(client: CandidClient | CandidAsyncClient, call: Call) -> httpx.Request:
    target = call.target
    host = client.settings.candid_api if target.startswith("/api/") else client.settings.pre_encounter
    body = call.body
    headers = None if body is None else {"Content-Type": "application/json"}
    try:
        return client.build_request(
            call.method,
            host + target,
            params=httpx.QueryParams(call.query),
            content=body,
            headers=headers,
            extensions={"candid_route": route_of(call.path)},
        )
    except httpx.InvalidURL:
        pass
    raise CandidConfigError(f"params or path_params of {call.route} make a URL too long to send", field="params")


def _result(
    call: Call, answer: httpx.Response | None, failure: CandidError | None, read: Callable[[Call, bytes], T]
) -> T:
    # Errors are raised out here, where no httpx error, whose request holds the URL, is their context.
    if answer is not None and not failure:
        failure = error_from(answer, call)
    if failure or answer is None:
        raise failure or AssertionError
    try:
        return read(call, answer.content)
    except UNREADABLE:
        pass
    raise CandidUnavailableError(
        f"{call.route}: the answer is not what the API documents",
        route=call.route,
        status_code=answer.status_code,
        outcome_unknown=not call.retry,
    )


def _broken(call: Call, error: httpx.HTTPError) -> CandidUnavailableError:
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return CandidUnavailableError(
        f"{call.route}: no answer: {explain(error)}",
        route=call.route,
        outcome_unknown=not never_sent and not call.retry,
    )


def _retrying(client: CandidClient | CandidAsyncClient, call: Call) -> dict[str, Any]:
    def worth_it(error: BaseException) -> bool:
        if not isinstance(error, CandidError) or not error.retryable or signs_of(error) & call.final:
            return False
        # A write goes again only when it cannot have been processed.
        return call.retry or not getattr(error, "outcome_unknown", False)

    out_of_time = tenacity.stop_before_delay(min(client.retry_deadline, call.patience))
    return {
        "retry": tenacity.retry_if_exception(worth_it),
        "wait": _pause,
        "stop": lambda state: out_of_time(state) or _is_unreadable_again(state),
        "before_sleep": _log_retry,
        "reraise": True,
    }


def _is_unreadable_again(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    # A 200 that cannot be read may have been cut short; one that stays so is another API than we know.
    return state.attempt_number >= 3 and getattr(error, "status_code", None) == 200


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=30)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    # A Retry-After of 0, or a date gone by, is no licence to hammer; jitter keeps a fleet from waking in step.
    return max(float(asked or 0.0), 0.0) + max(float(_backoff(state)), 0.1 if asked is None else 1.0)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    kind = "rate limit" if isinstance(error, CandidRateLimitError) else "failure"
    log.warning("attempt %d: %s (%s); next in %.1f s", state.attempt_number, error, kind, state.upcoming_sleep)
