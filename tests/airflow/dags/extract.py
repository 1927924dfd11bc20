"""Extracts that are killed and retried."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    default_args={"retries": 1, "retry_delay": pendulum.duration(seconds=1)},
)
def candid_killed_extract() -> None:
    CandidToObjectStorageOperator(
        task_id="extract",
        resource="encounters",
        query={"limit": 10},
        path="{{ dag_run.conf['path'] }}",
        part_rows=100,
    )


candid_killed_extract()
