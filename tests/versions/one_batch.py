"""An eligibility batch, whose process the test kills: for ``airflow dags test``."""

from __future__ import annotations

import os

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.operators.eligibility import CandidEligibilityBatchOperator


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_one_batch() -> None:
    folder = os.environ.get("CANDID_FOLDER", "/nowhere")
    CandidEligibilityBatchOperator(
        task_id="check",
        path=f"{folder}/in.jsonl",
        output_path=f"{folder}/out.jsonl",
        candid_conn_id="candid_variable",
        poll_interval=0.2,
        deferrable=False,
    )


candid_one_batch()
