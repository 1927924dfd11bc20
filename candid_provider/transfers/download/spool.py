"""Where a download grows until it is whole, and a retry of the task finds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING

import msgspec

from candid_provider.exceptions import CandidError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.download.tally import Tally
from candid_provider.transfers.output.path import local_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from candid_provider.api.download import Version

_READ_AT_ONCE = 1 << 20


class _Note(msgspec.Struct, frozen=True):
    """What lies beside an unfinished file, for a retry: which version its bytes are of."""

    size: int | None
    validator: str | None


class Spool:
    """Take a download's bytes (``api.download.Sink``) and tally them.

    :param file: unbuffered, open for reading and writing, with what an earlier try has left.
    :param path: where the file is.
    :param note: where to keep which version the bytes are of; None: a retry will not find them.
    :param progress: is told the number of bytes.
    :param count: whether to count records.
    """

    def __init__(
        self,
        file: IO[bytes],
        path: Path,
        note: Path | None = None,
        progress: Callable[[int], None] | None = None,
        count: bool = False,
    ) -> None:
        self.path, self.size, self.version = path, 0, _noted(note)
        self._file, self._note, self._progress = file, note, progress or (lambda size: None)
        self.tally = Tally(count)
        self._take_up()

    def begin(self, version: Version) -> None:
        """Drop what is here; what follows is of this version."""
        self._file.seek(0)
        self._file.truncate()
        self.tally = Tally(self.tally.count)
        self.version, self.size = version, 0
        if self._note:
            _write(self._note, msgspec.json.encode(_Note(version.size, version.validator)))

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        left = memoryview(chunk)
        while left:  # a disk that is nearly full takes a part
            left = left[self._file.write(left) :]
        self.tally.add(chunk)
        self.size += len(chunk)
        self._progress(self.size)

    def forget(self) -> None:
        """Leave nothing to a retry, of a file that has not been moved away."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                self.path.unlink()
        if self._note:
            self._note.unlink(missing_ok=True)

    def _take_up(self) -> None:
        """Count what an earlier try has left, unless it cannot be gone on with."""
        if self.version is None or self.version.validator is None:
            self._file.truncate(0)
        while block := self._file.read(_READ_AT_ONCE):
            self.tally.add(block)
            self.size += len(block)


@contextlib.contextmanager
def spooled(
    path: str | ObjectStoragePath, progress: Callable[[int], None] | None = None, count: bool = False
) -> Iterator[Spool]:
    """Open the place where a file for `path` grows: not yet under its name, and with mode 0600.

    On a local disk it is a named file beside `path`, ``.NAME.part``. It stays if the block fails with what a retry
    may mend, and after a kill; the next who wants to write the same file goes on with it. For another store, or
    while another process writes that file, it is a temporary file which goes with the block.

    :raises CandidConfigError: nothing can be written there; names the field ``path``.
    """
    target = local_path(path)
    with contextlib.ExitStack() as stack:
        part = target and target.with_name(f".{target.name}.part")
        file = stack.enter_context(_named(part)) if part else None
        if file and part and target:
            note = target.with_name(f".{target.name}.part.json")
            spool = Spool(file, part, note, progress, count)
        else:
            directory = target.parent if target else None
            temporary = stack.enter_context(_temporary(directory))
            spool = Spool(temporary, Path(temporary.name), None, progress, count)
        try:
            yield spool
        except CandidError as error:
            if not error.retryable:
                spool.forget()
            raise
        spool.forget()


@contextlib.contextmanager
def _named(part: Path) -> Iterator[IO[bytes] | None]:
    """Open a named file that nobody else writes to; None while somebody does."""
    part.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "r+b", buffering=0) as file:
        yield file if _locked(file.fileno(), part) else None


def _locked(descriptor: int, part: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets it go when the process ends
        # Who held it before may have finished the file: it is not ours any more then.
        return os.path.samestat(os.fstat(descriptor), part.stat())
    except OSError:
        return False


@contextlib.contextmanager
def _temporary(directory: Path | None) -> Iterator[IO[bytes]]:
    with NamedTemporaryFile(prefix=".candid-", dir=directory, buffering=0, delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def _noted(note: Path | None) -> Version | None:
    from candid_provider.api.download import Version

    if note is None:
        return None
    try:
        read = msgspec.json.decode(note.read_bytes(), type=_Note)
    except (*UNREADABLE, OSError):
        return None
    return Version(read.size, read.validator)


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
