"""Candid's listings into files on object storage."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.private import Private, RendersPrivately, names
from candid_provider.transfers.whole_file import whole_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.call import Call, Page
    from candid_provider.hooks.candid import CandidHook

PROGRESS_EVERY = 5.0
"""Seconds between two progress lines in the task log."""


class CandidToObjectStorageOperator(RendersPrivately):
    """Extract a listing to a file of one JSON record a line, page by page, in constant memory.

    The file appears when it is complete and replaces what was there; a failed task leaves nothing.

    :param resource: name of a resource (``candid_provider.api.resources``), or a call with a paging style.
    :param path: where to write: an absolute path or a URL of any object storage Airflow knows.
    :param query: query parameters over the resource's defaults; rendered, and kept out of the metadata
        database. (Airflow keeps ``params`` for itself.)
    :param format: ``jsonl``.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"resource", "path", "rows", "bytes", "pages", "sha256"}``; ``bytes`` and ``sha256`` are of the
        file.
    :raises AirflowFailException: a retry cannot help: wrong arguments, wrong credentials, a 4xx answer.
    :raises CandidError: a retry may help.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "resource", "path", "query")
    ui_color = "#e8f1ee"

    def __init__(
        self,
        *,
        resource: str | Call,
        path: str | ObjectStoragePath,
        query: Mapping[str, Any] | None = None,
        format: Literal["jsonl"] = "jsonl",
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.path = path
        self.query = Private(self, query, names)
        self.format = format
        self.candid_conn_id = candid_conn_id

    @cached_property
    def hook(self) -> CandidHook:
        """The hook this task calls Candid with."""
        # Here, because a DAG file is parsed often and executed elsewhere.
        from candid_provider.hooks.candid import CandidHook

        return CandidHook(self.candid_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Extract the listing."""
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(), self.hook as hook:
            if self.format != "jsonl":
                raise CandidConfigError("format is not known. Use 'jsonl'", field="format")
            pages = hook.pages(self.resource, params=self.query.value)
            with whole_file(self.path) as file:
                counts = self._write(pages, file)
        name = self.resource if isinstance(self.resource, str) else self.resource.route
        return {"resource": name, "path": str(self.path), **counts}

    def _write(self, pages: Iterable[Page], file: IO[bytes]) -> dict[str, Any]:
        digest, rows, nbytes, count = hashlib.sha256(), 0, 0, 0
        started = logged = time.monotonic()
        for count, page in enumerate(pages, 1):
            lines = b"".join(_line(row) for row in page.rows)
            file.write(lines)
            digest.update(lines)
            rows, nbytes = rows + len(page.rows), nbytes + len(lines)
            if (now := time.monotonic()) - logged >= PROGRESS_EVERY:
                self._log_progress("so far", count, rows, nbytes, now - started)
                logged = now
        self._log_progress("done", count, rows, nbytes, time.monotonic() - started)
        return {"rows": rows, "bytes": nbytes, "pages": count, "sha256": digest.hexdigest()}

    def _log_progress(self, state: str, count: int, rows: int, nbytes: int, seconds: float) -> None:
        rate = rows / seconds if seconds else 0.0
        self.log.info("%s: pages=%d rows=%d MB=%.1f rows/s=%.0f", state, count, rows, nbytes / 1_000_000, rate)


def _line(row: msgspec.Raw) -> bytes:
    text = bytes(row)
    # A line break can stand between a record's tokens, never inside them.
    return (text if b"\n" not in text else msgspec.json.format(text, indent=-1)) + b"\n"
