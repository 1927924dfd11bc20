"""A wait without a worker, for a Candid that goes away and comes back."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.sensors.candid import CandidSensor


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_outage() -> None:
    CandidSensor(
        task_id="payers",
        path="/api/payers/v4",
        status_path="items",
        at_least=1,
        poke_interval=0.5,
        deferrable=True,
        candid_conn_id="candid_outage",
    )


candid_outage()
