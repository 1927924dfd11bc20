"""Submitting a job once: what is written down before and after, and what a later try makes of it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from candid_provider.api.jobs import Job
from candid_provider.api.posting import Fate, Posting
from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidError,
    CandidJobFailedError,
    CandidRequestError,
    CandidUnavailableError,
)
from candid_provider.operators.record import Handle, Record, RecordFile

if TYPE_CHECKING:
    from candid_provider.api.call import Call
    from candid_provider.hooks.candid import CandidHook
    from candid_provider.transfers.output.owner import Owner

PAUSES = (1.0, 3.0, 10.0)
"""Seconds after which a job is looked for whose answer was lost: Candid may still be at it."""
MARGIN = 60.0
"""Seconds by which clocks may differ, where Candid is asked for what was begun since a time."""


class Submission:
    """Submit a job once, however often it is tried.

    The intent is written down before anything is sent, and the id as soon as it is known. What lies between is
    found again: by its key, in Candid's listing, or in the notes of the process that sends it. Where none of
    these helps, a person has to decide.

    :param job: what is submitted.
    :param owner: for whom.
    :param file: where the record is.
    :param hook: the connection.
    :param timeout: seconds after which a job that another run has left unfinished no longer counts.
    :param resubmit: submit again where nobody knows.
    :param clock: seconds since 1970.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        job: Job,
        *,
        owner: Owner,
        file: RecordFile,
        hook: CandidHook,
        timeout: float,
        resubmit: bool = False,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._job, self._owner, self._file, self._hook = job, owner, file, hook
        self._timeout, self._resubmit, self._clock, self._sleep = timeout, resubmit, clock, sleep
        self._seen: Record | None = None

    def known(self) -> Record | None:
        """Give the record of this task instance, if there is one.

        :raises CandidConfigError: the output belongs to another task, or to a run whose job is not over.
        """
        record = self._seen = self._file.read()
        if record is None or record.owner == self._owner:
            return record
        self._owner.check(record.owner, "output_path")
        if record.state not in ("failed", "ended") and self._clock() < record.began + self._timeout:
            raise CandidConfigError(
                f"output_path: the job of another run ({record.owner.run_id}) is not over. Give each run a path of"
                f" its own, or let that run end, or remove {self._file.path}",
                field="output_path",
            )
        return None

    def handle(self) -> Handle:
        """Submit the job, or find out what became of it.

        :raises CandidJobFailedError: nobody knows whether it was submitted.
        :raises CandidError: it was not; or that cannot be found out now, and a later try will.
        """
        record = self.known()
        if record is None or record.state == "failed":
            return self._send(record)
        if record.digest != self._job.digest:
            return self._changed(record)
        return record.handle if record.job else self._found_out(record)

    def _changed(self, record: Record) -> Handle:
        if record.state == "ended":
            return self._send(record)
        raise CandidConfigError(
            f"{self._job.name} was submitted by an earlier try ({record.job or 'its id is not known'}), and what is"
            f" to be submitted has changed since. Give the same again, or remove {self._file.path}",
            field="output_path",
        )

    def _found_out(self, record: Record) -> Handle:
        """Find out what became of a submission that was begun."""
        if self._job.submit.retry:
            return self._send(record)
        if self._job.listing is not None:
            return self._listed(record) or self._send(record)
        fate = Posting(record.posting).fate() or Fate(sent=True)
        if fate.answer is not None:
            return self._accept(record, fate.answer)
        if not fate.sent or (fate.error and not _is_unknown(fate.error)):
            return self._send(record, may_have_arrived=record.since < record.began)
        if self._resubmit:
            return self._send(record, may_have_arrived=True)
        raise self._lost(record)

    def _send(self, before: Record | None = None, *, may_have_arrived: bool = False) -> Handle:
        """Send it.

        :param before: the record of the last time.
        :param may_have_arrived: an earlier one may be under way at Candid.
        """
        job, now = self._job, self._clock()
        since = before.since if before and may_have_arrived else now
        record = Record(owner=self._owner, digest=job.digest, began=now, since=since)
        if before:
            record.posting, record.after = before.posting, before.job or before.after
        call = job.anew(record.after) if record.after and job.anew else job.submit
        self._knock()
        if self._file.read() != self._seen:
            raise CandidUnavailableError(f"{job.submit.route}: another try is at it, and this one sends nothing")
        if not job.is_found_again:
            call = job.again(_time(since - MARGIN)) if may_have_arrived and job.again else call
            return self._concluded(record, self._posted(record, call))
        record.there = [] if job.listing is None else self._ids()
        self._file.write(record)
        try:
            fate = Fate(sent=True, answer=self._hook.send(call))
        except CandidError as error:
            fate = Fate(sent=True, error=error)
        return self._concluded(record, fate)

    def _knock(self) -> None:
        """See that Candid answers at all, before anything is sent that cannot be sent twice."""
        if self._job.probe is not None:
            try:
                self._hook.send(self._job.probe)
            except CandidRequestError as error:  # which is an answer
                if error.retryable:
                    raise

    def _posted(self, record: Record, call: Call) -> Fate:
        """Have it sent by a process that survives this one, a second time if Candid refuses the token."""
        bearer = self._hook.get_token()
        for last in (False, True):
            posting, before = Posting.new(), record.posting
            try:
                record.posting = posting.name
                self._file.write(record)
                Posting(before).forget()
                fate = posting.send(self._hook.get_conn().settings, bearer, call)
            finally:
                posting.close()
            if last or not isinstance(fate.error, CandidAuthError):
                break
            bearer = self._hook.get_token(refused=bearer)
        return fate

    def _concluded(self, record: Record, fate: Fate) -> Handle:
        """Make something of an answer, or of what came in its place."""
        if fate.answer is not None:
            return self._accept(record, fate.answer)
        error = fate.error or CandidUnavailableError(
            f"{self._job.submit.route}: no answer", outcome_unknown=fate.sent
        )
        if not _is_unknown(error):
            self._never_was(record)
            raise error
        if self._job.listing is not None:
            for pause in PAUSES:
                self._sleep(pause)
                if found := self._listed(record):
                    return found
        elif not self._job.submit.retry and not self._resubmit:
            raise self._lost(record)
        raise error

    def _accept(self, record: Record, answer: Any) -> Handle:
        """Write down the id at once."""
        record.job, record.state = self._job.id_of(answer), "submitted"
        self._file.write(record)
        Posting(record.posting).forget()
        return record.handle

    def _never_was(self, record: Record) -> None:
        if record.since < record.began:
            self._file.write(msgspec.structs.replace(record, began=record.since, state="lost"))
        else:
            self._file.remove()
        Posting(record.posting).forget()

    def _listed(self, record: Record) -> Handle | None:
        new = [found for found in self._ids() if found not in record.there]
        return self._accept(record, {self._job.id_key: new[0]}) if new else None

    def _ids(self) -> list[str]:
        assert self._job.listing is not None
        return self._job.ids_in(self._hook.send(self._job.listing))

    def _lost(self, record: Record) -> CandidJobFailedError:
        self._file.write(msgspec.structs.replace(record, state="lost", posting=""))
        Posting(record.posting).forget()
        at = _time(record.began).isoformat(timespec="seconds")
        return CandidJobFailedError(
            f"{self._job.submit.route}: {self._job.name} was sent at {at}, and its answer was lost: it may be under"
            " way at Candid, and cannot be looked up there. Ask Candid; then write its id and the state 'submitted'"
            f" into {self._file.path}, or remove that file to submit anew, and clear the task."
            " resubmit_when_unknown=True does so by itself"
        )


def _is_unknown(error: CandidError) -> bool:
    return bool(getattr(error, "outcome_unknown", False))


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
