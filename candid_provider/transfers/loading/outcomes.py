"""What became of each line: in a temporary file, with eight bytes a line in memory."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator

import msgspec

CREATED = "created"
EXISTING = "existing"
REFUSED = "refused"
INVALID = "invalid"
UNKNOWN = "unknown"
FAILED = "failed"
KINDS = (CREATED, EXISTING, REFUSED, INVALID, UNKNOWN, FAILED)
"""created: by this load. existing: somebody else had created a record of that key. refused: Candid said no.
invalid: not sent, because it cannot be right. unknown: it may have been created, and nothing can tell; a person
has to look. failed: Candid did not manage, and the record is not there."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Say what became of one line; it holds no value of the record but its external id.

    :param file: name of its file.
    :param line: its place in the file, from 1.
    :param external_id: the record's key, where that may be told.
    :param id: Candid's id of the record.
    :param outcome: one of ``KINDS``.
    :param error: Candid's error name, or what is wrong in a word.
    :param fields: names of the fields that were refused.
    """

    file: str
    line: int
    outcome: str
    external_id: str | None = None
    id: str | None = None
    error: str | None = None
    fields: tuple[str, ...] = ()


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(Outcome).decode


class Outcomes:
    """Hold the outcomes of so many lines by number."""

    def __init__(self) -> None:
        self._places = array("q")
        self._spool = tempfile.TemporaryFile(prefix="candid-")  # noqa: SIM115 - closed by close()
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def put(self, number: int, outcome: Outcome) -> None:
        """Note what became of a line; it replaces what was noted before."""
        if number >= len(self._places):
            self._places.extend([-1] * (number + 1 - len(self._places)))
        elif before := self.get(number):
            self._count(before, -1)
        self._places[number] = self._spool.seek(0, 2)
        self._spool.write(_ENCODE(outcome) + b"\n")
        self._count(outcome, 1)

    def get(self, number: int) -> Outcome | None:
        """Say what became of a line; None if it is not known yet."""
        return _DECODE(self._spool.readline()) if self._found(number) else None

    def __contains__(self, number: int) -> bool:
        return number < len(self._places) and self._places[number] >= 0

    def __len__(self) -> int:
        return self.counts.total()

    def lines(self) -> Iterator[bytes]:
        """Give all outcomes as lines of JSON, in the order of the input."""
        for number in range(len(self._places)):
            if self._found(number):
                yield self._spool.readline()

    def close(self) -> None:
        """Give the disk space back."""
        self._spool.close()

    def _found(self, number: int) -> bool:
        return number in self and self._spool.seek(self._places[number]) >= 0

    def _count(self, outcome: Outcome, by: int) -> None:
        self.counts[outcome.outcome] += by
        if outcome.error:
            self.errors[outcome.error] += by
