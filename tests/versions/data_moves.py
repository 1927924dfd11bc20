"""An extract, an export and a load: for ``dag.test()``."""

import os

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator
from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator

FOLDER = os.environ["CANDID_FOLDER"]


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    default_args={"candid_conn_id": "candid_variable"},
    params={"days": "2026-03-06"},
)
def candid_data_moves() -> None:
    extract = CandidToObjectStorageOperator(
        task_id="extract",
        resource="encounters",
        query={"date_of_service_min": "{{ params.days }}", "date_of_service_max": "2026-03-15", "limit": 20},
        path=f"{FOLDER}/encounters",
        parallel_windows=2,
    )
    export = CandidExportToObjectStorageOperator(
        task_id="export",
        first_day="{{ params.days }}",
        last_day="2026-03-09",
        path=f"{FOLDER}/exports",
        count_rows=True,
    )
    load = ObjectStorageToCandidOperator(
        task_id="load",
        resource="encounters",
        path=f"{FOLDER}/outbox/*.jsonl",
        results_path=f"{FOLDER}/results",
    )
    extract >> export >> load


dag_object = candid_data_moves()

if __name__ == "__main__":
    dag_object.test()
