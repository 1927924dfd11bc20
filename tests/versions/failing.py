"""A wrong secret with three retries: for ``airflow dags test``."""

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from candid_provider.exceptions import CandidConfigError
from candid_provider.operators.candid import CandidOperator
from candid_provider.policies.retry import candid_retry_policy, failing_for_good

RETRYING = {"retries": 3, "retry_delay": pendulum.duration(seconds=1)}


@failing_for_good()
def ask() -> None:
    from candid_provider.hooks.candid import CandidHook

    with CandidHook("candid_wrong") as hook:
        hook.request("GET", "/api/payers/v4")


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=RETRYING)
def candid_failing() -> None:
    CandidOperator(task_id="call", path="/api/payers/v4", candid_conn_id="candid_wrong")
    CandidOperator.partial(task_id="mapped", candid_conn_id="candid_wrong").expand(path=["/api/payers/v4"])
    task(ask)()


candid_failing()

if __name__ == "__main__":
    try:
        print("policy", type(candid_retry_policy()).__name__)
    except CandidConfigError as error:
        print("none:", error)
