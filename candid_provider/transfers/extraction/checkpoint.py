"""How far an extraction has come: written while it runs, read by the retry that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from candid_provider.exceptions import CandidUnavailableError
from candid_provider.transfers.output.manifest import Part

if TYPE_CHECKING:
    from candid_provider.transfers.output.directory import Directory
    from candid_provider.transfers.progress import Log

FILE = ".candid-checkpoint.json"
"""Lies in the directory from before the first part until the manifest is complete."""
KEY = "candid_extraction"
"""In the task state store (Airflow 3.3)."""
VERSION = 1


class Counts(msgspec.Struct):
    """Count what was done up to a position."""

    pages: int = 0
    rows: int = 0
    failures: int = 0
    deactivated: int = 0


class Position(msgspec.Struct):
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


class StreamState(msgspec.Struct):
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
    """

    identity: str
    generation: str
    began: str
    mark: dict[str, Any] | None = None
    streams: list[StreamState] = msgspec.field(default_factory=list)
    replaces: list[str] | None = None
    version: int = VERSION


class CheckpointStore:
    """Keep a checkpoint in the task state store and its outline beside the data, or all of it there.

    The outline tells the next run which unfinished files are whose, when the run that wrote them is given up.

    :param directory: where the parts go.
    :param state_store: ``context["task_state_store"]``, from Airflow 3.3 on.
    """

    def __init__(self, directory: Directory, state_store: Any, log: Log) -> None:
        self._directory, self._state_store, self._log = directory, state_store, log
        self._outlined = ""

    def load(self) -> Checkpoint | None:
        """Read the last checkpoint, if there is one.

        :raises CandidUnavailableError: Airflow could not be asked; there may be one.
        """
        outline = _decoded(self._directory.read(FILE))
        if outline is None or self._state_store is None or outline.streams:
            return outline
        try:
            kept = self._state_store.get(KEY)
        except Exception as error:  # whatever the state store's backend raises
            problem = type(error).__name__
        else:
            found = _decoded(kept.encode() if isinstance(kept, str) else None)
            return found if found and found.generation == outline.generation else outline
        raise CandidUnavailableError(f"the task state store could not be read ({problem}), so that a retry may")

    def save(self, checkpoint: Checkpoint, *, needed: bool = True) -> None:
        """Write a checkpoint over the last one.

        :param needed: False lets a failure pass: the last checkpoint stays good, only older.
        :raises CandidUnavailableError: it could not be written.
        """
        text = msgspec.json.encode(checkpoint)
        try:
            if self._state_store is None:
                self._directory.write(FILE, text, private=True)
                return
            if self._outlined != checkpoint.generation:
                outline = msgspec.structs.replace(checkpoint, streams=[], mark=None, replaces=None)
                self._directory.write(FILE, msgspec.json.encode(outline), private=True)
                self._outlined = checkpoint.generation
            self._state_store.set(KEY, text.decode())
            return
        except Exception as error:
            problem = type(error).__name__
        if needed:
            raise CandidUnavailableError(f"the checkpoint could not be written ({problem})")
        self._log.warning("the checkpoint could not be written (%s); the last one stays good", problem)

    def remove(self) -> None:
        """Forget the checkpoint: Airflow keeps task states after a success unless it is told otherwise."""
        self._directory.remove([FILE])
        if self._state_store is not None:
            self._state_store.delete(KEY)


def _decoded(content: bytes | None) -> Checkpoint | None:
    if content is None:
        return None
    try:
        found = msgspec.json.decode(content, type=Checkpoint)
    except msgspec.DecodeError:
        return None
    return found if found.version == VERSION else None
