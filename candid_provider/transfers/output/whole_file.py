"""Files on object storage that appear whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.output.path import checked_path, local_path


@contextlib.contextmanager
def whole_file(path: str | ObjectStoragePath, *, private: bool = False, field: str = "path") -> Iterator[IO[bytes]]:
    """Write a file that takes its place when the block ends well, and leaves nothing when it does not.

    On a local disk the bytes go to a file beside it, mode 0600 until it is renamed. For any other store they
    go to a temporary file of mode 0600 on this machine, which is uploaded whole: not every file system of
    fsspec keeps the promise of its transactions (adlfs and memory do not).

    :param path: where to write; what is there is replaced.
    :param private: a file on a local disk keeps mode 0600.
    :param field: the argument that the path comes from.
    :raises CandidConfigError: nothing can be written there; names the field.
    """
    target, local = checked_path(path, field), local_path(path, field)
    opened: contextlib.AbstractContextManager[IO[bytes]] = (
        _beside(local, private) if local else _uploaded(target, field)
    )
    problem = ""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(opened)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            yield file
    if problem:
        raise unwritable(target, problem, field)


def put_in_place(file: Path, path: str | ObjectStoragePath, field: str = "path") -> None:
    """Let a finished file of mode 0600 take its place: on a local disk from beside it, on any other store as a copy.

    :param file: what to put there; on a local disk it is gone afterwards.
    :param path: where to; what is there is replaced.
    :param field: the argument that the path comes from.
    :raises CandidConfigError: there is no such bucket or container; names the field.
    """
    target, local = checked_path(path, field), local_path(path, field)
    if local:
        file.chmod(0o666 & ~_umask())
        file.replace(local)
    else:
        _upload(str(file), target, field)


def unwritable(target: object, problem: str, field: str) -> CandidConfigError:
    """Say that nothing can be written somewhere."""
    return CandidConfigError(
        f"{field}: {target} cannot be written ({problem}). Give a path the worker may write to", field=field
    )


@contextlib.contextmanager
def _beside(target: Path, private: bool) -> Iterator[IO[bytes]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _lock(file)
            yield file
            file.flush()
            Path(name).chmod(0o600 if private else 0o666 & ~_umask())
            Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_abandoned(target: Path) -> None:
    """Remove what killed processes had written of this file: nobody holds its lock any more."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.????????.part"):
        with contextlib.suppress(OSError), part.open("rb") as file:
            if _lock(file):
                part.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; not every network file system can, and no other one is at stake."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _uploaded(target: ObjectStoragePath, field: str) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile(prefix="candid-") as file:
        yield file
        file.flush()
        _upload(file.name, target, field)


def _upload(file: str, target: ObjectStoragePath, field: str) -> None:
    try:
        target.fs.put_file(file, target.path)
        return
    except FileNotFoundError:
        pass
    raise unwritable(target, "there is no such bucket or container", field)


def _umask() -> int:
    """Give this process's umask: what a file made by ``open`` would not allow."""
    # Reading the umask means setting it; another thread that makes a file just then gets the stricter one.
    current = os.umask(0o077)
    os.umask(current)
    return current
