"""Stores that count, dawdle, or stop their process at a step."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Literal

from candid_provider.oauth.store import FileTokenStore, TokenStore


class CountingStore(FileTokenStore):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.operations = Counter[str]()

    def load(self, register: str) -> str | None:
        self.operations["load"] += 1
        return super().load(register)

    def save(self, register: str, value: str) -> None:
        self.operations["save"] += 1
        super().save(register, value)


class SlowStore(FileTokenStore):
    """Takes 10 to 500 ms for each operation."""

    settle = 1.0

    def load(self, register: str) -> str | None:
        time.sleep(random.uniform(0.01, 0.5))
        return super().load(register)

    def save(self, register: str, value: str) -> None:
        time.sleep(random.uniform(0.01, 0.5))
        super().save(register, value)


class PatientStore(FileTokenStore):
    """Allows for the time that a busy machine takes while the fleet's clock runs fast."""

    settle = 4.0


class StoppingStore(PatientStore):
    """Stops its own process before or after it saves a register, so that it can be killed right there."""

    def __init__(self, directory: Path, moment: Literal["before", "after"], register: str) -> None:
        super().__init__(directory)
        self._moment, self._register = moment, register

    def save(self, register: str, value: str) -> None:
        if self._moment == "before":
            self._stop_at(register)
        super().save(register, value)
        if self._moment == "after":
            self._stop_at(register)

    def _stop_at(self, register: str) -> None:
        if register.startswith(f"{self._register}__"):
            os.kill(os.getpid(), signal.SIGSTOP)


def metadata_database() -> TokenStore:
    """The default store on a real metadata database, as command lines and servers use it."""
    from candid_provider.token_stores.variable import VariableTokenStore  # not for processes that only use files

    return VariableTokenStore()
