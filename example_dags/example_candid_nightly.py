"""Every night: the last three weeks of encounters, one extract a day of service, and all patients.

Services are billed, corrected and paid for weeks after their day, and Candid cannot list encounters by their
last change, so each night re-reads a sliding window of days. A day's extract is replaced whole, so running
twice changes nothing. The last task checks the extracts against each other before anybody builds on them.

Needs a connection ``candid_default`` of type ``candid``. ``CANDID_OUTPUT`` says where files go: a directory
that all workers share, or any object storage, such as ``s3://bucket/candid``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import ObjectStoragePath, dag, get_current_context, task

from candid_provider.transfers.candid_to_object_storage import CandidToObjectStorageOperator

DAYS = 21
OUTPUT = os.environ.get("CANDID_OUTPUT") or str(Path.home() / "candid")


def one_day(day: str) -> dict[str, Any]:
    """Say what to ask for and where to put it, for one day of service."""
    return {
        "query": {"date_of_service_min": day, "date_of_service_max": day},
        "path": f"{OUTPUT}/encounters/{day}",
    }


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=5)},
    tags=["candid"],
)
def example_candid_nightly() -> None:
    @task
    def days_of_service() -> list[str]:
        """List the days to read: those that were over when the run's data interval ended."""
        end = get_current_context().get("data_interval_end") or pendulum.now("UTC")
        return [pendulum.instance(end).subtract(days=n).to_date_string() for n in range(DAYS, 0, -1)]

    # [START howto_extract_one_day_each]
    encounters = CandidToObjectStorageOperator.partial(
        task_id="encounters",
        resource="encounters",
        max_active_tis_per_dagrun=8,
    ).expand_kwargs(days_of_service().map(one_day))
    # [END howto_extract_one_day_each]

    patients = CandidToObjectStorageOperator(
        task_id="patients",
        resource="patients",
        path=f"{OUTPUT}/patients",
    )

    @task
    def summary(encounters: list[dict[str, Any]], patients: dict[str, Any]) -> dict[str, int]:
        """Check the extracts against their manifests and against each other; count, never show."""
        known, seen, days, rows, unknown = set[str](), set[str](), len(encounters), 0, 0
        for patient in records(patients):
            known.add(patient["id"])
        for extract in encounters:
            day = ObjectStoragePath(extract["path"]).name
            for encounter in records(extract):
                if encounter["date_of_service"] != day:
                    raise ValueError(f"an encounter of another day is in the extract of {day}")
                rows += 1
                seen.add(encounter["encounter_id"])
                unknown += encounter["patient"]["external_id"] not in known
        return {
            "days": days,
            "encounters": rows,
            "duplicates": rows - len(seen),
            "patients": len(known),
            "encounters_of_unknown_patients": unknown,
        }

    # Type checkers see an output for what it is until the run: a reference.
    summary(encounters.output, patients.output)  # type: ignore[arg-type]


def records(extract: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read an extract, whose parts must be the ones that its manifest names."""
    manifest = json.loads(ObjectStoragePath(extract["manifest"]).read_bytes())
    for part in manifest["parts"]:
        content = (ObjectStoragePath(extract["path"]) / part["name"]).read_bytes()
        lines = content.splitlines()
        if hashlib.sha256(content).hexdigest() != part["sha256"] or len(lines) != part["rows"]:
            raise ValueError(f"{part['name']} is not the part that was extracted")
        yield from map(json.loads, lines)


example_candid_nightly()
