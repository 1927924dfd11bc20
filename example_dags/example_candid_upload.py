"""Every night: the day's encounters to Candid, each once, and the lines that it would not take to a person.

A clearing system leaves a file of JSON lines, one encounter each, with an ``external_id`` of its own. Running
twice, a crash or an answer that got lost creates no encounter twice. What Candid refuses lies in
``dead-letters.jsonl``, byte for byte, to be corrected and sent again; ``results.jsonl`` says why.

Needs a connection ``candid_default`` of type ``candid``. ``CANDID_INPUT`` and ``CANDID_OUTPUT`` say where files
come from and go to: directories that all workers share, or any object storage, such as ``s3://bucket/candid``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from candid_provider.transfers.object_storage_to_candid import ObjectStorageToCandidOperator

INPUT = os.environ.get("CANDID_INPUT") or str(Path.home() / "candid" / "outbox")
OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")


@dag(
    schedule="0 22 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_upload() -> None:
    # [START howto_load_each_once]
    encounters = ObjectStorageToCandidOperator(
        task_id="encounters",
        resource="encounters",
        path=f"{INPUT}/encounters-{{{{ ds }}}}.jsonl",
        results_path=f"{OUTPUT}/uploads/{{{{ ds }}}}",
        max_error_rate=0.2,
    )
    # [END howto_load_each_once]

    @task.branch
    def look_at(load: dict[str, Any]) -> str:
        """Decide whether a person is needed."""
        done = load["outcomes"].get("created", 0) + load["outcomes"].get("existing", 0)
        return "all_loaded" if done == load["lines"] else "to_a_person"

    @task
    def all_loaded() -> None:
        """Go on with the night's work."""

    @task
    def to_a_person(load: dict[str, Any]) -> str:
        """Say where the lines are that need one; here a ticket would be opened."""
        return str(load["dead_letters"])

    # Type checkers see an output for what it is until the run: a reference.
    decision = look_at(encounters.output)  # type: ignore[arg-type]
    decision >> [all_loaded(), to_a_person(encounters.output)]  # type: ignore[arg-type]


example_candid_upload()
