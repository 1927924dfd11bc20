"""What is done with the rows of a page before they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class Detailer(Protocol):
    """Ask for the details of rows."""

    def of(self, rows: Sequence[msgspec.Raw]) -> tuple[list[msgspec.Raw], list[Any]]:
        """Give the details in the rows' order, and the failures."""

    def stop(self) -> None:
        """Let :meth:`of` raise soon; may be called from a signal handler."""

    def close(self) -> None:
        """End what it has under way."""


class Whole:
    """Read a listing as it comes, as if it were a feed."""

    detail: str | None = None

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Take every row."""
        return list(rows)

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to do."""

    def mark(self) -> None:
        """Nothing: the next run begins at the beginning again."""
