"""How far an extraction has come: written while it runs, read by the retry that goes on."""

from __future__ import annotations

from typing import Any

import msgspec

from candid_provider.transfers.output.manifest import Part

FILE = ".candid-checkpoint.json"
"""Lies in the directory from before the first part until the manifest is complete."""
KEY = "candid_extraction"
"""In the task state store (Airflow 3.3)."""
VERSION = 1


class Counts(msgspec.Struct, omit_defaults=True):
    """Count what was done up to a position."""

    pages: int = 0
    rows: int = 0
    failures: int = 0
    deactivated: int = 0


class Position(msgspec.Struct, omit_defaults=True):
    """Name a place between two pages.

    :param following: what the paging style saved of the call for the next page; None at the end.
    :param reader: what the feed's reader saved.
    """

    following: dict[str, Any] | None = msgspec.field(default_factory=dict)
    reader: dict[str, Any] = msgspec.field(default_factory=dict)
    counts: Counts = msgspec.field(default_factory=Counts)


class Tail(msgspec.Struct):
    """Describe a spool as it was at a position."""

    number: int
    end: Position
    length: int
    digest: str
    failed_length: int = 0
    failed_digest: str = ""
    rows: int = 0
    failures: int = 0


class StreamState(msgspec.Struct, omit_defaults=True):
    """Hold how far one stream has come.

    :param at: where its finished parts end.
    :param tails: spools behind that; the last may still grow.
    :param drafts: how many became parts; one without a row becomes none.
    :param unfit: rows of finished parts of which something did not fit its column.
    """

    at: Position = msgspec.field(default_factory=Position)
    parts: list[Part] = msgspec.field(default_factory=list)
    failures: list[Part] = msgspec.field(default_factory=list)
    tails: list[Tail] = msgspec.field(default_factory=list)
    drafts: int = 0
    unfit: int = 0


class Checkpoint(msgspec.Struct):
    """Hold how far an extraction has come.

    :param identity: keyed hash of what is extracted, how and for which run; another one is not gone on with.
    :param generation: what the names of this extraction's files end with.
    :param began: ISO time at which it began, which a feed reads up to.
    :param mark: the watermark it began with.
    :param replaces: files of the manifest that will be replaced; set when everything is written.
    :param sheets: how many files beside the parts name those that the streams' states do not.
    :param edition: names this writing of the file; progress of the same edition, in the task state store, is later.
        Without one there is none.
    """

    identity: str
    generation: str
    began: str
    mark: dict[str, Any] | None = None
    streams: list[StreamState] = msgspec.field(default_factory=list)
    replaces: list[str] | None = None
    sheets: int = 0
    edition: str = ""
    version: int = VERSION
