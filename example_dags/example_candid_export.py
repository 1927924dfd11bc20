"""Every night: the export of claim versions of the day that Candid has just finished, waited for without a worker.

Candid has a day's file ready after three business days at the latest. The task asks for the day six days ago, waits
in the triggerer should it not be there yet, and fetches it from a signed URL; a download that is cut off goes on where
it was. Columns are put into the order that a warehouse table has, by name, because Candid adds some without notice.

Needs a connection ``candid_default`` of type ``candid``, and an organisation that still has exports: Candid is
replacing them by Data Share. ``CANDID_OUTPUT`` says where files go: a directory that all workers share, or any object
storage, such as ``s3://bucket/candid``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.transfers.candid_export_to_object_storage import CandidExportToObjectStorageOperator

OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")
DAY = "{{ macros.ds_add(ds, -6) }}"


@dag(
    schedule="0 7 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_export() -> None:
    # [START howto_fetch_an_export]
    CandidExportToObjectStorageOperator(
        task_id="claims",
        first_day=DAY,
        last_day=DAY,
        path=f"{OUTPUT}/exports/{DAY}",
        columns=["claim_id", "encounter_id", "claim_status"],
        deferrable=True,
    )
    # [END howto_fetch_an_export]


example_candid_export()
