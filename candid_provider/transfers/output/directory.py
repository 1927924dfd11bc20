"""A directory on any object storage: what a transfer reads, writes and removes in it."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.transfers.output.path import checked_path, local_path
from candid_provider.transfers.output.whole_file import put_in_place, unwritable, whole_file

BLOCK = 1 << 20


def buffered(file: Any) -> io.BufferedReader:
    """Read a file of any store by lines: fsspec's own have no limit for a line, and read megabytes for each.

    :param file: as a file system has opened it; closed together with what is returned.
    """
    return io.BufferedReader(file, BLOCK)


class Directory:
    """Reach the files of one directory by their names.

    :param path: absolute path or URL; it need not exist.
    :param field: the argument that it comes from.
    :raises CandidConfigError: nothing can be written there; names the field.
    """

    def __init__(self, path: str | ObjectStoragePath, field: str = "path") -> None:
        self.target, self.local, self.field = checked_path(path, field), local_path(path, field), field
        if self.local and self.local.is_file():
            raise CandidConfigError(
                f"{field} is a file, and several will be written. Give a directory's path", field=field
            )

    def __str__(self) -> str:
        return str(self.target)

    def url(self, name: str) -> str:
        """Give a file's whole path, as the user would write it."""
        return f"{str(self.target).rstrip('/')}/{name}"

    def make(self) -> None:
        """Make the directory on a local disk, and find out now whether files can be written there.

        Elsewhere files make it.

        :raises CandidConfigError: they cannot.
        """
        if self.local is None:
            return
        try:
            self.local.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.local):
                return
        except OSError as error:
            problem = error.strerror or type(error).__name__
        raise unwritable(self, problem, self.field)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes of this machine out, where the disk is local: two would spoil each other's files.

        :raises CandidConfigError: as :meth:`make`.
        :raises CandidUnavailableError: another process is at work there; a try later may find it done.
        """
        self.make()
        if self.local is None:
            yield
            return
        descriptor = os.open(self.local, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not _locked(descriptor):
                raise CandidUnavailableError(
                    f"{self.field}: another process is writing there at this moment. Should it be another run or"
                    " another mapped task, give each a directory of its own"
                )
            yield
        finally:
            os.close(descriptor)

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
            content: bytes = self._fs.cat_file(self._fresh(name))
        except FileNotFoundError:
            return None
        return content

    def lines(self, name: str) -> Iterator[bytes]:
        """Read a file line by line; none if there is no file."""
        with contextlib.suppress(FileNotFoundError), buffered(self._fs.open(self._fresh(name), "rb")) as file:
            yield from file

    def write(self, name: str, content: bytes, *, private: bool = False) -> None:
        """Put a file in its place, whole.

        :param private: only its owner may read it, where the storage knows of owners.
        """
        with whole_file(self.target / name, private=private, field=self.field) as file:
            file.write(content)

    @contextlib.contextmanager
    def writing(self, name: str, *, private: bool = False) -> Iterator[IO[bytes]]:
        """Write a file that takes its place when the block ends well.

        :param private: as for :meth:`write`.
        """
        with whole_file(self.target / name, private=private, field=self.field) as file:
            yield file

    def adopt(self, file: Path, name: str) -> None:
        """Make a finished file of mode 0600, on a local disk one that lies there, a file of the directory."""
        put_in_place(file, self.target / name, self.field)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone are none too few."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

    @property
    def _fs(self) -> Any:
        return self.target.fs

    def _fresh(self, name: str) -> str:
        """Give a file's path in the store, which forgets what it had seen there: others may have written since."""
        self._fs.invalidate_cache(self._path(name))
        return self._path(name)

    def _path(self, name: str) -> str:
        return f"{self.target.path.rstrip('/')}/{name}"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system that cannot lock a directory
        pass
    return True
