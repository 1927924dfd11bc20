"""The manifest: what an extract consists of, written last."""

from __future__ import annotations

from typing import Any

import msgspec

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.extraction.checkpoint import Part
from candid_provider.transfers.extraction.directory import Directory
from candid_provider.transfers.extraction.part import OURS

FILE = "manifest.json"
VERSION = 1


class Owner(msgspec.Struct, frozen=True):
    """Name the task instance that wrote an extract."""

    dag_id: str
    task_id: str
    run_id: str = ""
    map_index: int = -1


class Manifest(msgspec.Struct, kw_only=True, omit_defaults=False):
    """Describe an extract without a word of its records.

    :param resource: name of the resource, or the route of a call.
    :param route: method and route template of the listing.
    :param detail: route template of the details that were written in place of the rows, if any.
    :param parameters: names of the parameters that were sent; their values may name patients.
    :param interval: the span that was asked for, if it was one: from (inclusive), to (exclusive).
    :param began_at: the watermark this extract began with, None if it is a whole one.
    :param cursor: the watermark from which the next one goes on.
    :param bytes: of all parts.
    :param deactivated: rows whose ``deactivated`` is true; they are among the rows.
    :param failures: rows whose details could not be had; ``failure_parts`` lists their ids and errors.
    :param unfit: rows of which something did not fit its column (Parquet); it is in the column ``_rest``.
    :param parts: in output order.
    """

    version: int = VERSION
    resource: str
    route: str
    detail: str | None = None
    parameters: list[str]
    interval: list[str] | None = None
    began_at: Any = None
    cursor: Any = None
    format: str
    compression: str | None = None
    rows: int
    bytes: int
    pages: int
    deactivated: int
    failures: int
    unfit: int
    parts: list[Part]
    failure_parts: list[Part]
    owner: Owner
    generation: str


class _Header(msgspec.Struct):
    owner: Owner
    generation: str
    parts: list[Part]
    failure_parts: list[Part] = msgspec.field(default_factory=list)


def replaced_by(directory: Directory, owner: Owner) -> list[str]:
    """Name the files that a new extract of an owner makes superfluous.

    :raises CandidConfigError: what lies there is not the owner's.
    """
    content = directory.read(FILE)
    if content is None:
        return []
    try:
        old = msgspec.json.decode(content, type=_Header)
    except msgspec.DecodeError:
        old = None
    if old is None:
        raise CandidConfigError(
            f"path holds a {FILE} that is not an extract's. Give the extract a directory of its own", field="path"
        )
    if (old.owner.dag_id, old.owner.task_id) != (owner.dag_id, owner.task_id):
        raise CandidConfigError(
            f"path holds the output of another task ({old.owner.dag_id}.{old.owner.task_id})."
            " Give this one a directory of its own, or remove what is there",
            field="path",
        )
    if owner.run_id and old.owner.run_id == owner.run_id and old.owner.map_index != owner.map_index:
        raise CandidConfigError(
            "path is the same for two mapped tasks of one run. Make it depend on what the task is mapped over",
            field="path",
        )
    return [part.name for part in (*old.parts, *old.failure_parts) if OURS.fullmatch(part.name)]


def write(directory: Directory, manifest: Manifest) -> None:
    """Put the manifest in its place."""
    directory.write(FILE, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
