"""One load from its arguments to its summary: what was done before, what is left, what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.api.client import CandidAsyncClient
from candid_provider.api.creations import creation_named
from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.loading.fate import Creator
from candid_provider.transfers.loading.journal import journal_in
from candid_provider.transfers.loading.load import Load, Tolerance
from candid_provider.transfers.loading.models import Model
from candid_provider.transfers.loading.outcomes import CREATED, INVALID, KINDS, UNKNOWN, Outcomes
from candid_provider.transfers.loading.results import Results, Summary
from candid_provider.transfers.loading.source import Source
from candid_provider.transfers.loading.survey import invalid, record_of, survey
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.owner import Owner
from candid_provider.transfers.progress import Progress


class Session(contextlib.AbstractContextManager["Session"]):
    """Lead one load through its stages.

    :param resource: what is created.
    :param path: the input.
    :param results_path: where its results go.
    :param params: query parameters of each creation.
    :param owner: whose load it is.
    :param host: the API's.
    :param concurrency: lines under way at a time.
    :param tolerance: when to stop.
    :param progress: where progress is logged.
    :raises CandidConfigError: an argument is wrong.
    """

    def __init__(
        self,
        resource: str,
        *,
        path: str | ObjectStoragePath,
        results_path: str | ObjectStoragePath,
        params: Mapping[str, Any],
        owner: Owner,
        host: str,
        concurrency: int,
        tolerance: Tolerance,
        progress: Progress,
    ) -> None:
        self._creation = creation_named(resource)
        if unknown := sorted(set(params) - set(self._creation.params)):
            known = ", ".join(self._creation.params) or "none"
            raise CandidConfigError(f"query: {unknown[0]} is not known. Known: {known}", field="query")
        self._directory = Directory(results_path, "results_path")
        self._source = Source(path)
        if self._directory.target.path.rstrip("/") in self._source.folders:
            raise CandidConfigError(
                "results_path is where the input is, and results would be loaded. Give another directory",
                field="results_path",
            )
        self._params, self._owner, self._host = params, owner, host
        self._tolerance, self._progress = tolerance, progress
        self._results, self._outcomes = Results(self._directory), Outcomes()
        self._journal = journal_in(self._directory, keyed=bool(self._creation.key), concurrency=concurrency)
        self._summary = self._summed_up(0, "")
        self._stack = contextlib.ExitStack()
        self._stack.callback(self._outcomes.close)
        self.gave_up = ""

    def prepared(self) -> Load:
        """Check the input, find out what was done before, and give the load of what is left.

        :raises CandidConfigError: the input cannot be loaded, or ``results_path`` is of another load.
        :raises CandidUnavailableError: another process is loading there.
        """
        self._summary = self._summed_up(*survey(self._source, self._creation, self._outcomes))
        self._stack.enter_context(self._directory.held())
        begun = self._resumed()
        self._progress.since(records=len(self._outcomes))
        return Load(
            self._source,
            begun=begun,
            outcomes=self._outcomes,
            journal=self._journal,
            tolerance=self._tolerance,
            progress=self._progress,
        )

    def _resumed(self) -> set[int]:
        """Take over what is known of this load; the numbers of the lines that may have been sent."""
        before = self._results.summary(self._owner)
        task = {"dag_id": self._owner.dag_id, "task_id": self._owner.task_id, "map_index": self._owner.map_index}
        of = {"resource": self._creation.name, "host": self._host, "owner": task, "input": self._summary.input}
        begun = self._journal.resume(of, self._outcomes)
        late = set[int]()
        if begun is not None or (before and before.is_of_the_same(self._summary)):
            accepted = self._tolerance.existing_accepted
            late = self._results.resume(self._source, self._outcomes, existing_accepted=accepted)
        else:
            self._check_unsent(before)
            self._results.forget(before)
        if begun is None:
            self._journal.open(of)
        return late | (begun or set())

    def _check_unsent(self, before: Summary | None) -> None:
        """See that no line goes out again of which nothing but its place in another input is known."""
        if self._creation.key or not before or not before.is_at_the_same_place(self._summary):
            return
        if sent := before.count(CREATED, UNKNOWN):
            raise CandidConfigError(
                f"path is not what this run has loaded {sent} lines of, and {self._creation.name} have no key to tell"
                " which of them it holds. Put the file back; load mended lines, a copy of dead-letters.jsonl, with a"
                " results_path of their own",
                field="path",
            )

    def _summed_up(self, lines: int, digest: str) -> Summary:
        name, route = self._creation.name, f"POST {self._creation.path}"
        return Summary(resource=name, route=route, host=self._host, owner=self._owner, input=digest, lines=lines)

    def rehearsed(self) -> dict[str, Any]:
        """Check each line against the SDK's model, write down what is wrong, and sum up; nothing is sent.

        :raises CandidConfigError: the input cannot be loaded, or the SDK is not installed.
        """
        model = Model(self._creation)
        self._summary = self._summed_up(*survey(self._source, self._creation, self._outcomes))
        count = self._summary.lines
        for line in self._source:
            if not line.blank and line.number not in self._outcomes and (found := model.faults(line)):
                name = self._creation.external_id(self._creation.key_of(record_of(line.content)))
                self._outcomes.put(line.number, invalid(line, found[0], external_id=name, fields=found[1]))
            self._progress.tick(records=line.number + 1, invalid=len(self._outcomes))
        path = self._results.write_rehearsal(self._outcomes)
        bad = self._outcomes.counts[INVALID]
        self._progress.done(records=count, invalid=bad)
        if self._tolerance.exceeded(self._outcomes, at_end=True, of=count):
            self.gave_up = self._too_many(path)
        kinds = {"valid": count - bad, INVALID: bad}
        return {
            "resource": self._creation.name,
            "lines": count,
            "outcomes": kinds,
            "errors": self._errors(),
            "dry_run": path,
        }

    def creator(self, client: CandidAsyncClient) -> Creator:
        """Make what creates the records."""
        return Creator(client, self._creation, self._params, sleep=client.limit.asleep)

    def finished(self) -> dict[str, Any]:
        """Put the results in place, forget the journal, and sum up."""
        summary, counts = self._summary, self._outcomes.counts
        summary.outcomes = {kind: counts[kind] for kind in KINDS if counts[kind]}
        summary.errors, summary.not_sent = self._errors(), summary.lines - len(self._outcomes)
        self._results.write(self._source, self._outcomes, self._tolerance.is_error, summary)
        self._journal.remove()
        self._progress.done(records=len(self._outcomes), **summary.outcomes)
        if self._tolerance.exceeded(self._outcomes, at_end=True):
            self.gave_up = self._too_many(self._results.paths["results"])
        counted = ("resource", "lines", "outcomes", "errors", "not_sent")
        return {**{name: getattr(summary, name) for name in counted}, **self._results.paths}

    def _errors(self) -> dict[str, int]:
        return {name: count for name, count in sorted(self._outcomes.errors.items()) if count}

    def trouble(self) -> str:
        """Say how many lines are errors, and which; empty if none is."""
        if not (errors := self._tolerance.errors(self._outcomes)):
            return ""
        told = ", ".join(f"{n} {name}" for name, n in self._errors().items())
        return f"{errors} of {self._summary.lines} lines are errors ({told})"

    def _too_many(self, path: str) -> str:
        return (
            f"{self.trouble()}, more than max_errors or max_error_rate allow. What became of each line is in {path}."
            " Mend the cause and clear the task: with the same input it sends what was not loaded. Mend lines that"
            " are wrong themselves in a copy of dead-letters.jsonl and load it with a results_path of its own"
        )

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()
