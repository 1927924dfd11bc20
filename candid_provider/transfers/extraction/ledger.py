"""Finished parts that a checkpoint need not name any more: in private files of a hundred each, beside the parts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.extraction.checkpoint import StreamState
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.manifest import Part

MOST = 100
"""Parts that a checkpoint names itself; there are some 160 bytes to each."""
SHEETS = re.compile(r"\.{1,2}candid-checkpoint-\w+-\d+\.json(\..+\.part)?")
"""What the names of sheets look like, and of those that a killed process had half written."""


class Sheet(msgspec.Struct):
    """Hold some parts of each stream, and parts of its failures."""

    parts: list[list[Part]]
    failures: list[list[Part]]


class Ledger:
    """Move parts from the states of streams into sheets, and back.

    :param directory: where the sheets go.
    :param most: parts that are left to the states.
    """

    def __init__(self, directory: Directory, most: int = MOST) -> None:
        self._directory, self._most = directory, most
        self._moved: list[tuple[int, int]] = []
        self.sheets = 0

    def shorten(self, streams: Sequence[StreamState], generation: str) -> list[StreamState]:
        """Give the states without the parts that are in a sheet; writes another sheet once there are too many.

        :param streams: the states, with all their parts.
        :param generation: what names of sheets hold, so that no extraction's meet another's.
        """
        self._moved += [(0, 0)] * (len(streams) - len(self._moved))
        short = [
            msgspec.structs.replace(state, parts=state.parts[parts:], failures=state.failures[failures:])
            for state, (parts, failures) in zip(streams, self._moved, strict=True)
        ]
        if sum(len(state.parts) + len(state.failures) for state in short) <= self._most:
            return short
        sheet = Sheet([state.parts for state in short], [state.failures for state in short])
        self._directory.write(_name(generation, self.sheets), msgspec.json.encode(sheet), private=True)
        self.sheets += 1
        self._moved = [(len(state.parts), len(state.failures)) for state in streams]
        return [msgspec.structs.replace(state, parts=[], failures=[]) for state in short]

    def complete(self, streams: Sequence[StreamState], sheets: int, generation: str) -> list[StreamState]:
        """Give the states with all their parts; none if a sheet is gone.

        :param streams: the states as :meth:`shorten` gave them.
        :param sheets: how many sheets there were then.
        """
        read = [self._sheet(_name(generation, number)) for number in range(sheets)]
        found = [sheet for sheet in read if sheet]
        if len(found) < sheets or any(len(sheet.parts) != len(streams) for sheet in found):
            return []
        before = [_before(found, number) for number in range(len(streams))]
        self._moved = [(len(state.parts), len(state.failures)) for state in before]
        self.sheets = sheets
        return [
            msgspec.structs.replace(
                state, parts=earlier.parts + state.parts, failures=earlier.failures + state.failures
            )
            for state, earlier in zip(streams, before, strict=True)
        ]

    def remove(self) -> None:
        """Remove the sheets, also those of extractions that were given up."""
        self._directory.remove([name for name in self._directory.sizes() if SHEETS.fullmatch(name)])
        self._moved, self.sheets = [], 0

    def _sheet(self, name: str) -> Sheet | None:
        content = self._directory.read(name)
        try:
            return msgspec.json.decode(content, type=Sheet) if content is not None else None
        except UNREADABLE:
            return None


def _before(sheets: Sequence[Sheet], stream: int) -> StreamState:
    return StreamState(
        parts=[part for sheet in sheets for part in sheet.parts[stream]],
        failures=[part for sheet in sheets for part in sheet.failures[stream]],
    )


def _name(generation: str, number: int) -> str:
    return f".candid-checkpoint-{generation}-{number:05d}.json"
