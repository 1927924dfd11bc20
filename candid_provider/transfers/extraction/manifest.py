"""What an extract's manifest says besides."""

from __future__ import annotations

from typing import Any

from candid_provider.transfers.output.manifest import Manifest, Part


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
