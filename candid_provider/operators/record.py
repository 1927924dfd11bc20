"""What is written down of a job before it is sent and after, and survives whoever wrote it."""

from __future__ import annotations

import contextlib
from typing import Literal

import msgspec
from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.output.owner import Owner
from candid_provider.transfers.output.path import checked_path
from candid_provider.transfers.output.whole_file import whole_file


class Handle(msgspec.Struct, frozen=True):
    """Name a job that was submitted; what Airflow's state store keeps.

    :param job: its id at Candid.
    :param began: when it was submitted, in seconds since 1970.
    """

    job: str
    began: float


class Record(msgspec.Struct, kw_only=True):
    """Say how far a submission has come. It holds nothing of what was submitted.

    :param began: when it was last sent, in seconds since 1970.
    :param since: when it was first sent, if nobody knows what became of that; else as ``began``.
    :param state: ``sending`` from before it is sent, ``lost`` if nobody knows whether it arrived, ``submitted``,
        ``failed`` if it ended badly, ``ended`` once the results are written.
    :param posting: names the notes of whoever sends it.
    :param there: ids of jobs of its sort that were there before.
    :param after: id of the task's last job, which ended badly.
    """

    owner: Owner
    digest: str
    began: float
    since: float
    state: Literal["sending", "lost", "submitted", "failed", "ended"] = "sending"
    posting: str = ""
    job: str = ""
    after: str = ""
    there: list[str] = msgspec.field(default_factory=list)
    version: int = 1

    @property
    def handle(self) -> Handle:
        """The job's name."""
        return Handle(self.job, self.began)


class RecordFile:
    """Keep the record of a task in a file of mode 0600 beside its output.

    :param output: where the output goes.
    """

    def __init__(self, output: str | ObjectStoragePath) -> None:
        target = checked_path(output, "output_path")
        self.path = target.parent / f".{target.name}.candid-job.json"

    def read(self) -> Record | None:
        """Read it; None if there is none.

        :raises CandidConfigError: it cannot be read.
        """
        try:
            content: bytes = self.path.fs.cat_file(self.path.path)
            return msgspec.json.decode(content, type=Record)
        except FileNotFoundError:
            return None
        except UNREADABLE:
            pass
        raise CandidConfigError(f"output_path: {self.path} is no record of a job. Remove it", field="output_path")

    def write(self, record: Record) -> None:
        """Write it over the last one; it is there on return."""
        with whole_file(self.path, private=True, field="output_path") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record)) + b"\n")

    def mark(self, state: Literal["failed", "ended"]) -> None:
        """Note how the job ended, if its record is still there."""
        if record := self.read():
            self.write(msgspec.structs.replace(record, state=state))

    def remove(self) -> None:
        """Forget it."""
        with contextlib.suppress(FileNotFoundError):
            self.path.fs.rm_file(self.path.path)
