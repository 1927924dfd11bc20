"""Files on object storage that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError


@contextlib.contextmanager
def whole_file(path: str | ObjectStoragePath) -> Iterator[IO[bytes]]:
    """Write a file that takes its place when the block ends well, and leaves nothing when it does not.

    On a local disk the bytes go to a file beside it, mode 0600 until it is renamed. For any other store they
    go to a temporary file of mode 0600 on this machine, which is uploaded whole: not every file system of
    fsspec keeps the promise of its transactions (adlfs and memory do not).

    :param path: where to write; what is there is replaced.
    :raises CandidConfigError: nothing can be written there; names the field ``path``.
    """
    target = checked(path)
    opened: contextlib.AbstractContextManager[IO[bytes]] = (
        _beside(Path(target.path)) if target.protocol in ("", "file", "local") else _uploaded(target)
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
        raise CandidConfigError(
            f"path: {target} cannot be written ({problem}). Give a path the worker may write to", field="path"
        )


def local_path(path: str | ObjectStoragePath) -> Path | None:
    """Give the path on this machine, None for one on another store.

    :raises CandidConfigError: nothing can be written there; names the field ``path``.
    """
    target = checked(path)
    return Path(target.path) if target.protocol in ("", "file", "local") else None


def check_directory(path: str | ObjectStoragePath) -> None:
    """Make a directory on a local disk, and find out now whether files can be written there.

    :raises CandidConfigError: they cannot; names the field ``path``.
    """
    directory, problem = local_path(path), ""
    if directory is None:
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise CandidConfigError(
            f"path: {directory} cannot be written to ({problem}). Give a directory the worker may write to",
            field="path",
        )


def put_in_place(file: Path, path: str | ObjectStoragePath) -> None:
    """Let a finished file of mode 0600 take its place: on a local disk from beside it, on any other store as a copy.

    :param file: what to put there; on a local disk it is gone afterwards.
    :param path: where to; what is there is replaced.
    """
    target = checked(path)
    if target.protocol in ("", "file", "local"):
        file.chmod(0o666 & ~_umask())
        file.replace(Path(target.path))
    else:
        target.fs.put_file(str(file), target.path)


def checked(path: str | ObjectStoragePath) -> ObjectStoragePath:
    """Read a path.

    :raises CandidConfigError: it is relative, has '..' in it, or its scheme has no file system.
    """
    text = str(path)
    if ".." in text.replace("\\", "/").split("/"):
        raise CandidConfigError("path has '..' in it. Give it without", field="path")
    if "://" not in text and not os.path.isabs(text):
        raise CandidConfigError(
            "path is relative, and workers have no common directory. Give an absolute path or a URL such as"
            " s3://bucket/key",
            field="path",
        )
    try:
        target = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(path)
        _ = target.fs
    except (ValueError, ImportError) as error:
        problem = type(error).__name__
    else:
        return target
    raise CandidConfigError(
        f"path: no file system for its scheme ({problem}). Install the Airflow provider that brings it",
        field="path",
    )


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[IO[bytes]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _uploaded(target: ObjectStoragePath) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile(prefix="candid-") as file:
        yield file
        file.flush()
        target.fs.put_file(file.name, target.path)


def _umask() -> int:
    # Reading the umask means setting it; another thread that makes a file just then gets the stricter one.
    current = os.umask(0o077)
    os.umask(current)
    return current
