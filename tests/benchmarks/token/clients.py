"""The clients that are compared, each as its own documentation suggests; ``python -m`` runs one of them once.

Each opens a client for the API at a URL and gives a function that lists one payer and answers with the status.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx

CLIENT_ID, CLIENT_SECRET = "emulator", "emulator-secret"
CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
TOKEN = "/api/auth/v2/token"
PAYERS = "/api/payers/v4"
ONE_PAYER = f"{PAYERS}?limit=1"

Ask = Callable[[], int]


@contextmanager
def bare(url: str) -> Iterator[Ask]:
    """httpx alone with a static header: the floor."""
    with httpx.Client(base_url=url, headers=static_header(url)) as http:
        yield lambda: http.get(ONE_PAYER).status_code


@contextmanager
def bare_parsed(url: str) -> Iterator[Ask]:
    """The floor for clients that parse the answer."""

    def ask() -> int:
        answer = http.get(ONE_PAYER)
        answer.json()
        return answer.status_code

    with httpx.Client(base_url=url, headers=static_header(url)) as http:
        yield ask


@contextmanager
def managed(url: str) -> Iterator[Ask]:
    """Ours: the hook's httpx client."""
    from candid_provider.hooks.candid import CandidHook

    with CandidHook() as hook:
        http = hook.get_conn()
        yield lambda: http.get(ONE_PAYER).status_code


@contextmanager
def sent(url: str) -> Iterator[Ask]:
    """Ours: with typed errors and safe retries; parses."""
    from candid_provider.hooks.candid import CandidHook

    def ask() -> int:
        hook.request("GET", PAYERS, params={"limit": 1})
        return 200

    with CandidHook() as hook:
        yield ask


@contextmanager
def sdk(url: str) -> Iterator[Ask]:
    """The official SDK; parses."""
    from candid import CandidApiClient
    from candid.environment import CandidApiClientEnvironment

    environment = CandidApiClientEnvironment(candid_api=url, pre_encounter=url)
    client = CandidApiClient(environment=environment, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

    def ask() -> int:
        client.payers.v_4.get_all(limit=1)
        return 200

    yield ask


@contextmanager
def authlib(url: str) -> Iterator[Ask]:
    """authlib's OAuth2Client, an httpx.Client."""
    from authlib.integrations.httpx_client import OAuth2Client

    with OAuth2Client(**authlib_options(url)) as client:
        client.fetch_token()
        yield lambda: client.get(ONE_PAYER).status_code


@contextmanager
def dlt(url: str) -> Iterator[Ask]:
    """dlt's RESTClient, on requests; repeats on 429 by default."""
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials

    client = RESTClient(base_url=url, auth=OAuth2ClientCredentials(access_token_url=url + TOKEN, **CREDENTIALS))
    yield lambda: client.get(ONE_PAYER).status_code


@contextmanager
def http_hook(url: str, *, cached: bool) -> Iterator[Ask]:
    """The HTTP provider's hook, on requests, with an auth class such as one writes for it.

    The hook makes a session and an auth object for each request, so a token that is to outlive one request
    has to be kept by the class.
    """
    import requests  # noqa: TID251 - what HttpHook sends with
    from airflow.providers.http.hooks.http import HttpHook

    class TokenAuth(requests.auth.AuthBase):
        bearer, until = "", 0.0

        def __init__(self, login: str, password: str) -> None:
            self._fields = {"client_id": login, "client_secret": password}

        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            if not cached or time.time() > TokenAuth.until - 60:
                answer = requests.post(url + TOKEN, json=self._fields, timeout=30)
                answer.raise_for_status()
                minted = answer.json()
                TokenAuth.bearer, TokenAuth.until = minted["access_token"], time.time() + minted["expires_in"]
            request.headers["Authorization"] = f"Bearer {TokenAuth.bearer}"
            return request

    hook = HttpHook(method="GET", http_conn_id="http_candid", auth_type=TokenAuth)
    yield lambda: hook.run(ONE_PAYER).status_code


def http_hook_cached(url: str) -> AbstractContextManager[Ask]:
    """The HTTP provider's hook with a token kept by the process."""
    return http_hook(url, cached=True)


def http_hook_minting(url: str) -> AbstractContextManager[Ask]:
    """The HTTP provider's hook with a token for each request."""
    return http_hook(url, cached=False)


def static_header(url: str) -> dict[str, str]:
    """Mint a token and put it into a header."""
    answer = httpx.post(url + TOKEN, json=CREDENTIALS).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def authlib_options(url: str) -> dict[str, Any]:
    """Configure authlib for Candid, sync and async."""
    return {
        **CREDENTIALS,
        "token_endpoint": url + TOKEN,
        "token_endpoint_auth_method": "client_secret_post",
        "grant_type": "client_credentials",
        "base_url": url,
    }


CLIENTS: dict[str, Callable[[str], AbstractContextManager[Ask]]] = {
    client.__name__: client
    for client in (bare, bare_parsed, managed, sent, sdk, authlib, dlt, http_hook_cached, http_hook_minting)
}


def main(name: str, url: str) -> int:
    """Open a client and list one payer; 0 if that succeeded."""
    with CLIENTS[name](url) as ask:
        return int(ask() != 200)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
