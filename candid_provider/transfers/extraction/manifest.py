"""What an extract's manifest says besides."""

from __future__ import annotations

from typing import Any

import msgspec

from candid_provider.api.feeds import Mark
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.manifest import FILE, Manifest, Part
from candid_provider.transfers.output.owner import Owner


class ExtractManifest(Manifest, kw_only=True):
    """Describe an extract.

    :param detail: route template of the details that were written in place of the rows, if any.
    :param began_at: the watermark this extract began with, None if it is a whole one.
    :param cursor: the watermark from which the next one goes on.
    :param deactivated: rows whose ``deactivated`` is true; they are among the rows.
    :param failures: rows whose details could not be had; ``failure_parts`` lists their ids and errors.
    :param unfit: rows of which something did not fit its column (Parquet); it is in the column ``_rest``.
    :param generation: what the names of its files end with.
    """

    detail: str | None = None
    began_at: Any = None
    cursor: Any = None
    pages: int
    deactivated: int
    failures: int
    unfit: int
    failure_parts: list[Part]
    generation: str

    @property
    def files(self) -> set[str]:
        """Names of the files that it is about."""
        return {part.name for part in (*self.parts, *self.failure_parts)}


class _Earlier(msgspec.Struct):
    owner: Owner
    rows: int
    interval: tuple[str, str] | None = None
    began_at: Mark | None = None
    cursor: Mark | None = None


def beginning(
    directory: Directory, owner: Owner, mark: Mark | None, interval: tuple[str, str] | None = None
) -> Mark | None:
    """Say where an incremental extract begins, so that it brings what it is going to replace.

    A run that is made again begins where it began before: the mark has moved on since. What another run brought
    would not come again.

    :param mark: the watermark, None to begin anew.
    :param interval: the span that the run stands for in place of it.
    :raises CandidConfigError: the directory holds what another run brought; names the field.
    """
    earlier = _earlier(directory)
    if earlier is None:
        return mark
    if earlier.owner.run_id == owner.run_id:
        return _earliest(mark, earlier.began_at)
    brought_changes = earlier.cursor is not None or earlier.interval is not None
    if not earlier.rows or not brought_changes or (interval and earlier.interval == interval):
        return mark
    raise CandidConfigError(
        f"{directory.field} holds what had changed when an earlier run ({earlier.owner.run_id}) of this task was"
        " made: it would be lost, as no other run brings it again. Give each run a directory of its own, such as one"
        " whose path ends in {{ run_id }}",
        field=directory.field,
    )


def _earlier(directory: Directory) -> _Earlier | None:
    try:
        return msgspec.json.decode(directory.read(FILE) or b"", type=_Earlier)
    except UNREADABLE:
        return None


def _earliest(one: Mark | None, other: Mark | None) -> Mark | None:
    return min(one, other, key=lambda mark: mark.moment) if one and other else None
