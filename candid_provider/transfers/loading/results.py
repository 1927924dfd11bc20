"""What a load leaves: its results, the lines to mend, the lines for a person to look at, and last a summary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.loading.outcomes import CREATED, EXISTING, FAILED, UNKNOWN, Outcome, Outcomes
from candid_provider.transfers.loading.source import Source
from candid_provider.transfers.whole_file import is_local, whole_file

SUMMARY = "summary.json"
RESULTS = "results.jsonl"
DEAD_LETTERS = "dead-letters.jsonl"
UNKNOWN_LINES = "unknown.jsonl"
REHEARSAL = "dry-run.jsonl"
VERSION = 1


class Results:
    """Write and read the files of one load.

    :param folder: where they are.
    """

    def __init__(self, folder: ObjectStoragePath) -> None:
        self._folder = folder
        self.paths = {
            "summary": str(folder / SUMMARY),
            "results": str(folder / RESULTS),
            "dead_letters": str(folder / DEAD_LETTERS),
            "unknown": str(folder / UNKNOWN_LINES),
        }

    def summary(self) -> Mapping[str, Any] | None:
        """Read the summary of a load that came to its end; None if there is none.

        :raises CandidConfigError: there is a file of that name that is no such summary.
        """
        try:
            found = msgspec.json.decode((self._folder / SUMMARY).read_bytes())
        except FileNotFoundError:
            return None
        except UNREADABLE:
            found = None
        if isinstance(found, dict) and found.get("version") == VERSION and "of" in found:
            return found
        raise CandidConfigError(
            f"results_path has a {SUMMARY} that is no summary of a load. Give another directory", field="results_path"
        )

    def resume(self, source: Source, outcomes: Outcomes, *, existing_accepted: bool) -> set[int]:
        """Take over what needs no second try: records that are there, and those whose fate a person has to find out.

        :param source: the input, read to its end.
        :param outcomes: where they go.
        :param existing_accepted: a record that somebody else had created counts as done.
        :returns: numbers of the lines that Candid did not manage: they may have arrived since.
        """
        final = {CREATED, UNKNOWN, EXISTING} if existing_accepted else {CREATED, UNKNOWN}
        decode = msgspec.json.Decoder(Outcome).decode
        late = set()
        for outcome in map(decode, self._lines(RESULTS)):
            number = source.number_of(outcome.file, outcome.line)
            if number is None or number in outcomes:
                continue
            if outcome.outcome in final:
                outcomes.put(number, outcome)
            elif outcome.outcome == FAILED:
                late.add(number)
        return late

    def forget(self) -> None:
        """Delete what an earlier load left here, its summary first."""
        for name in (SUMMARY, RESULTS, DEAD_LETTERS, UNKNOWN_LINES):
            (self._folder / name).unlink(missing_ok=True)

    def write(
        self,
        source: Source,
        outcomes: Outcomes,
        is_error: Callable[[str], bool],
        about: Mapping[str, Any],
    ) -> None:
        """Write all files; each appears whole, and the summary last.

        :param source: the input.
        :param outcomes: what became of its lines.
        :param is_error: says whether an outcome is an error.
        :param about: what the summary says besides.
        """

        def dead(kind: str) -> bool:
            return is_error(kind) and kind != UNKNOWN

        files = {
            "results": self._write(RESULTS, outcomes.lines()),
            "dead_letters": self._write(DEAD_LETTERS, _lines_of(source, outcomes, dead)),
            "unknown": self._write(UNKNOWN_LINES, _lines_of(source, outcomes, lambda kind: kind == UNKNOWN)),
        }
        summary = {"version": VERSION, **about, "files": files}
        self._write(SUMMARY, [msgspec.json.format(msgspec.json.encode(summary)) + b"\n"])

    def write_rehearsal(self, outcomes: Outcomes) -> str:
        """Write what a dry run has found, and give the file's path."""
        self._write(REHEARSAL, outcomes.lines())
        return str(self._folder / REHEARSAL)

    def _write(self, name: str, lines: Iterable[bytes]) -> dict[str, Any]:
        digest, rows, nbytes = hashlib.sha256(), 0, 0
        target = self._folder / name
        with whole_file(target.path if is_local(target) else target) as file:
            for line in lines:
                file.write(line)
                digest.update(line)
                rows, nbytes = rows + 1, nbytes + len(line)
        return {"name": name, "rows": rows, "bytes": nbytes, "sha256": digest.hexdigest()}

    def _lines(self, name: str) -> Iterator[bytes]:
        try:
            target: Any = self._folder / name
            with target.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return


def _lines_of(source: Source, outcomes: Outcomes, wanted: Callable[[str], bool]) -> Iterator[bytes]:
    """Give the lines of certain outcomes as they came."""
    if not any(wanted(kind) and count for kind, count in outcomes.counts.items()):
        return
    for line in source:
        if (outcome := outcomes.get(line.number)) and wanted(outcome.outcome):
            yield line.content + b"\n"
