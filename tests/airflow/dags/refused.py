"""Tasks whose connection is wrong; Airflow would retry them three times."""

import pendulum
from airflow.providers.common.compat.sdk import dag

from candid_provider.operators.candid import CandidOperator

RETRYING = {"retries": 3, "retry_delay": pendulum.duration(seconds=1)}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=RETRYING)
def candid_refused() -> None:
    CandidOperator(task_id="call", path="/api/payers/v4", candid_conn_id="candid_wrong_secret")


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=RETRYING)
def candid_misconfigured() -> None:
    CandidOperator(task_id="call", path="/api/payers/v4", candid_conn_id="candid_unset")


candid_refused()
candid_misconfigured()
