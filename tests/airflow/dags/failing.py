"""Tasks that fail, with three retries five minutes apart; what Candid answers is for the test to say."""

from functools import cached_property

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from candid_provider.hooks.candid import CandidHook
from candid_provider.operators.candid import CandidOperator
from candid_provider.policies.retry import candid_retry_policy, failing_for_good

RETRYING = {"retries": 3, "retry_delay": pendulum.duration(minutes=5)}


class CallOnce(CandidOperator):
    """Leave it to Airflow to try again."""

    @cached_property
    def hook(self) -> CandidHook:
        return CandidHook(self.candid_conn_id, retry_deadline=0.0)


def ask() -> None:
    with CandidHook("candid_refused") as hook:
        hook.request("GET", "/api/payers/v4", params={"name": "Jane"})


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), default_args=RETRYING)
def candid_failing() -> None:
    CallOnce(task_id="refused", path="/api/payers/v4", candid_conn_id="candid_refused")
    CallOnce(task_id="limited", path="/api/payers/v4", query={"search_term": "Jane"})
    CallOnce(task_id="unavailable", path="/api/contracts/v3", max_retry_delay=pendulum.duration(seconds=2))
    CallOnce(task_id="unprocessable", path="/api/encounters/v4", query={"limit": "Jane"})
    CallOnce(task_id="perhaps_written", path="/patients/v1", method="POST", json={"name": "Jane"})
    CallOnce.partial(task_id="mapped", candid_conn_id="candid_default").expand(path=["/api/tasks/v3"])
    task(task_id="refused_by_policy", retry_policy=candid_retry_policy())(ask)()
    task(task_id="refused_for_good")(failing_for_good()(ask))()


candid_failing()
