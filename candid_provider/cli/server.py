"""Connections and Variables outside a task: from the environment and the metadata database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from candid_provider.hooks.candid import CandidHook


class NoSuchConnection(Exception):
    """Say that there is no connection of a name, and how to make one."""


def server_hook(conn_id: str) -> CandidHook:
    """Make a hook that works on a command line, where Airflow 3 looks only at the environment otherwise.

    :raises NoSuchConnection: there is no connection with this id.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from candid_provider.hooks.candid import CandidHook

    try:
        CandidHook.get_connection(conn_id)
    except AirflowNotFoundException:
        pass
    else:
        return CandidHook(conn_id)
    raise NoSuchConnection(
        f"{conn_id}: there is no such connection; add it in Airflow, or set AIRFLOW_CONN_{conn_id.upper()}"
    )
