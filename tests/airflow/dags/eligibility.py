"""Eligibility batches, one for each file of a folder, while the test kills what runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag, get_current_context, task

from candid_provider.operators.eligibility import CandidEligibilityBatchOperator

PATIENCE: Any = {"retries": 30, "retry_delay": pendulum.duration(seconds=0)}


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    params={"folder": "/nowhere"},
    max_active_tasks=32,
    default_args=PATIENCE,
)
def candid_eligibility() -> None:
    @task
    def batches() -> list[dict[str, str]]:
        files = sorted(Path(get_current_context()["params"]["folder"]).glob("in-*.jsonl"))
        return [
            {"path": str(file), "output_path": str(file.with_name(f"out{file.stem[2:]}.jsonl"))} for file in files
        ]

    check = CandidEligibilityBatchOperator.partial(task_id="check", deferrable=True, poll_interval=2.0)
    check.expand_kwargs(batches())


candid_eligibility()
