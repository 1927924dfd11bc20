"""Sensors in each mode, mapped, with templated ids."""

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.sensors.candid import CandidEncounterSensor, CandidEventSensor, CandidSensor, CandidTaskSensor

COMMON: dict[str, Any] = {"poke_interval": 1, "timeout": 120, "not_yet": [404]}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), render_template_as_native_obj=True)
def candid_waits() -> None:
    for mode in ("poke", "reschedule", "deferrable"):
        how: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
        if mode == "reschedule":
            # Airflow fails a task that is queued again before it has noticed the end of its last process.
            how["poke_interval"] = 10
        CandidTaskSensor(task_id=f"task_{mode}", candid_task_id="{{ dag_run.conf['task'] }}", **{**COMMON, **how})
    CandidEncounterSensor.partial(
        task_id="mapped", deferrable=True, succeeded=["paid", "finalized_paid"], failed=[], needs_person=[], **COMMON
    ).expand(encounter_id=["{{ dag_run.conf['encounters'][0] }}", "{{ dag_run.conf['encounters'][1] }}"])
    CandidEventSensor(
        task_id="events",
        event_types=["CandidApi.Encounter.StatusUpdated"],
        created_after="{{ dag_run.conf['since'] }}",
        deferrable=True,
        **COMMON,
    )
    CandidSensor(
        task_id="soft",
        path="/api/encounters/v4/{encounter_id}",
        path_params={"encounter_id": "{{ dag_run.conf['lost'] }}"},
        status_path="claims.*.status",
        succeeded=["paid"],
        failed=["finalized_denied"],
        soft_fail=True,
        deferrable=True,
        **COMMON,
    )


candid_waits()
