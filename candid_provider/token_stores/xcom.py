"""A store that shares the token within one DAG run: XCom."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import XCom, get_current_context

from candid_provider.oauth.store import StoreUnavailable
from candid_provider.token_stores.failure import name_of_failure


class XComTokenStore:
    """Share the token through XComs of one DAG run; the next run mints its own.

    XCom is plain text to whoever may read the DAG, and never masked; what is stored is sealed, so that does
    no harm. The registers lie under the run's first unmapped task: a task's own XComs are deleted when it
    starts again (Airflow 3.3, ``execution_api/routes/task_instances.py``), which costs a new token, and the
    instance of a mapped task may not exist. Works in tasks only, not in triggers.
    """

    settle = 1.0

    def load(self, register: str) -> str | None:
        """Read an XCom of this run.

        :raises StoreUnavailable: Airflow could not be asked, or this is not a task.
        """
        try:
            value = XCom.get_one(key=register, **_place())
        except BaseException as error:
            problem = name_of_failure(error)
        else:
            return value if isinstance(value, str) else None
        raise StoreUnavailable(f"the XCom {register} could not be read ({problem})")

    def save(self, register: str, value: str) -> None:
        """Write an XCom of this run.

        :raises StoreUnavailable: Airflow could not be asked, or this is not a task.
        """
        try:
            XCom.set(key=register, value=value, **_place())
            return
        except BaseException as error:
            # Of several that write one XCom at a time, Airflow 3 refuses some with a 409: another one's value
            # stands then, which the reader of a register has to reckon with anyway.
            if _is_conflict(error):
                return
            problem = name_of_failure(error)
        raise StoreUnavailable(f"the XCom {register} could not be written ({problem})")


def _place() -> dict[str, Any]:
    """Say where the run's registers are."""
    context = get_current_context()
    tasks, run = context["dag"].task_dict, context["dag_run"]
    unmapped = [name for name in sorted(tasks) if not _is_mapped(tasks[name])]
    roots = [name for name in unmapped if not tasks[name].upstream_task_ids]
    place = {"dag_id": run.dag_id, "run_id": run.run_id}
    if unmapped:
        return {**place, "task_id": (roots or unmapped)[0], "map_index": -1}
    return {**place, "task_id": context["task"].task_id, "map_index": 0}


def _is_conflict(error: BaseException) -> bool:
    # AirflowRuntimeError carries the API server's answer (Airflow 3.3, ``execution_time/supervisor.py``).
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") == 409


def _is_mapped(task: Any) -> bool:
    # MappedOperator alone has partial_kwargs, on 2.11 as on 3.x, where is_mapped came. A task in a mapped group
    # has instances with a map index, too.
    return hasattr(task, "partial_kwargs") or next(iter(task.iter_mapped_task_groups()), None) is not None
