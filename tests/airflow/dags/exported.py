"""An export that is not there yet: waited for in the triggerer, fetched by a worker."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_exported() -> None:
    CandidExportToObjectStorageOperator(
        task_id="export",
        path="{{ dag_run.conf['path'] }}",
        first_day="{{ dag_run.conf['first_day'] }}",
        last_day="{{ dag_run.conf['last_day'] }}",
        poll_interval=0.2,
        deferrable=True,
    )


candid_exported()
