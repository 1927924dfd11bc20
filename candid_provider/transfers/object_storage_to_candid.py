"""Files on object storage into records at Candid, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected
from candid_provider.operators.private import Private, RendersPrivately, names

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.transfers.loading.load import Load
    from candid_provider.transfers.loading.session import Session

MOST_AT_ONCE = 20
"""Lines under way at a time; a client keeps as many connections."""


class ObjectStorageToCandidOperator(RendersPrivately, Connected):
    """Create a record at Candid for each line of JSON Lines files, each once.

    A record is known by its key, such as an encounter's ``external_id``. A creation whose fate is unknown,
    because the answer was an error or none came, is looked up by it before it is repeated. Records without a key,
    such as payments, are never repeated: they are listed in ``unknown.jsonl``, for a person. Every line is named
    in a journal before it is sent, so that a task that was killed goes on where it was.

    The whole input is checked before anything is sent: lines that are no JSON objects, have no key, or the
    key of another line are ``invalid``. In ``results_path`` are in the end ``results.jsonl`` (file, line, external
    id, Candid's id, outcome, error name, names of refused fields), ``dead-letters.jsonl`` (lines that were not
    loaded, as they came), ``unknown.jsonl`` and ``summary.json``. Run again, in the same DAG run and with
    the same input, the task sends the lines that were not loaded, and no other.

    :param path: a file, a directory or a glob of JSON Lines, plain or gzip, on any object storage.
    :param resource: what the lines are (``candid_provider.api.creations``).
    :param results_path: a directory of the task's own, best one for each DAG run.
    :param query: query parameters of each creation, such as ``skip_duplicate_check`` of patients.
    :param concurrency: lines under way at a time, 1 to 20.
    :param max_errors: more errors stop the load and fail the task; lines under way come to their end. None: any
        number is borne, and the task succeeds with a warning; 0: the first error is too many.
    :param max_error_rate: a larger share of errors does, once 100 lines are done; between 0 and 1.
    :param dry_run: only check each line against the official SDK's model (extra ``[sdk]``); nothing is sent, and
        ``dry-run.jsonl`` in ``results_path`` names what is wrong.
    :param existing: whether a record that somebody else had created is refused, or accepted as done.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"resource", "lines", "outcomes", "errors", "summary", "results", "dead_letters", "unknown"}``:
        counts by outcome and by error name, and paths.
    :raises AirflowFailException: a retry cannot help: wrong arguments, wrong credentials, too many errors.
    :raises CandidError: a retry may help; it goes on where this try ended.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "resource", "path", "results_path", "query")

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        resource: str,
        results_path: str | ObjectStoragePath,
        query: Mapping[str, Any] | None = None,
        concurrency: int = 8,
        max_errors: int | None = None,
        max_error_rate: float | None = None,
        dry_run: bool = False,
        existing: Literal["refuse", "accept"] = "refuse",
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.resource = resource
        self.results_path = results_path
        self.query = Private(self, query, names)
        self.concurrency = concurrency
        self.max_errors = max_errors
        self.max_error_rate = max_error_rate
        self.dry_run_only = dry_run
        self.existing = existing
        self.candid_conn_id = candid_conn_id
        self._load: Load | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the lines."""
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(retry_finds_out=True):
            self._check()
            with self._session(context) as session:
                if self.dry_run_only:
                    summary = session.rehearsed()
                else:
                    self._load = session.prepared()
                    asyncio.run(self._send(session, self._load))
                    summary = session.finished()
                    self._note_lineage()
        if session.gave_up:
            raise AirflowFailException(session.gave_up)
        if trouble := session.trouble():
            self.log.warning("%s; see %s", trouble, self.results_path)
        return summary

    def on_kill(self) -> None:
        """Take no more lines; what is under way is in the journal in any case."""
        if self._load:
            self._load.stop()

    def _check(self) -> None:
        from candid_provider.transfers.arguments import within

        within("concurrency", self.concurrency, 1, MOST_AT_ONCE, whole=True)
        if self.max_errors is not None:
            within("max_errors", self.max_errors, 0, float("inf"), whole=True)
        if self.max_error_rate is not None:
            within("max_error_rate", self.max_error_rate, 0, 1)
        if self.existing not in ("refuse", "accept"):
            raise CandidConfigError("existing is neither 'refuse' nor 'accept'", field="existing")

    def _session(self, context: Context) -> Session:
        from candid_provider.transfers.arguments import mapping, text
        from candid_provider.transfers.loading.load import Tolerance
        from candid_provider.transfers.loading.session import Session
        from candid_provider.transfers.output.owner import owner_of
        from candid_provider.transfers.progress import Progress

        return Session(
            text("resource", self.resource),
            path=self.path,
            results_path=self.results_path,
            params=mapping("query", self.query.value),
            owner=owner_of(self, context),
            host=self._host(),
            concurrency=self.concurrency,
            tolerance=Tolerance(self.max_errors, self.max_error_rate, self.existing == "accept"),
            progress=Progress(self.log),
        )

    def _host(self) -> str:
        if self.dry_run_only:
            return ""
        with self.hook as hook:
            return urlsplit(hook.get_conn().settings.candid_api).hostname or ""

    def _note_lineage(self) -> None:
        from candid_provider.transfers.lineage import at_candid, note_lineage

        with self.hook as hook:
            target = at_candid(hook.get_conn().settings.candid_api, self.resource)
            note_lineage(hook, source=str(self.path), target=target)

    async def _send(self, session: Session, load: Load) -> None:
        async with await self.hook.get_async_conn() as client:
            await load.run(session.creator(client), self.concurrency)
