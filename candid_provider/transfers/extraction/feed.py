"""What is done with the rows of a page before they are written."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from candid_provider.api.instants import microseconds
from candid_provider.api.readers import Span
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.oauth.unreadable import UNREADABLE


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


class Within(Whole):
    """Read a window of a listing: of the rows that come, those of a span of time.

    :param route: the listing's, for errors.
    :param stamp: the rows' field that holds their time.
    :param span: from (inclusive), to (exclusive), in microseconds since 1970.
    """

    def __init__(self, route: str, stamp: str, span: Span) -> None:
        self._route, self._span = route, span
        time = ("at", datetime.datetime, msgspec.field(name=stamp))
        self._time: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Timed", [time]))

    def take(self, rows: Sequence[msgspec.Raw]) -> list[msgspec.Raw]:
        """Take the rows of the span.

        :raises CandidUnavailableError: one has no time.
        """
        first, last = self._span
        try:
            return [row for row in rows if first <= microseconds(self._time.decode(row).at) < last]
        except UNREADABLE:
            pass
        raise CandidUnavailableError(f"{self._route}: a record lacks its time", route=self._route, retryable=False)
