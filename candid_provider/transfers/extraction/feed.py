"""What the engine expects of a change feed and of whoever adds details; a listing read whole has neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from candid_provider.api.call import Call


class Reader(Protocol):
    """See one extraction's view of a feed."""

    def take(self, rows: Sequence[msgspec.Raw]) -> Sequence[msgspec.Raw]:
        """Leave out what was delivered before or lies outside the span, and note how far we are."""

    def state(self) -> dict[str, Any]:
        """Say where it stands, as JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where it stood."""

    def mark(self) -> Any:
        """Say where the next run begins, once everything is written."""


class Feed(Protocol):
    """Open a feed for one extraction."""

    def open(
        self, call: Call, *, mark: Any, interval: tuple[datetime, datetime] | None, now: datetime
    ) -> tuple[Call, Reader]:
        """Give the first call and a reader."""


class Details(Protocol):
    """Ask for the details of rows."""

    def of(self, rows: Sequence[msgspec.Raw]) -> tuple[list[msgspec.Raw], list[Any]]:
        """Give the details in the rows' order, and the failures."""

    def close(self) -> None:
        """End what it has under way."""


class Whole:
    """Read a listing as it comes."""

    def take(self, rows: Sequence[msgspec.Raw]) -> Sequence[msgspec.Raw]:
        """Take every row."""
        return rows

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to do."""

    def mark(self) -> None:
        """Nothing: the next run begins at the beginning again."""
