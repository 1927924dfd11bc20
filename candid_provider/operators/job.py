"""What operators share that submit work to Candid once, wait for it without a worker, and bring its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath, ResumableJobMixin, conf

from candid_provider.exceptions import CandidConfigError, CandidJobFailedError
from candid_provider.get_provider_info import DEFAULT_CONN_ID
from candid_provider.operators.connected import Connected
from candid_provider.operators.private import RendersPrivately

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.jobs import Job
    from candid_provider.api.waiting import Ending
    from candid_provider.operators.record import Handle, RecordFile
    from candid_provider.operators.submission import Submission


class JobOperator(ResumableJobMixin, RendersPrivately, Connected):
    """Submit a job, wait for it, and write its result to a file.

    It is submitted once for each task instance, whatever is killed. Its id lies in Airflow's task state store (3.3),
    and in a file of mode 0600 beside the output, ``.NAME.candid-job.json``, which also says that it is about to be
    sent. What is asked for may change only after the job has ended.

    :param output_path: file, on any object storage, for the result: one for each run and mapped task.
    :param poll_interval: seconds before it is asked for again; grows to the tenfold.
    :param timeout: seconds to wait, from the submission on.
    :param deferrable: wait in the triggerer.
    :param candid_conn_id: id of a connection of type ``candid``.
    """

    external_id_key = "candid_job"

    def __init__(
        self,
        *,
        output_path: str | ObjectStoragePath,
        poll_interval: float,
        timeout: float,
        deferrable: bool | None = None,
        candid_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.poll_interval = poll_interval
        self.timeout = timeout
        by_default = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = by_default if deferrable is None else deferrable
        self.candid_conn_id = candid_conn_id

    def execute(self, context: Context) -> Any:
        """Submit the job, or find the one that an earlier try has submitted, and wait."""
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(retry_finds_out=True), self.hook:
            self._prepare(context)
            return self.execute_resumable(context)

    def execute_complete(self, context: Context, event: Any, handle: dict[str, Any], **known: Any) -> Any:
        """Go on after the triggerer has waited.

        :param event: what the trigger says.
        :param handle: the job that was waited for.
        :param known: what the operator wants to know again.
        """
        from candid_provider.api.waiting import ending_of
        from candid_provider.hooks.candid import failing_for_good

        with failing_for_good(retry_finds_out=True), self.hook:
            self._prepare(context)
            return self.concluded(_handle(handle), ending_of(event), **known)

    # What follows is the contract of ResumableJobMixin.

    def submit_job(self, context: Context) -> Any:
        """Submit the job once, and give its name."""
        handle = self._submission(context).handle()
        self.log.info("%s: submitted, or found: %s", self._work.submit.route, handle.job)
        return msgspec.to_builtins(handle)

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """Say whether a job that Airflow remembers is the one to go on with."""
        record = self._submission(context).known()
        if record is None:
            return "submitted"
        same = (record.job, record.digest) == (_handle(external_id).job, self._work.digest)
        return "submitted" if same and record.state != "failed" else "another"

    def is_job_active(self, status: str) -> bool:
        """Go on with it."""
        return status == "submitted"

    def is_job_succeeded(self, status: str) -> bool:
        """Say no: that is found out while it is waited for."""
        return False

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        """Wait for the job; after a reconnection Airflow returns what this returns."""
        self._summary = self._wait(_handle(external_id))
        return self._summary

    def get_job_result(self, external_id: Any, context: Context) -> Any:
        """Give what the task returns."""
        return self._summary

    def job(self, context: Context) -> Job:
        """Say what is to be submitted."""
        raise NotImplementedError

    def concluded(self, handle: Handle, ending: Ending, **known: Any) -> Any:
        """Write the result and sum up.

        :param known: what was given to ``_waited``.
        :raises CandidJobFailedError: it ended badly or not in time.
        """
        from candid_provider.api.call import send_bytes
        from candid_provider.api.outcome import Outcome
        from candid_provider.api.waiting import not_there
        from candid_provider.transfers.output.whole_file import whole_file

        call = self._work.result(handle.job)
        if ending.outcome is Outcome.TIMEOUT or (ending.error and not ending.statuses):
            raise not_there(ending, call.route)
        content = send_bytes(self.hook.get_conn(), call)
        with whole_file(self.output_path, field="output_path") as file:
            file.write(content)
        verdict, answer = ending.outcome, msgspec.json.decode(content)
        if verdict is Outcome.FAILED or (isinstance(answer, dict) and answer.get("error")):
            self._record.mark("failed")
            raise CandidJobFailedError(
                f"{call.route}: {self._work.name} ended badly. What is known is in {self.output_path}"
            )
        self._record.mark("ended")
        status = next((status for status in ending.statuses if status.isalpha()), None)
        counted = {"status": status, "bytes": len(content), "path": str(self.output_path)}
        return {self._work.id_param: handle.job, **counted}

    def _prepare(self, context: Context) -> None:
        from candid_provider.operators.record import RecordFile

        for name in ("poll_interval", "timeout"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise CandidConfigError(f"{name} is not a number of seconds above 0", field=name)
        self._record: RecordFile = RecordFile(self.output_path)
        self._work: Job = self.job(context)

    def _submission(self, context: Context) -> Submission:
        from candid_provider.operators.submission import Submission
        from candid_provider.transfers.output.owner import owner_of

        return Submission(
            self._work,
            owner=owner_of(self, context),
            file=self._record,
            hook=self.hook,
            timeout=self.timeout,
            resubmit=getattr(self, "resubmit_when_unknown", False),
        )

    def _wait(self, handle: Handle) -> Any:
        return self.concluded(handle, self._waited(handle, self._work.conditions, handle.began + self.timeout))

    def _waited(self, handle: Handle, conditions: Any, deadline: float, **known: Any) -> Ending:
        """Wait here, or leave this process to wait in the triggerer.

        :param known: what ``execute_complete`` is told again.
        """
        from candid_provider.api.waiting import Pace, wait, waiting
        from candid_provider.triggers.candid import CandidPollTrigger

        call = self._work.result(handle.job)
        if self.deferrable:
            trigger = CandidPollTrigger(
                candid_conn_id=self.candid_conn_id,
                path=call.path,
                path_params=call.path_params,
                conditions=conditions,
                poll_interval=self.poll_interval,
                deadline=deadline,
            )
            self.defer(
                trigger=trigger,
                method_name="execute_complete",
                kwargs={"handle": msgspec.to_builtins(handle), **known},
            )
        pace = Pace(interval=self.poll_interval, longest=10 * self.poll_interval)
        return wait(waiting(call.route, conditions, pace, deadline=deadline), lambda: self.hook.send(call))


def _handle(given: Any) -> Handle:
    from candid_provider.operators.record import Handle

    return msgspec.convert(given, Handle)
