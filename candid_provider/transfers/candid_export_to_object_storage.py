"""Candid's exports, CSV files of claim versions, onto object storage."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from candid_provider.exceptions import CandidConfigError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.exports import Window
    from candid_provider.transfers.download.csv_columns import Columns
    from candid_provider.transfers.download.manifest import ExportPart
    from candid_provider.transfers.output.directory import Directory
    from candid_provider.transfers.progress import Progress

DAY = 86_400.0


class CandidExportToObjectStorageOperator(Connected):
    """Wait until Candid has exported some days of claim versions, and fetch the files.

    A file for a day is there after three business days at the latest; until then the task waits, without a worker
    if it is deferrable. More than 30 days come as several files. Each file is fetched from a signed URL, which
    lives two minutes and goes nowhere but into that request, without the bearer; a download that is cut off goes on
    where it was, also in a retry of the task on the same disk, where its bytes wait as ``.NAME.part`` (mode 0600)
    beside the file's place. Files appear whole, ``manifest.json`` last; a further run replaces what the earlier one
    wrote, and nothing else.

    Candid is retiring exports for Data Share and does not offer them to new customers (candidhealth 1.37.0).

    :param path: directory, or prefix on any object storage, for ``export_FIRST_LAST.csv`` and ``manifest.json``.
    :param first_day: Candid's ``start_date``, a date or an ISO 8601 text; in the past, at most about 90 days ago.
        (Airflow keeps ``start_date`` and ``end_date`` for itself: a DAG's ``default_args`` would be exported.)
    :param last_day: Candid's ``end_date``, inclusive.
    :param columns: which columns to write first and in which order: a list of names, or a mapping of the file's names
        to one's own. Columns that are not named follow, because Candid adds some without notice. None: the file's
        bytes stay as they are.
    :param count_rows: count the records, too; it takes some 0.7 ms for each MB. Otherwise ``rows`` is None.
    :param poll_interval: seconds before it is asked again whether a file is there; grows to the sixfold.
    :param timeout: seconds to wait for the files; counted anew in each try.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    :returns: ``{"resource", "path", "manifest", "parts", "rows", "bytes"}``: paths and counts.
    :raises AirflowFailException: a retry cannot help: wrong arguments, wrong credentials, an export that Candid
        refuses or has not made in time, a column that is not there.
    :raises CandidError: a retry may help.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "path", "first_day", "last_day", "columns")

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        first_day: str | datetime.date,
        last_day: str | datetime.date,
        columns: Columns | None = None,
        count_rows: bool = False,
        poll_interval: float = 300.0,
        timeout: float = 7 * DAY,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.first_day = first_day
        self.last_day = last_day
        self.columns = columns
        self.count_rows = count_rows
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.candid_conn_id = candid_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait for the files and fetch them."""
        self._check_waiting()
        return self._run(context, time.time() + self.timeout)

    def execute_complete(self, context: Context, event: Any, deadline: float) -> dict[str, Any]:
        """Go on after the triggerer has waited.

        :param event: what the trigger says; anything but a success fails.
        :param deadline: when to stop waiting, in seconds since 1970.
        """
        from candid_provider.api.waiting import require_success
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good():
            require_success(event)
        return self._run(context, deadline)

    def _run(self, context: Context, deadline: float) -> dict[str, Any]:
        from candid_provider.api.exports import windows
        from candid_provider.hooks.candid import failing_for_good
        from candid_provider.transfers.download.csv_columns import checked_columns
        from candid_provider.transfers.download.manifest import manifest_of
        from candid_provider.transfers.lineage import at_candid, note_lineage
        from candid_provider.transfers.output.directory import Directory
        from candid_provider.transfers.output.manifest import replaced_by, write
        from candid_provider.transfers.output.owner import owner_of

        with failing_for_good(), self.hook:
            days = windows(self.first_day, self.last_day, today=datetime.datetime.now(datetime.UTC).date())
            columns = checked_columns(self.columns)
            directory, owner = Directory(self.path), owner_of(self, context)
            directory.make()
            replaced = replaced_by(directory, owner)
            while pending := self._last_pending(days):
                self._wait(pending, deadline)
            manifest = manifest_of(days, self._fetch(days, directory, columns), owner)
            place = write(directory, manifest, replaced)
            source = at_candid(self.hook.get_conn().settings.candid_api, manifest.resource)
            note_lineage(self.hook, source=source, target=str(directory))
        return {
            "resource": manifest.resource,
            "path": str(directory),
            "manifest": place,
            "parts": len(manifest.parts),
            "rows": manifest.rows,
            "bytes": manifest.bytes,
        }

    def _check_waiting(self) -> None:
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good():
            for name in ("poll_interval", "timeout"):
                value = getattr(self, name)
                if not isinstance(value, int | float) or not 0 < value < float("inf"):
                    raise CandidConfigError(f"{name} is not a number of seconds above 0", field=name)

    def _last_pending(self, days: Sequence[Window]) -> Window | None:
        """Find the last window that is not there yet, None if all are. One that is refused raises."""
        from candid_provider.api.exports import READINESS
        from candid_provider.api.outcome import Outcome
        from candid_provider.exceptions import CandidError

        pending = None
        for window in days:
            try:
                self.hook.send(window.call)
            except CandidError as error:
                if READINESS.verdict(error).outcome is not Outcome.PENDING:
                    raise
                pending = window
        return pending

    def _wait(self, window: Window, deadline: float) -> None:
        """Wait for a window here, or leave this process to wait for it in the triggerer."""
        from candid_provider.api.exports import READINESS
        from candid_provider.api.outcome import Outcome
        from candid_provider.api.waiting import Pace, not_there, wait, waiting

        call = window.call
        if self.deferrable:
            self._defer(call.path, window.params, deadline)
        pace = Pace(interval=self.poll_interval, longest=6 * self.poll_interval)
        steps = waiting(call.route, READINESS, pace, deadline=deadline)
        ending = wait(steps, lambda: self.hook.send(call))
        if ending.outcome is Outcome.TIMEOUT:
            raise not_there(ending, call.route)
        if ending.error:
            raise ending.error

    def _defer(self, path: str, query: dict[str, str], deadline: float) -> None:
        from candid_provider.api.exports import READINESS
        from candid_provider.triggers.candid import CandidPollTrigger

        trigger = CandidPollTrigger(
            candid_conn_id=self.candid_conn_id,
            path=path,
            query=query,
            conditions=READINESS,
            poll_interval=self.poll_interval,
            longest_interval=6 * self.poll_interval,
            deadline=deadline,
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"deadline": deadline})

    def _fetch(self, days: Sequence[Window], directory: Directory, columns: dict[str, str]) -> list[ExportPart]:
        from candid_provider.api.storage_client import StorageClient
        from candid_provider.transfers.download import fetch
        from candid_provider.transfers.download.manifest import ExportPart
        from candid_provider.transfers.progress import Progress

        progress, parts, done = Progress(self.log), list[ExportPart](), 0
        with StorageClient(self.hook.get_conn().settings.timeout) as storage:
            for window in days:
                fetched = fetch(
                    storage,
                    partial(self._url, window),
                    directory.target / window.name,
                    columns=columns,
                    count=self.count_rows,
                    progress=partial(_tick, progress, done),
                )
                done += fetched.bytes
                parts.append(ExportPart.of(window, fetched))
        progress.done(nbytes=done)
        return parts

    def _url(self, window: Window) -> str:
        from candid_provider.api.exports import signed

        return signed(self.hook.send(window.call)).url


def _tick(progress: Progress, before: int, size: int) -> None:
    progress.tick(nbytes=before + size)
