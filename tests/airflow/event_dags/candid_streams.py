"""DAGs that start on events; the second has a past to catch up with."""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from candid_provider.assets.candid import candid_event_asset, candid_events

CREATED = "CandidApi.OrganizationProvider.Created"
POLL_INTERVAL = float(os.environ.get("POLL_INTERVAL", "60"))


@dag(schedule=[candid_event_asset(CREATED, name="created", poll_interval=POLL_INTERVAL)], catchup=False)
def candid_created() -> None:
    @task
    def heard(triggering_asset_events: Any = None) -> list[str]:
        return [event.id for event in candid_events(triggering_asset_events)]

    heard()


@dag(
    schedule=[
        candid_event_asset(name="everything", poll_interval=POLL_INTERVAL, start=os.environ.get("STREAM_START"))
    ],
    catchup=False,
)
def candid_everything() -> None:
    @task
    def heard(triggering_asset_events: Any = None) -> int:
        return len(candid_events(triggering_asset_events))

    heard()


candid_created()
candid_everything()
