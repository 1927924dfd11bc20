"""Whose an output is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from candid_provider.exceptions import CandidConfigError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


class Owner(msgspec.Struct, frozen=True):
    """Name the task instance that writes an output."""

    dag_id: str
    task_id: str
    run_id: str = ""
    map_index: int = -1

    @property
    def digest(self) -> str:
        """Name the task instance, as all its tries do, in 16 hex digits."""
        told = "\n".join((self.dag_id, self.task_id, self.run_id, str(self.map_index)))
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    def check(self, earlier: Owner, field: str) -> None:
        """See that an earlier output may be replaced: it is the same task's, and not of this very run.

        :param earlier: who wrote it.
        :param field: the argument that leads there.
        :raises CandidConfigError: it may not; names the field.
        """
        if (earlier.dag_id, earlier.task_id) != (self.dag_id, self.task_id):
            raise CandidConfigError(
                f"{field} holds the output of another task ({earlier.dag_id}.{earlier.task_id})."
                " Give this one a directory of its own, or remove what is there",
                field=field,
            )
        if self.run_id and earlier.run_id == self.run_id and earlier.map_index != self.map_index:
            raise CandidConfigError(
                f"{field} is the same for two mapped tasks of one run. Make it depend on what the task is mapped"
                " over, or let it end in {{ ti.map_index }}",
                field=field,
            )


def owner_of(operator: BaseOperator, context: Context) -> Owner:
    """Name a running task."""
    instance: Any = context.get("ti")
    index = getattr(instance, "map_index", None)
    run_id = str(getattr(instance, "run_id", None) or context.get("run_id") or "")
    return Owner(operator.dag_id, operator.task_id, run_id, -1 if index is None else index)
