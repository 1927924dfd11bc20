"""Many eligibility checks as one batch: submitted once, waited for without a worker, written in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError, CandidError, CandidJobFailedError
from candid_provider.operators.job import JobOperator
from candid_provider.operators.private import Private, nothing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.eligibility import Requests, Results
    from candid_provider.api.jobs import Job
    from candid_provider.api.waiting import Ending
    from candid_provider.operators.record import Handle

HOUR = 3600.0
NEVER = 2**31
"""More results than there can be: the pause ends when its time is up."""


class CandidEligibilityBatchOperator(JobOperator):
    """Check the eligibility of up to 10,000 patients as one batch.

    Each line of the input is a request as ``POST /eligibility-checks/v1`` takes it: ``payer_id``, ``provider.npi``,
    ``subscriber.first_name``, ``subscriber.last_name`` and more. All are checked before any is sent. The batch is
    submitted once for each task instance, whatever is killed: see ``docs/jobs.md``.

    A check takes minutes, or up to eight hours if its payer does not answer. The task is done when there is a result
    for each request, or when time is up; what has arrived by then is kept. Results are written one a line, in the
    order of the requests, with the ``submitter_transaction_identifier`` of each: the request's own, or else one
    that is the same in each try.

    :param path: a file of JSON Lines, plain or gzip, a directory of such, or a glob, on any object storage.
    :param requests: a few requests, in place of ``path``. They name patients: a list in a DAG file, or one that
        another task returned, lies in clear in Airflow's database. This operator shows nothing of it.
    :param output_path: file for the results: one for each run and mapped task. It appears whole.
    :param missing: whether the task fails, or succeeds, when time is up and some results are missing. They
        are listed in any case in ``NAME.missing.jsonl`` beside the results, by line and identifier.
    :param resubmit_when_unknown: submit again where nobody knows whether the batch was submitted; otherwise the
        task fails and says what to do. Candid is then asked to reuse checks that the first one has brought.
    :param poll_interval: seconds before it is asked again how many results there are; grows to the tenfold.
    :param timeout: seconds to wait, from the submission on.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"batch_id", "submitted", "results", "missing", "unassigned", "statuses", "errors", "path",
        "missing_path"}``: counts and paths. ``unassigned`` counts results that name none of the requests.
    :raises AirflowFailException: a retry cannot help: wrong arguments, requests or credentials; results are missing;
        nobody knows whether the batch was submitted.
    :raises CandidError: a retry may help; it goes on with the same batch.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "path", "requests", "output_path")

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath | None = None,
        requests: Sequence[Mapping[str, Any]] | None = None,
        output_path: str | ObjectStoragePath,
        missing: Literal["fail", "accept"] = "fail",
        resubmit_when_unknown: bool = False,
        poll_interval: float = 60.0,
        timeout: float = 9 * HOUR,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_path=output_path, poll_interval=poll_interval, timeout=timeout, **kwargs)
        self.path = path
        self.requests = Private(self, requests, nothing)
        self.missing = missing
        self.resubmit_when_unknown = resubmit_when_unknown

    def execute_resumable(self, context: Context) -> Any:
        """Do nothing if there is nothing to ask."""
        if self._batch.bodies:
            return super().execute_resumable(context)
        with self._results() as results:
            return self._written(results, None)

    def job(self, context: Context) -> Job:
        """Read and check the requests."""
        from candid_provider.api.eligibility import batch, requests_of
        from candid_provider.transfers.output.owner import owner_of

        if (self.path is None) == (self.requests.value is None):
            raise CandidConfigError("path and requests: exactly one of them is to be set", field="path")
        prefix = f"af-{owner_of(self, context).digest}"
        field = "requests" if self.path is None else "path"
        self._batch: Requests = requests_of(self._lines(), prefix=prefix, field=field)
        return batch(self._batch)

    def _lines(self) -> Iterator[tuple[int, Any]]:
        from candid_provider.transfers.loading.source import Source

        if self.path is not None:
            yield from ((line.number + 1, line.content) for line in Source(self.path) if not line.blank)
        elif isinstance(self.requests.value, str | bytes | Mapping) or not isinstance(self.requests.value, Iterable):
            raise CandidConfigError("requests is not a list of requests", field="requests")
        else:
            yield from enumerate(self.requests.value, 1)

    def _wait(self, handle: Handle) -> Any:
        return self.concluded(handle, self._pause(handle, misled=False))

    def concluded(self, handle: Handle, ending: Ending, *, misled: bool = False, **known: Any) -> Any:
        """Collect what there is after each pause, until it is all or time is up.

        :param misled: ``total`` has told of all results before they were there.
        :raises CandidJobFailedError: results are missing.
        """
        from candid_provider.api.outcome import Outcome
        from candid_provider.api.waiting import not_there

        while True:
            if ending.outcome is Outcome.FAILED:
                raise not_there(ending, self._work.result(handle.job).route)
            over = time.time() >= handle.began + self.timeout
            if summary := self._collected(handle, over):
                return summary
            misled = misled or ending.outcome is Outcome.SUCCEEDED
            ending = self._pause(handle, misled)

    def _pause(self, handle: Handle, misled: bool) -> Ending:
        """Wait until there may be more results.

        ``total`` may be how many have arrived; then it tells when to look. Where it has told so too early, it is
        looked for after half of the time that has passed, at least hourly.
        """

        from candid_provider.api.outcome import Conditions

        now = time.time()
        pause = min(max(self.poll_interval, (now - handle.began) / 2), HOUR) if misled else HOUR
        conditions = Conditions(status_path="total", at_least=NEVER) if misled else self._work.conditions
        return self._waited(handle, conditions, min(handle.began + self.timeout, now + pause), misled=misled)

    def _collected(self, handle: Handle, over: bool) -> Any:
        """Read all results, and write them if they are all or time is up; None if neither."""
        from candid_provider.api.eligibility import pages_of

        with self._results() as results:
            try:
                for page in self.hook.pages(pages_of(handle.job)):
                    for row in page.rows:
                        results.add(row)
            except CandidError as error:
                if over or not error.retryable:
                    raise
                self.log.warning("results cannot be read now: %s", error)
                return None
            if results.complete or over:
                return self._written(results, handle)
            self.log.info("batch %s: %s", handle.job, results.counts())
        return None

    def _results(self) -> contextlib.closing[Results]:
        from candid_provider.api.eligibility import Results

        return contextlib.closing(Results(self._batch.places))

    def _written(self, results: Results, handle: Handle | None) -> dict[str, Any]:
        from candid_provider.transfers.output.whole_file import whole_file

        with whole_file(self.output_path, field="output_path") as file:
            results.write(file)
        summary = {"batch_id": handle.job if handle else None, **results.counts(), "path": str(self.output_path)}
        if not results.complete:
            summary["missing_path"] = self._list_missing(results)
            if self.missing == "fail":
                raise CandidJobFailedError(
                    f"{summary['missing']} of {summary['submitted']} results of batch {summary['batch_id']} have not"
                    f" arrived in time. Those that have are in {self.output_path}, the others are named in"
                    f" {summary['missing_path']}. Clear the task to look again"
                )
        self._record.mark("ended")
        return summary

    def _list_missing(self, results: Results) -> str:
        from candid_provider.transfers.output.path import checked_path
        from candid_provider.transfers.output.whole_file import whole_file

        target = checked_path(self.output_path, "output_path")
        path = target.parent / f"{target.stem}.missing.jsonl"
        with whole_file(path, field="output_path") as file:
            for each in self._batch.missing(results.arrived):
                file.write(msgspec.json.encode(each) + b"\n")
        return str(path)
