"""Parts: the files an extraction leaves, and the drafts they are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from candid_provider.transfers.extraction.checkpoint import Position, Tail
from candid_provider.transfers.extraction.formats import Format
from candid_provider.transfers.extraction.growth import Growth
from candid_provider.transfers.extraction.spool import Spool
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.hashing import Hashing
from candid_provider.transfers.output.manifest import Part


@dataclass(frozen=True, slots=True)
class Bench:
    """Know where and how parts are made.

    :param generation: what names end with, so that no run's files meet another's.
    :param windows: whether several streams are read, whose order the names keep.
    """

    directory: Directory
    format: Format
    generation: str
    windows: bool = False

    def name(self, kind: str, stream: int, number: int) -> str:
        """Name a part; names sort in output order."""
        window = f"-{stream:03d}" if self.windows else ""
        suffix = self.format.suffix if kind == "part" else ".jsonl"
        return f"{kind}{window}-{number:05d}-{self.generation}{suffix}"

    def spool(self, kind: str, stream: int, number: int) -> Path | None:
        """Give the place of a spool; elsewhere than on a local disk it has none."""
        local = self.directory.local
        return local / f".{self.name(kind, stream, number)}.spool" if local else None

    def leftovers(self, keep: set[str]) -> list[str]:
        """List this generation's files in the directory, but for some, and what a kill kept from its place."""
        parts = rf"\.?(part|failures)-[\d-]+-{re.escape(self.generation)}\."
        ours = re.compile(rf"{parts}|\.(manifest|\.candid-checkpoint)\.json\..+\.part$")
        return [name for name in self.directory.sizes() if ours.match(name) and name not in keep]


class Draft:
    """Collect the rows of one part, and what could not be had for them."""

    def __init__(self, bench: Bench, stream: int, number: int) -> None:
        self.bench, self.stream, self.number = bench, stream, number
        self.count = self.failures = 0
        self.rows = Spool(bench.spool("part", stream, number))
        self.growth = Growth(self.rows.file)
        self.end: Position | None = None
        self.failed: Spool | None = None

    def write(self, rows: Sequence[msgspec.Raw], failures: Sequence[bytes] = ()) -> None:
        """Append rows as lines, and those of failures to a file of their own."""
        self.rows.write(lines(rows))
        self.count += len(rows)
        if failures:
            self._failed().write(b"\n".join([*failures, b""]))
            self.failures += len(failures)

    def tail(self, end: Position) -> Tail:
        """Describe it as it is now."""
        failed = self.failed
        return Tail(
            number=self.number,
            end=end,
            length=self.rows.length,
            digest=self.rows.digest,
            failed_length=failed.length if failed else 0,
            failed_digest=failed.digest if failed else "",
            rows=self.count,
            failures=self.failures,
        )

    def close(self, end: Position) -> None:
        """Say that it grows no more.

        :param end: where the stream stood.
        """
        self.end = end
        self.growth.end(self.rows.length)

    def cut(self, tail: Tail) -> None:
        """Go back to what a checkpoint knows."""
        self.rows.cut(tail.length)
        self.count, self.failures = tail.rows, tail.failures
        if tail.failed_length or self.failed:
            self._failed().cut(tail.failed_length)

    def _failed(self) -> Spool:
        if self.failed is None:
            self.failed = Spool(self.bench.spool("failures", self.stream, self.number))
        return self.failed

    def discard(self) -> None:
        """Remove what is left of it."""
        for spool in (self.rows, self.failed):
            if spool:
                spool.discard()


@dataclass(frozen=True, slots=True)
class Finished:
    """Say which part a draft became, and where the stream stood at its end."""

    draft: Draft
    end: Position
    part: Part | None
    failures: Part | None
    unfit: int


def finish(draft: Draft) -> Finished:
    """Turn a draft into a part, while it grows; its own files stay until the checkpoint knows of the part.

    :raises AbandonedError: it will not be closed.
    """
    part, unfit = None, 0
    if not draft.bench.format.follows:
        draft.growth.wait()
    if draft.growth.begun_behind(0):
        part, unfit = _part(draft)
    draft.growth.wait()
    assert draft.end
    return Finished(draft, draft.end, part, _failures(draft), unfit)


def _part(draft: Draft) -> tuple[Part, int]:
    bench, name = draft.bench, draft.bench.name("part", draft.stream, draft.number)
    if bench.format.encode is None:
        bench.directory.adopt(draft.rows.whole(), name)
        return Part(name, draft.count, draft.rows.length, draft.rows.digest), 0
    with bench.directory.writing(name) as file:
        hashing: Any = Hashing(file)
        unfit = bench.format.encode(_source(draft), hashing)
    return Part(name, draft.count, hashing.length, hashing.digest), unfit


def _source(draft: Draft) -> Any:
    if draft.bench.format.follows:
        return draft.growth
    draft.rows.file.seek(0)  # which is only for a file that nobody writes any more
    return draft.rows.file


def _failures(draft: Draft) -> Part | None:
    if not draft.failed or not draft.failed.length:
        return None
    name = draft.bench.name("failures", draft.stream, draft.number)
    draft.bench.directory.adopt(draft.failed.whole(), name)
    return Part(name, draft.failures, draft.failed.length, draft.failed.digest)


def lines(rows: Sequence[msgspec.Raw]) -> bytes:
    """Join records into lines."""
    text, at = b"\n".join([*rows, b""]), 0
    for _ in rows:
        at = text.find(b"\n", at) + 1  # ten times as fast as bytes.count
    if at != len(text):
        # A line break can stand between a record's tokens, never inside them.
        text = b"\n".join([*(msgspec.json.format(bytes(row), indent=-1) for row in rows), b""])
    return text
