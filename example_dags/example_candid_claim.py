"""Follow encounters to their claims' end: a branch each for what is paid and for what a person has to look at.

Claims take weeks. The sensors wait in the triggerer, without a worker; all of them share one client, one token and
one list of changes. A claim's status can go backwards: which statuses end the wait, and how, is up to you.

Start it with the ids of encounters, as ``{"encounter_ids": ["..."]}``. Needs a connection ``candid_default`` of type
``candid``. ``CANDID_POLL_INTERVAL`` says how many seconds lie between two questions.
"""

from __future__ import annotations

import os
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from candid_provider.sensors.candid import CandidEncounterSensor

POLL_INTERVAL = float(os.environ.get("CANDID_POLL_INTERVAL", 600))


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={"encounter_ids": []},
    render_template_as_native_obj=True,
    tags=["candid"],
)
def example_candid_claim() -> None:
    @task
    def encounters(ids: Any) -> list[str]:
        return [str(each) for each in ids]

    # [START howto_wait_for_claims]
    ended = CandidEncounterSensor.partial(
        task_id="ended",
        succeeded=["paid", "finalized_paid", "finalized_denied", "not_billable"],
        failed=[],
        poke_interval=POLL_INTERVAL,
        timeout=60 * 24 * 3600,
        deferrable=True,
    ).expand(encounter_id=encounters("{{ params.encounter_ids }}"))
    # [END howto_wait_for_claims]

    @task.branch
    def who_goes_on(results: Any) -> str:
        """Leave it to a person as soon as one claim needs that."""
        return "ask_a_person" if any(each["outcome"] == "needs_person" for each in results) else "settle"

    @task
    def settle(results: Any) -> int:
        return len(results)

    @task
    def ask_a_person(results: Any) -> list[dict[str, int]]:
        return [each["statuses"] for each in results if each["outcome"] == "needs_person"]

    who_goes_on(ended.output) >> [settle(ended.output), ask_a_person(ended.output)]


example_candid_claim()
