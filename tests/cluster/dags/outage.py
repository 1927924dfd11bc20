"""Tasks that need Candid while the API server does not answer."""

import time
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag, task

KINDS = ("warm", "connected", "new")


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), max_active_tasks=100)
def outage() -> None:
    @task
    def call(kind: str, number: int, params: dict[str, Any]) -> None:
        """Come as far as this kind does, wait for the outage, and go on in it."""
        from candid_provider.hooks.candid import CandidHook

        folder, hook = Path(params["folder"]), CandidHook(params["conn_id"])
        if kind == "connected":
            hook.get_conn()
        elif kind == "warm":
            hook.request("GET", "/api/payers/v4", params={"limit": 1})
        (folder / f"{kind}_{number}").touch()
        while not (folder / "stopped").exists():
            time.sleep(0.1)
        for _ in range(5):
            with hook:
                hook.request("GET", "/api/payers/v4", params={"limit": 1})
            time.sleep(1)

    # Airflow itself fails a task whose worker cannot report its start.
    @task(retries=3, retry_delay=pendulum.duration(seconds=1))
    def start_late(number: int, params: dict[str, Any]) -> None:
        """Begin a process in the outage."""
        from candid_provider.hooks.candid import CandidHook

        with CandidHook(params["conn_id"]) as hook:
            hook.request("GET", "/api/payers/v4", params={"limit": 1})

    for kind in KINDS:
        call.override(task_id=kind).partial(kind=kind).expand(number=list(range(4)))
    start_late.expand(number=list(range(20)))


outage()
