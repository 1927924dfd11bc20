"""Every morning: what patients owe, itemised by service line, for the claims whose balance has changed.

The inventory of patient AR names the claims whose balance moved since the last run; for each of them Candid is asked
for its itemisation, many at a time under the API's limit. Candid wants invoices to be made from these, not
from exports. A claim whose itemisation could not be had is listed beside the others, and counted.

Needs a connection ``candid_default`` of type ``candid``. ``CANDID_OUTPUT`` says where files go: a directory
that all workers share, or any object storage, such as ``s3://bucket/candid``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import Asset, dag, task

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")
BALANCES = Asset("candid://default/patient_ar_inventory")


@dag(
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_balances() -> None:
    # [START howto_extract_details]
    balances = CandidToObjectStorageOperator(
        task_id="balances",
        resource="patient_ar_inventory",
        incremental=True,
        detail="/api/patient-ar/v1/invoice-itemization/{claim_id}",
        path=f"{OUTPUT}/balances/{{{{ run_id }}}}",
        outlets=[BALANCES],
    )
    # [END howto_extract_details]

    @task
    def complete(extract: dict[str, Any]) -> int:
        """Refuse to invoice on half of the balances."""
        if extract["failures"]:
            raise ValueError(f"{extract['failures']} itemisations are missing; the manifest lists them")
        return int(extract["rows"])

    complete(balances.output)  # type: ignore[arg-type]  # until the run, an output is a reference


example_candid_balances()
