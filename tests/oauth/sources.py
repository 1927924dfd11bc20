"""Token sources on an emulator, and what it has counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from candid_provider.emulator import Emulator
from candid_provider.oauth.source import TokenSource
from candid_provider.oauth.store import MemoryTokenStore
from tests.oauth.conftest import signed_up

LINE = re.compile(r"^token decision=(\w+) reason='[^']*' age=-?\d+ left=-?\d+ hash=([0-9a-f]{8}|-)$")


def minted(emulator: Emulator) -> int:
    return int(emulator.stats()["token"]["minted"])


def refused(emulator: Emulator) -> int:
    return int(emulator.stats()["token"]["refused"])


def source_of(emulator: Emulator, **options: Callable[[str], None]) -> TokenSource:
    # Options of many types, passed on as they come.
    return TokenSource(signed_up(emulator), MemoryTokenStore(), **options)  # type: ignore[arg-type]


def at_once(count: int, ask: Callable[[], str]) -> set[str]:
    barrier = threading.Barrier(count)

    def wait_and_ask(_: int) -> str:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(count) as threads:
        return set(threads.map(wait_and_ask, range(count)))
