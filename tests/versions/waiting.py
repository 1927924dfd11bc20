"""Waits for the end of an encounter's claims in the triggerer, as soon as there is a scheduler."""

import os

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.sensors.candid import CandidEncounterSensor


@dag(schedule="@once", start_date=pendulum.datetime(2026, 1, 1), is_paused_upon_creation=False)
def candid_waiting() -> None:
    CandidEncounterSensor(
        task_id="ended",
        encounter_id=os.environ.get("CANDID_ENCOUNTER", "none"),
        succeeded=["paid", "finalized_paid", "finalized_denied", "not_billable"],
        failed=[],
        poke_interval=1,
        timeout=60 * 24 * 3600,
        deferrable=True,
        candid_conn_id="candid_variable",
    )


candid_waiting()
