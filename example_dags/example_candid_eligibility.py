"""Every evening: is everybody who comes tomorrow insured?

The appointments of tomorrow are written to a file, with each patient's first coverage; of these a second task makes
a request for each, and all are checked as one batch. The batch is submitted once, whatever is killed, and waited for
without a worker: payers take minutes, and those that do not answer eight hours. Results lie in the order of the
requests, whose identifiers are the appointments' ids; what was found is counted.

Needs a connection ``candid_default`` of type ``candid``. ``CANDID_OUTPUT`` says where files go: a directory that all
workers share, or any object storage, such as ``s3://bucket/candid``. ``CANDID_NPI`` is who asks, and
``CANDID_POLL_INTERVAL`` how many seconds lie between two questions for the results.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import ObjectStoragePath, dag, task

from candid_provider.operators.eligibility import CandidEligibilityBatchOperator
from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")
NPI = os.environ.get("CANDID_NPI", "1234567893")
POLL_INTERVAL = float(os.environ.get("CANDID_POLL_INTERVAL", 60))
FOLDER = f"{OUTPUT}/eligibility/{{{{ ds }}}}"
TOMORROW = (
    "appointment.startTimestamp|gt|{{ macros.ds_add(ds, 1) }}T00:00:00Z,"
    "appointment.startTimestamp|lt|{{ macros.ds_add(ds, 2) }}T00:00:00Z"
)


@dag(
    schedule="0 18 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_eligibility() -> None:
    appointments = CandidToObjectStorageOperator(
        task_id="appointments",
        resource="appointments_with_details",
        query={"filters": TOMORROW},
        path=f"{FOLDER}/appointments",
    )

    @task
    def requests(listing: dict[str, Any], path: str) -> str:
        """Make a request of each appointment whose patient has a coverage; only the path is returned."""
        import json

        folder = ObjectStoragePath(listing["path"])
        parts = [folder / part["name"] for part in json.loads((folder / "manifest.json").read_bytes())["parts"]]
        rows = [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]
        asked = [request_of(row) for row in rows if row["primary_coverage"]]
        ObjectStoragePath(path).write_text("".join(json.dumps(each) + "\n" for each in asked))
        return path

    # [START howto_check_eligibility]
    CandidEligibilityBatchOperator(
        task_id="eligibility",
        path=requests(appointments.output, f"{FOLDER}/requests.jsonl"),  # type: ignore[arg-type]  # a reference
        output_path=f"{FOLDER}/results.jsonl",
        missing="accept",
        poll_interval=POLL_INTERVAL,
        deferrable=True,
    )
    # [END howto_check_eligibility]


def request_of(row: dict[str, Any]) -> dict[str, Any]:
    """Ask for the patient's first coverage on the day of the appointment."""
    coverage, appointment = row["primary_coverage"], row["appointment"]
    plan, subscriber = coverage["insurance_plan"], coverage["subscriber"]
    return {
        "submitter_transaction_identifier": appointment["id"],
        "payer_id": plan["payer_id"],
        "provider": {"npi": NPI, "organization_name": "Example Clinic"},
        "subscriber": {
            "first_name": " ".join(subscriber["name"]["given"]),
            "last_name": subscriber["name"]["family"],
            "date_of_birth": subscriber.get("date_of_birth"),
            "member_id": plan["member_id"],
        },
        "encounter": {"date_of_service": appointment["start_timestamp"][:10]},
    }


example_candid_eligibility()
