"""Paths that all workers understand alike."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError


def checked_path(path: str | ObjectStoragePath, field: str = "path") -> ObjectStoragePath:
    """Read a path that a user gave.

    :param field: the argument's name.
    :raises CandidConfigError: it is relative, holds ``..`` or has a scheme without a file system.
    """
    text = str(path)
    if ".." in text.replace("\\", "/").split("/"):
        raise CandidConfigError(f"{field} has '..' in it. Give it without", field=field)
    if "://" not in text and not os.path.isabs(text):
        raise CandidConfigError(
            f"{field} is relative, and workers have no common directory. Give an absolute path or a URL such as"
            " s3://bucket/key",
            field=field,
        )
    try:
        target = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(path)
        _ = target.fs
    except (ValueError, ImportError) as error:
        problem = type(error).__name__
    else:
        return target
    raise CandidConfigError(
        f"{field}: no file system for its scheme ({problem}). Install the Airflow provider that brings it",
        field=field,
    )


def local_path(path: str | ObjectStoragePath, field: str = "path") -> Path | None:
    """Give the path on a disk of this machine, None for one on another store.

    :param field: the argument's name.
    :raises CandidConfigError: as :func:`checked_path`.
    """
    target = checked_path(path, field)
    return Path(target.path) if target.protocol in ("", "file", "local") else None
