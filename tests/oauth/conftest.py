from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.oauth.credentials import ClientCredentials
from tests.oauth.scripted import TOKEN_PATH, Scripted, serving

SECRET = "s3cret-of-nobody"


def signed_up(emulator: Emulator, secret: str = "emulator-secret") -> ClientCredentials:
    return ClientCredentials("emulator", secret, emulator.url + TOKEN_PATH)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=3, patients=3)) as emulator:
        yield emulator


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as script:
        yield script


@pytest.fixture
def credentials(server: Scripted) -> ClientCredentials:
    return ClientCredentials("some-client", SECRET, server.token_url)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as http:
        yield http
