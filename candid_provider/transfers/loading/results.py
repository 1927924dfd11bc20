"""What a load leaves: its results, the lines to mend, the lines for a person to look at, and last a summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.loading.outcomes import CREATED, EXISTING, FAILED, UNKNOWN, Outcome, Outcomes
from candid_provider.transfers.loading.source import Source
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.hashing import Hashing
from candid_provider.transfers.output.manifest import Part
from candid_provider.transfers.output.owner import Owner

SUMMARY = "summary.json"
RESULTS = "results.jsonl"
DEAD_LETTERS = "dead-letters.jsonl"
UNKNOWN_LINES = "unknown.jsonl"
REHEARSAL = "dry-run.jsonl"
VERSION = 1


class Summary(msgspec.Struct, kw_only=True):
    """Describe a load without a word of its records.

    :param resource: what was created.
    :param route: method and route template of the creation.
    :param owner: whose load it was.
    :param host: the API's.
    :param input: SHA-256 of the lines.
    :param lines: how many there were to load.
    :param outcomes: how many had which outcome.
    :param errors: how many had which error, by name.
    :param not_sent: how many were left, because there were too many errors.
    :param files: the files beside it.
    """

    version: int = VERSION
    resource: str
    route: str
    host: str = ""
    owner: Owner
    input: str
    lines: int
    outcomes: Mapping[str, int] = {}
    errors: Mapping[str, int] = {}
    not_sent: int = 0
    files: Mapping[str, Part] = {}

    def is_of_the_same(self, other: Summary) -> bool:
        """Say whether another load is this one: tried again, not run again."""
        return self.is_at_the_same_place(other) and self.input == other.input

    def is_at_the_same_place(self, other: Summary) -> bool:
        """Say whether another load is of this run, and of the same resource at the same environment."""
        return (self.resource, self.host, self.owner) == (other.resource, other.host, other.owner)

    def count(self, *kinds: str) -> int:
        """Count lines by their outcomes."""
        return sum(self.outcomes.get(kind, 0) for kind in kinds)


class Results:
    """Write and read the files of one load.

    :param directory: where they are.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.paths = {
            "summary": directory.url(SUMMARY),
            "results": directory.url(RESULTS),
            "dead_letters": directory.url(DEAD_LETTERS),
            "unknown": directory.url(UNKNOWN_LINES),
        }

    def summary(self, owner: Owner) -> Summary | None:
        """Read the summary of a load that came to its end; None if there is none.

        :param owner: who means to write here.
        :raises CandidConfigError: it is another task's, or no summary of a load.
        """
        content = self._directory.read(SUMMARY)
        if content is None:
            return None
        try:
            found = msgspec.json.decode(content, type=Summary)
        except UNREADABLE:
            found = None
        if found is None or found.version != VERSION:
            field = self._directory.field
            raise CandidConfigError(
                f"{field} has a {SUMMARY} that is no summary of a load. Give another directory", field=field
            )
        owner.check(found.owner, self._directory.field)
        return found

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
        for outcome in map(decode, self._directory.lines(RESULTS)):
            number = source.number_of(outcome.file, outcome.line)
            if number is None or number in outcomes:
                continue
            if outcome.outcome in final:
                outcomes.put(number, outcome)
            elif outcome.outcome == FAILED:
                late.add(number)
        return late

    def forget(self, before: Summary | None) -> None:
        """Delete what an earlier load left here, its summary first.

        :raises CandidConfigError: there are lines for a person to look at, and nobody has taken them away.
        """
        unknown = before.count(UNKNOWN) if before else 0
        if unknown and self._directory.read(UNKNOWN_LINES):
            field = self._directory.field
            raise CandidConfigError(
                f"{field} holds an {UNKNOWN_LINES} of {unknown} lines, and nobody knows whether Candid has them. Move"
                f" it away to find out, or give each run a {field} of its own",
                field=field,
            )
        self._directory.remove((SUMMARY, RESULTS, DEAD_LETTERS, UNKNOWN_LINES))

    def write(self, source: Source, outcomes: Outcomes, is_error: Callable[[str], bool], summary: Summary) -> None:
        """Write all files; each appears whole, and the summary last.

        :param source: the input.
        :param outcomes: what became of its lines.
        :param is_error: says whether an outcome is an error.
        :param summary: gets to know the files.
        """

        def dead(kind: str) -> bool:
            return is_error(kind) and kind != UNKNOWN

        def unknown(kind: str) -> bool:
            return kind == UNKNOWN

        summary.files = {
            "results": self._write(RESULTS, outcomes.lines()),
            "dead_letters": self._write(DEAD_LETTERS, _lines_of(source, outcomes, dead), private=True),
            "unknown": self._write(UNKNOWN_LINES, _lines_of(source, outcomes, unknown), private=True),
        }
        self._write(SUMMARY, [msgspec.json.format(msgspec.json.encode(summary)) + b"\n"])

    def write_rehearsal(self, outcomes: Outcomes) -> str:
        """Write what a dry run has found, and give the file's path."""
        self._write(REHEARSAL, outcomes.lines())
        return self._directory.url(REHEARSAL)

    def _write(self, name: str, lines: Iterable[bytes], *, private: bool = False) -> Part:
        rows = 0
        with self._directory.writing(name, private=private) as file:
            hashing = Hashing(file)
            for line in lines:
                hashing.write(line)
                rows += 1
        return Part(name, rows, hashing.length, hashing.digest)


def _lines_of(source: Source, outcomes: Outcomes, wanted: Callable[[str], bool]) -> Iterator[bytes]:
    """Give the lines of certain outcomes as they came."""
    if not any(wanted(kind) and count for kind, count in outcomes.counts.items()):
        return
    for line in source:
        if (outcome := outcomes.get(line.number)) and wanted(outcome.outcome):
            yield line.content + b"\n"
