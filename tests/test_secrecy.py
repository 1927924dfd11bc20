"""No object of ours shows the secret or the token: printed, formatted or pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from candid_provider.api.client import CandidAsyncClient, CandidClient
from candid_provider.api.settings import CandidSettings
from candid_provider.emulator import Emulator
from candid_provider.hooks.candid import CandidHook
from candid_provider.oauth.auth import CandidAuth
from candid_provider.oauth.credentials import ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.signature import SignatureCheck
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.state import read_state
from candid_provider.oauth.steps import Note, Save
from candid_provider.oauth.store import MemoryTokenStore
from candid_provider.oauth.token import AccessToken
from candid_provider.operators.candid import CandidOperator
from tests.conftest import Connect

SECRET, BEARER = "s3cret-of-nobody", "bearer-of-nobody"
TOKEN = AccessToken(BEARER, 1_000.0, 19_000.0)
CREDENTIALS = ClientCredentials("me", SECRET, "https://api.example.com/api/auth/v2/token")
SETTINGS = CandidSettings.from_connection(login="me", password=SECRET, host="https://api.example.com", extra={})


def hidden_in(text: str | bytes) -> bool:
    shown = text.encode() if isinstance(text, str) else text
    return not any(secret.encode() in shown for secret in (SECRET, BEARER))


def source() -> TokenSource:
    source = TokenSource(CREDENTIALS, MemoryTokenStore())
    source._protocol.token = TOKEN
    return source


def store() -> MemoryTokenStore:
    store = MemoryTokenStore()
    store.save(CREDENTIALS.token_register, Envelope(CREDENTIALS).seal(TOKEN))
    return store


OBJECTS: list[Callable[[], Any]] = [
    lambda: TOKEN,
    lambda: CREDENTIALS,
    lambda: SETTINGS,
    lambda: Envelope(CREDENTIALS),
    lambda: Note("minted", "by this process", TOKEN),
    lambda: read_state(CREDENTIALS, store(), 2_000.0),
    lambda: SignatureCheck("/key.pem"),
    store,
    source,
    lambda: source()._protocol,
    lambda: CandidAuth(source(), ["https://api.example.com"]),
    lambda: CandidClient(SETTINGS, source()),
    lambda: CandidAsyncClient(SETTINGS, source()),
]


@pytest.mark.requirement(5)
@pytest.mark.parametrize("make", [*OBJECTS, lambda: Save("r", BEARER)], ids=lambda make: type(make()).__name__)
def test_no_object_tells_when_it_is_printed(make: Callable[[], Any]) -> None:
    one = make()
    for shown in (repr(one), str(one), f"{one}", f"{[one]}"):
        assert hidden_in(shown)


@pytest.mark.requirement(5)
@pytest.mark.parametrize("make", OBJECTS, ids=lambda make: type(make()).__name__)
def test_no_object_tells_when_it_is_pickled(make: Callable[[], Any]) -> None:
    one = make()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            pickled = pickle.dumps(one, protocol)
        except (TypeError, pickle.PicklingError) as refusal:
            pickled = str(refusal).encode()
        assert hidden_in(pickled)


@pytest.mark.requirement(5)
def test_neither_hook_nor_operator_tells_after_use(candid: Emulator, connect: Connect) -> None:
    with CandidHook() as hook:
        hook.request("GET", "/api/payers/v4", params={"limit": 1})
        bearer = hook.get_token()
        operator = CandidOperator(task_id="call", path="/api/payers/v4")
        operator.execute({})
        for one in (hook, operator):
            shown = [repr(one), str(one), repr({name: value for name, value in vars(one).items()})]
            try:
                shown.append(repr(pickle.dumps(one)))
            except (TypeError, pickle.PicklingError) as refusal:
                shown.append(str(refusal))
            assert not [text for text in shown if bearer in text or "emulator-secret" in text]
