"""What an export's manifest says."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from candid_provider.transfers.output.manifest import Manifest, Part
from candid_provider.transfers.output.owner import Owner

if TYPE_CHECKING:
    from candid_provider.api.exports import Window
    from candid_provider.transfers.download.fetching import Fetched


class ExportPart(Part, frozen=True):
    """Describe one file of an export.

    :param columns: names of its columns; None if its first line does not look like names.
    :param interval: its days: from (inclusive), to (exclusive).
    """

    columns: list[str] | None
    interval: tuple[str, str]

    @classmethod
    def of(cls, window: Window, file: Fetched) -> ExportPart:
        """Describe the file of a window."""
        return cls(window.name, file.rows, file.bytes, file.sha256, file.columns, _interval([window]))


def manifest_of(days: Sequence[Window], parts: Sequence[ExportPart], owner: Owner) -> Manifest:
    """Describe an export.

    :param days: its windows, in order.
    :param parts: their files.
    """
    rows = [part.rows for part in parts if part.rows is not None]
    return Manifest(
        resource="exports",
        route=days[0].call.route,
        parameters=sorted(days[0].params),
        interval=_interval(days),
        format="csv",
        rows=sum(rows) if len(rows) == len(parts) else None,
        bytes=sum(part.bytes for part in parts),
        parts=list(parts),
        owner=owner,
    )


def _interval(days: Sequence[Window]) -> tuple[str, str]:
    return str(days[0].first), str(days[-1].last + datetime.timedelta(days=1))
