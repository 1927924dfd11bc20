"""Where a checkpoint outlives its process: a file beside the parts and, from Airflow 3.3 on, the task state store."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.extraction.checkpoint import FILE, KEY, VERSION, Checkpoint, StreamState
from candid_provider.transfers.extraction.ledger import MOST, Ledger

if TYPE_CHECKING:
    from candid_provider.transfers.output.directory import Directory
    from candid_provider.transfers.progress import Log

LARGEST = 60_000
"""Characters that go into the task state store; Airflow warns of more than 65,536 (``max_value_storage_bytes``)."""
PATIENCE = 10.0
"""Seconds that the task state store may take: reading stops meanwhile, and Airflow retries for up to minutes."""
Decoded = TypeVar("Decoded")


class Progress(msgspec.Struct):
    """Hold what has changed of a checkpoint since its file was written.

    :param edition: of the file; that of another one says nothing.
    """

    edition: str
    streams: list[StreamState]
    sheets: int


class CheckpointStore:
    """Keep a checkpoint: in a file at the beginning and the end of a try, and in the task state store between.

    The file tells the next run, too, which unfinished files are whose when the run that wrote them is given up.
    A task state store that fails, or stalls, is not asked again in this try: the file is there. What is kept does not
    grow with the number of parts.

    :param directory: where the parts go.
    :param state_store: ``context["task_state_store"]``, from Airflow 3.3 on.
    :param most_parts: finished parts that the checkpoint names itself.
    :param clock: seconds, only ever growing.
    """

    def __init__(
        self,
        directory: Directory,
        state_store: Any,
        log: Log,
        *,
        most_parts: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._state_store, self._log, self._clock = directory, state_store, log, clock
        self._ledger = Ledger(directory, most_parts)
        self._use_state_store = state_store is not None
        self._edition = ""
        self._complained = False

    def load(self) -> Checkpoint | None:
        """Read the last checkpoint, if there is one.

        :raises CandidUnavailableError: Airflow could not be asked for a later one than the file's.
        """
        found = _decoded(self._directory.read(FILE), Checkpoint)
        if found is None or found.version != VERSION:
            return None
        if found.edition and self._state_store is not None:
            progress = self._progress()
            if progress and progress.edition == found.edition:
                found.streams, found.sheets = progress.streams, progress.sheets
        found.streams = self._ledger.complete(found.streams, found.sheets, found.generation)
        return found

    def save(self, checkpoint: Checkpoint, *, needed: bool = True) -> None:
        """Write a checkpoint over the last one.

        :param needed: False lets a failure pass: the last checkpoint stays good, only older.
        :raises CandidConfigError: it cannot be written there.
        :raises CandidUnavailableError: it could not be written.
        """
        try:
            self._save(checkpoint)
            return
        except Exception as error:
            if needed and isinstance(error, CandidConfigError):
                raise
            problem = type(error).__name__
        if needed:
            raise CandidUnavailableError(f"the checkpoint could not be written ({problem})")
        if not self._complained:
            self._log.warning(
                "the checkpoint could not be written (%s); a retry would go on from the last one that was, if any",
                problem,
            )
        self._complained = True

    def remove(self) -> None:
        """Forget the checkpoint: Airflow keeps task states after a success unless it is told otherwise."""
        self._directory.remove([FILE])
        self._ledger.remove()
        self._edition = ""
        if self._state_store is not None:
            # Without its file, what stays there says nothing.
            with contextlib.suppress(Exception):
                self._state_store.delete(KEY)

    def _progress(self) -> Progress | None:
        try:
            kept = self._state_store.get(KEY)
        except Exception as error:  # whatever the state store's backend raises
            problem = type(error).__name__
        else:
            return _decoded(kept.encode() if isinstance(kept, str) else None, Progress)
        # Beginning where the file stands would do, but might cost hours of reading.
        raise CandidUnavailableError(f"the task state store could not be read ({problem}), so that a retry may")

    def _save(self, checkpoint: Checkpoint) -> None:
        streams = self._ledger.shorten(checkpoint.streams, checkpoint.generation)
        # The last one, which names all files to be replaced, knows no limit in a file.
        is_last = checkpoint.replaces is not None
        if self._edition and not is_last and self._advance(Progress(self._edition, streams, self._ledger.sheets)):
            return
        edition = secrets.token_hex(4) if self._use_state_store and not is_last else ""
        written = msgspec.structs.replace(checkpoint, streams=streams, sheets=self._ledger.sheets, edition=edition)
        self._directory.write(FILE, msgspec.json.encode(written), private=True)
        self._edition = edition

    def _advance(self, progress: Progress) -> bool:
        """Say how far it has come in the task state store, or that it has to go into the file from now on."""
        text, problem = msgspec.json.encode(progress).decode(), "too large for it"
        if len(text) <= LARGEST:
            began = self._clock()
            try:
                self._state_store.set(KEY, text)
                problem = "too slow"
            except Exception as error:  # as above
                problem = type(error).__name__
            if problem == "too slow" and self._clock() - began <= PATIENCE:
                return True
        self._log.warning("checkpoints go into a file and no longer into the task state store (%s)", problem)
        self._use_state_store = False
        return False


def _decoded(content: bytes | None, kind: type[Decoded]) -> Decoded | None:
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE:
        return None
