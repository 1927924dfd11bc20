"""What an export has left in a directory, for those who read it and for the task's next run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.whole_file import checked, whole_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from candid_provider.api.exports import Window
    from candid_provider.transfers.download import Fetched

NAME = "manifest.json"


class Owner(msgspec.Struct, frozen=True):
    """Name the task whose output it is."""

    dag_id: str
    task_id: str
    map_index: int = -1


class Part(msgspec.Struct, frozen=True):
    """Describe one file.

    :param name: its name in the directory.
    :param rows: number of records, without the header; None if they were not counted.
    :param bytes: its length.
    :param sha256: digest in hex.
    :param columns: names of its columns; None if its first line does not look like names.
    """

    name: str
    rows: int | None
    bytes: int
    sha256: str
    columns: list[str] | None
    start_date: str
    end_date: str

    @classmethod
    def of(cls, window: Window, file: Fetched) -> Part:
        """Describe the file of a window."""
        days = {"start_date": str(window.first), "end_date": str(window.last)}
        return cls(window.name, file.rows, file.bytes, file.sha256, file.columns, **days)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Describe an export; holds no record and no URL."""

    version: int = 1
    resource: str = "exports"
    route: str
    parameters: list[str]
    interval: dict[str, str]
    format: str = "csv"
    rows: int | None
    bytes: int
    parts: list[Part]
    owner: Owner


class _EarlierPart(msgspec.Struct):
    name: str


class _Earlier(msgspec.Struct):
    """What is read of a manifest that is there, whichever operator wrote it."""

    owner: Owner
    parts: list[_EarlierPart] = []


def owner_of(operator: BaseOperator, context: Context) -> Owner:
    """Name a running task."""
    index = getattr(context.get("ti"), "map_index", None)
    return Owner(operator.dag_id, operator.task_id, index if isinstance(index, int) else -1)


def earlier_parts(directory: str | ObjectStoragePath, owner: Owner) -> list[str]:
    """Give the names of the files that an earlier run of the task has left.

    :raises CandidConfigError: the directory holds the output of another task.
    """
    file = checked(directory) / NAME
    try:
        earlier = msgspec.json.decode(file.read_bytes(), type=_Earlier)
    except FileNotFoundError:
        return []
    except UNREADABLE:
        earlier = None
    if earlier is None or earlier.owner != owner:
        whose = f"task {earlier.owner.task_id!r} of DAG {earlier.owner.dag_id!r}" if earlier else "something else"
        raise CandidConfigError(
            f"path holds the output of {whose}. Give each task, and each of a mapped task's, a directory of its own",
            field="path",
        )
    return [part.name for part in earlier.parts if "/" not in part.name and part.name not in ("", ".", "..")]


def write_manifest(directory: str | ObjectStoragePath, manifest: Manifest, earlier: list[str]) -> str:
    """Put a manifest in place of an earlier one, then remove the files that only the earlier one named.

    :returns: where it is.
    """
    root = checked(directory)
    with whole_file(root / NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    for name in set(earlier) - {part.name for part in manifest.parts}:
        _remove(root / name)
    return str(root / NAME)


def _remove(file: Any) -> None:
    try:
        file.unlink()
    except FileNotFoundError:
        return
