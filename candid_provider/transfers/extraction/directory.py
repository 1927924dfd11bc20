"""A directory on any object storage: what an extraction reads, writes and removes in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.extraction.spool import Spool
from candid_provider.transfers.whole_file import checked_path, is_local, umask, whole_file


class Directory:
    """Reach the files of one directory by their names.

    :param path: absolute path or URL; it need not exist.
    :raises CandidConfigError: nothing can be written there; names the field ``path``.
    """

    def __init__(self, path: str | ObjectStoragePath) -> None:
        self.target = checked_path(path)
        self.local = Path(self.target.path) if is_local(self.target) else None
        if self.local and self.local.is_file():
            raise CandidConfigError(
                "path is a file, and an extract is a directory of parts. Give the directory's path", field="path"
            )

    def __str__(self) -> str:
        return str(self.target)

    def url(self, name: str) -> str:
        """Give a file's whole path, as the user would write it."""
        return f"{str(self.target).rstrip('/')}/{name}"

    def sizes(self) -> dict[str, int]:
        """List the files and their sizes in bytes; none if there is no directory."""
        try:
            entries: list[dict[str, Any]] = self._fs.ls(self.target.path, detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rsplit("/", 1)[-1]: int(entry["size"] or 0) for entry in entries}

    def read(self, name: str) -> bytes | None:
        """Read a file; None if there is none."""
        try:
            content: bytes = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes, *, private: bool = False) -> None:
        """Put a file in its place, whole.

        :param private: only its owner may read it, where the storage knows of owners.
        """
        with whole_file(self.target / name, private=private) as file:
            file.write(content)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Write a file that takes its place when the block ends well."""
        with whole_file(self.target / name) as file:
            yield file

    def adopt(self, spool: Spool, name: str) -> None:
        """Make a spool, as it is, a file of the directory."""
        if self.local and spool.path:
            spool.path.chmod(0o666 & ~umask())
            spool.path.replace(self.local / name)
            return
        spool.file.seek(0)
        # The spool has no name, and fsspec's put_file needs one.
        self._fs.put_file(f"/dev/fd/{spool.file.fileno()}", self._path(name))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone are none too few."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

    def make(self) -> None:
        """Make the directory on a local disk; elsewhere files make it."""
        problem = ""
        try:
            if self.local:
                self.local.mkdir(parents=True, exist_ok=True)
                problem = "" if os.access(self.local, os.W_OK | os.X_OK) else "Permission denied"
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise CandidConfigError(
                f"path: {self} cannot be written ({problem}). Give a path the worker may write to", field="path"
            )

    @property
    def _fs(self) -> Any:
        return self.target.fs

    def _path(self, name: str) -> str:
        return f"{self.target.path.rstrip('/')}/{name}"
