"""Where processes share the token: a pair of named registers with load and save."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable


class StoreUnavailable(Exception):
    """Say that a store could not be read or written; the token is then minted without sharing it.

    :param message: why, without the value.
    """


@runtime_checkable
class TokenStore(Protocol):
    """Keep named texts where other processes can read them.

    No compare-and-swap is asked for, because Airflow offers none to tasks: the last save wins, and a load
    after an acknowledged save gives what was saved last.
    """

    settle: float
    """Seconds within which a save is expected to be acknowledged; 0 when no other process can save."""

    def load(self, register: str) -> str | None:
        """Read a register; None when it was never saved.

        :raises StoreUnavailable: it could not be read.
        """

    def save(self, register: str, value: str) -> None:
        """Write a register, replacing what it held.

        :raises StoreUnavailable: it could not be written.
        """


T = TypeVar("T")


def guarded(operation: Callable[[], T]) -> T:
    """Carry out an operation of a store that may raise anything, whose text may hold a password.

    :raises StoreUnavailable: it failed.
    """
    try:
        return operation()
    except StoreUnavailable:
        raise
    except Exception as error:
        problem = type(error).__name__
    raise StoreUnavailable(f"the store failed ({problem})")


class MemoryTokenStore:
    """Share the token within one process only."""

    settle = 0.0

    def __init__(self) -> None:
        self._registers: dict[str, str] = {}

    def load(self, register: str) -> str | None:
        """Read a register."""
        return self._registers.get(register)

    def save(self, register: str, value: str) -> None:
        """Write a register."""
        self._registers[register] = value


class FileTokenStore:
    """Share the token among the processes of one host, or of hosts that mount the same directory.

    :param directory: made with mode 0700 when missing; defaults to ``airflow-provider-candid`` in the
        user's cache directory.
    """

    settle = 0.2

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        # Not Path.home(): it raises for a user id without an entry, as containers have.
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self._directory = Path(directory or os.path.join(cache, "airflow-provider-candid"))

    def load(self, register: str) -> str | None:
        """Read a register's file."""
        try:
            return (self._directory / register).read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            problem = type(error).__name__
        raise StoreUnavailable(f"the token file could not be read ({problem})")

    def save(self, register: str, value: str) -> None:
        """Write a register's file, mode 0600, whole or not at all."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=f".{register}.")
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(value)
                Path(name).replace(self._directory / register)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            return
        except OSError as error:
            problem = type(error).__name__
        raise StoreUnavailable(f"the token file could not be written ({problem})")
