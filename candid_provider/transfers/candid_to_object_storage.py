"""Candid's listings into files on object storage."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected
from candid_provider.operators.private import Private, RendersPrivately, names, nothing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.call import Call
    from candid_provider.api.feeds import Feed
    from candid_provider.hooks.candid import CandidHook
    from candid_provider.transfers.extraction.feed import Detailer
    from candid_provider.transfers.extraction.plan import Plan
    from candid_provider.transfers.extraction.run import Changes, Run


class CandidToObjectStorageOperator(RendersPrivately, Connected):
    """Extract a listing to a directory of parts and a manifest, page by page, in constant memory.

    Parts appear whole and ``manifest.json`` last; it names the parts that count. A run that succeeds replaces what
    the same task left there before, and nothing else. A try that fails keeps what it had read: the next one goes on
    behind it, without a record lost or doubled. On a local disk that is to the second, whatever ended the try;
    elsewhere a process that is killed outright (``kill -9``) loses what it had not uploaded yet, which is read again.

    :param resource: name of a resource (``candid_provider.api.resources``), or a call with a paging style.
    :param path: directory to write to: an absolute path or a URL of any object storage Airflow knows.
    :param query: query parameters over the resource's defaults; rendered, and kept out of the metadata
        database. (Airflow keeps ``params`` for itself.)
    :param path_params: values of the placeholders in the resource's path; quoted.
    :param json: request body, for listings that are asked for by POST.
    :param format: ``jsonl``, one record a line as Candid sent it; or ``parquet`` (extra ``[parquet]``), with the same
        columns in every part and every run.
    :param compression: ``gzip`` or ``zstd`` (for JSON lines: extra ``[zstd]``); Parquet is compressed by zstd unless
        told otherwise.
    :param part_rows: rows after which a part is closed, with the page that brings them; None: as many as fit.
    :param part_bytes: bytes of JSON after which a part is closed.
    :param parallel_windows: how many parts of the range of days, or of times, given in ``query`` are read at once,
        for resources that can be listed by ranges; the output keeps their order.
    :param detail: path of a GET with placeholders, such as ``/api/patient-ar/v1/invoice-itemization/{claim_id}``: its
        answer for each row is written in place of the row, in the rows' order. Rows for which Candid refuses it are
        listed in files of their own, which the manifest names.
    :param incremental: only what changed since the last run, by the resource's own change feed, or by one given here,
        such as ``ServiceDates(days=90)`` of ``candid_provider.api.event_feeds``; in a backfill and while a DAG
        catches up, what changed in the run's data interval.
    :param watermark: a file that keeps where the next run goes on; by default the state of the task's outlet asset
        (Airflow 3.3) or a Variable. It moves on when the manifest is complete.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"resource", "path", "manifest", "parts", "rows", "bytes", "pages", "deactivated", "failures"}``:
        paths and counts.
    :raises AirflowFailException: a retry cannot help: wrong arguments, wrong credentials, a 4xx answer.
    :raises CandidError: a retry may help, and goes on where this try stood.
    """

    template_fields: Sequence[str] = (
        "candid_conn_id",
        "resource",
        "path",
        "query",
        "path_params",
        "json",
        "watermark",
    )
    _run: Run | None = None

    def __init__(
        self,
        *,
        resource: str | Call,
        path: str | ObjectStoragePath,
        query: Mapping[str, Any] | None = None,
        path_params: Mapping[str, str] | None = None,
        json: Any = None,
        format: Literal["jsonl", "parquet"] = "jsonl",
        compression: Literal["gzip", "zstd"] | None = None,
        part_rows: int | None = None,
        part_bytes: int = 256_000_000,
        detail: str | None = None,
        parallel_windows: int = 1,
        incremental: bool | Feed = False,
        watermark: str | ObjectStoragePath | None = None,
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.path = path
        self.query = Private(self, query, names)
        self.path_params = Private(self, path_params, names)
        self.json = Private(self, json, nothing)
        self.format = format
        self.compression = compression
        self.part_rows = part_rows
        self.part_bytes = part_bytes
        self.detail = detail
        self.parallel_windows = parallel_windows
        self.incremental = incremental
        self.watermark = watermark
        self.candid_conn_id = candid_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Extract the listing."""
        from candid_provider.hooks.candid import failing_for_good
        from candid_provider.transfers.extraction.checkpoint_store import CheckpointStore
        from candid_provider.transfers.extraction.run import Run
        from candid_provider.transfers.lineage import at_candid, note_lineage

        with failing_for_good(), self.hook as hook:
            plan = self._plan(context)
            client = hook.get_conn()
            store = CheckpointStore(plan.directory, context.get("task_state_store"), self.log)
            key = client.settings.credentials.derive("checkpoint", 32)
            self._run = Run(
                plan,
                client,
                key,
                store,
                self.log,
                changes=self._changes(plan, context, client.settings.candid_api) if plan.feed else None,
                detailing=functools.partial(self._detailing, hook),
            )
            manifest = self._run.execute()
            source = at_candid(client.settings.candid_api, plan.name)
            note_lineage(hook, source=source, target=str(plan.directory))
        return {
            "resource": manifest.resource,
            "path": str(plan.directory),
            "manifest": plan.directory.url("manifest.json"),
            "parts": len(manifest.parts),
            **{name: getattr(manifest, name) for name in ("rows", "bytes", "pages", "deactivated", "failures")},
        }

    def on_kill(self) -> None:
        """Save where the extraction stands; called from a signal handler."""
        if self._run:
            self._run.stop()

    def _plan(self, context: Context) -> Plan:
        from candid_provider.transfers.extraction.plan import plan
        from candid_provider.transfers.output.owner import owner_of

        return plan(
            resource=self.resource,
            path=self.path,
            query=self.query.value,
            path_params=self.path_params.value,
            json=self.json.value,
            format=self.format,
            compression=self.compression,
            part_rows=self.part_rows,
            part_bytes=self.part_bytes,
            detail=self.detail,
            parallel_windows=self.parallel_windows,
            incremental=self.incremental,
            owner=owner_of(self, context),
        )

    def _changes(self, plan: Plan, context: Context, api_url: str) -> Changes:
        from candid_provider.transfers.extraction.run import Changes
        from candid_provider.transfers.watermark import interval_of, subject_of, watermark_for

        assert plan.feed
        subject = subject_of(plan.name, plan.feed, plan.call, api_url)
        return Changes(plan.feed, watermark_for(context, subject, place=self.watermark), interval_of(context))

    def _detailing(self, hook: CandidHook, route: str) -> Detailer:
        from candid_provider.transfers.extraction.details import Details

        return Details(hook, route)
