"""Whenever Candid updates an encounter's status: look at the encounters whose status it is.

A watcher in the triggerer asks Candid for events, so that nothing runs until there is one. Airflow is told which
events there were, and the task asks Candid what they tell of; Candid does not document in which field. What comes out
is how many claims have which status: records would belong in a file.

Needs Airflow 3 and a connection ``candid_default`` of type ``candid``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from candid_provider.assets.candid import candid_event_asset, candid_events

# [START howto_start_on_events]
STATUS_UPDATED = candid_event_asset("CandidApi.Encounter.StatusUpdated")


@dag(schedule=[STATUS_UPDATED], catchup=False, max_active_runs=1, tags=["candid"])
def example_candid_events() -> None:
    @task(retries=3)
    def statuses(triggering_asset_events: Any = None) -> dict[str, int]:
        """Count the claims of the encounters that have changed, by their status now."""
        from candid_provider.hooks.candid import CandidHook

        with CandidHook() as candid:
            events = [
                candid.request("GET", f"/api/events/v1/{event.id}")
                for event in candid_events(triggering_asset_events)
            ]
            encounters = {event["payload"]["encounter_id"] for event in events}
            found = [candid.request("GET", f"/api/encounters/v4/{encounter}") for encounter in sorted(encounters)]
        return Counter(claim["status"] for encounter in found for claim in encounter["claims"])

    # [END howto_start_on_events]

    statuses()


example_candid_events()
