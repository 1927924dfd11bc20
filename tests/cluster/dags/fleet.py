"""Fleets of tasks that need the token at the same moment."""

from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag, task


def meet(folder: Path, number: int, together: int) -> None:
    """Wait until so many processes have come here, so that they go on at once."""
    import time

    (folder / str(number)).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < together and time.monotonic() < deadline:
        time.sleep(0.01)


def fleet(size: int) -> None:
    @dag(dag_id=f"fleet_of_{size}", schedule=None, start_date=pendulum.datetime(2026, 1, 1), max_active_tasks=100)
    def run() -> None:
        @task
        def call(number: int, params: dict[str, Any]) -> str:
            import os

            from candid_provider.hooks.candid import CandidHook

            meet(Path(params["folder"]), number, params["together"])
            with CandidHook(params["conn_id"]) as hook:
                hook.request("GET", "/api/payers/v4", params={"limit": 1})
            return str(os.getpid())

        call.expand(number=list(range(size)))

    run()


for size in (64, 100):
    fleet(size)
