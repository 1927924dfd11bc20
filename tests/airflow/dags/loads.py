"""A load, whose process the test kills."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    params={"folder": "/nowhere"},
)
def candid_load() -> None:
    ObjectStorageToCandidOperator(
        task_id="load",
        path="{{ params.folder }}/encounters.jsonl",
        results_path="{{ params.folder }}/results",
        resource="encounters",
        concurrency=4,
        max_errors=2,
        retries=1,
        retry_delay=pendulum.duration(seconds=0),
    )


candid_load()
