"""Every hour: the patients that were created, changed or deactivated, as Parquet.

Each run reads from where the last one ended; the watermark is kept with the asset (Airflow 3.3) or in a Variable.
Runs that make up for the past (backfills, catch-up) read their own hour instead. A patient who has changed
comes again, with a higher ``version``: the newest one counts.

Needs a connection ``candid_default`` of type ``candid`` and the extra ``[parquet]``. ``CANDID_OUTPUT`` says where
files go: a directory that all workers share, or any object storage, such as ``s3://bucket/candid``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import Asset, dag

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")
PATIENTS = Asset("candid://default/patients")
DAY = "{{ (dag_run.logical_date or dag_run.run_after) | ds }}"
"""On Airflow 3 a run may have no logical date, and then no ``ds``."""


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_patients() -> None:
    # [START howto_extract_what_changed]
    CandidToObjectStorageOperator(
        task_id="patients",
        resource="patients",
        incremental=True,
        format="parquet",
        path=f"{OUTPUT}/patients/day={DAY}/run={{{{ run_id }}}}",
        outlets=[PATIENTS],
    )
    # [END howto_extract_what_changed]


example_candid_patients()
