"""The places in which a watermark outlives its run: a Variable, a file, an asset's state."""

from __future__ import annotations

from typing import Any, Protocol

from airflow.providers.common.compat.sdk import ObjectStoragePath, Variable

from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.oauth.store import StoreUnavailable
from candid_provider.token_stores.failure import name_of_failure
from candid_provider.token_stores.variable import VariableTokenStore
from candid_provider.transfers.output.path import checked_path
from candid_provider.transfers.output.whole_file import whole_file

DESCRIPTION = "Where an incremental extract of Candid Health goes on, kept by airflow-provider-candid"


class MarkStore(Protocol):
    """Keep one text from run to run."""

    @property
    def name(self) -> str:
        """What and where it is, for people."""

    def read(self) -> str | None:
        """Give the text, None if there is none.

        :raises CandidUnavailableError: that could not be found out.
        """

    def write(self, text: str) -> None:
        """Keep a text in place of what was kept.

        :raises CandidUnavailableError: it could not be kept.
        """


class VariableMarks:
    """Keep the mark in an Airflow Variable.

    :param variable: its name.
    """

    def __init__(self, variable: str) -> None:
        self._variable, self.name = variable, f"Variable {variable}"
        self._store = VariableTokenStore(DESCRIPTION)

    def read(self) -> str | None:
        """Give the Variable's value."""
        try:
            value = self._store.load(self._variable)
            if value is not None or not self._is_listed():
                return value
        except StoreUnavailable:
            pass
        raise unreachable(self.name, "read")

    def write(self, text: str) -> None:
        """Set the Variable."""
        try:
            self._store.save(self._variable, text)
            return
        except StoreUnavailable:
            pass
        raise unreachable(self.name, "written")

    def _is_listed(self) -> bool:
        """Ask a second way, where there is one: Airflow 3.1 to 3.3 report an outage as a missing Variable."""
        keys: Any = getattr(Variable, "keys", None)
        if keys is None:
            return False
        try:
            return self._variable in list(keys(prefix=self._variable))
        except BaseException as error:
            problem = name_of_failure(error)
        raise StoreUnavailable(problem)


class FileMarks:
    """Keep the mark in a file, on any object storage.

    :param path: the file; it is replaced whole.
    :raises CandidConfigError: there can be no such file.
    """

    def __init__(self, path: str | ObjectStoragePath) -> None:
        self._path, self.name = checked_path(path, "watermark"), f"file {path}"

    def read(self) -> str | None:
        """Give the file's content."""
        try:
            return self._path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except Exception as error:
            problem = type(error).__name__
        raise unreachable(self.name, "read", problem)

    def write(self, text: str) -> None:
        """Replace the file."""
        try:
            with whole_file(self._path, field="watermark") as file:
                file.write(text.encode())
            return
        except CandidConfigError:
            raise
        except Exception as error:
            problem = type(error).__name__
        raise unreachable(self.name, "written", problem)


class AssetMarks:
    """Keep the mark in the state of an asset (Airflow 3.3).

    :param state: ``context["asset_state_store"][asset]``.
    :param key: the key in it.
    :param asset: the asset's name.
    """

    def __init__(self, state: Any, key: str, asset: str) -> None:
        self._state, self._key = state, key
        self.name = f"state of asset {asset}, key {key}"

    def read(self) -> str | None:
        """Give what is kept under the key."""
        try:
            value = self._state.get(self._key)
            return value if value is None or isinstance(value, str) else ""
        except BaseException as error:
            problem = name_of_failure(error)
        raise unreachable(self.name, "read", problem)

    def write(self, text: str) -> None:
        """Keep it under the key."""
        try:
            self._state.set(self._key, text)
            return
        except BaseException as error:
            problem = name_of_failure(error)
        raise unreachable(self.name, "written", problem)


def unreachable(name: str, done: str, problem: str = "no answer") -> CandidUnavailableError:
    """Say that a store cannot be used; the next try of the task may."""
    return CandidUnavailableError(f"watermark: the {name} could not be {done} ({problem})")
