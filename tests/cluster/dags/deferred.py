"""Tasks that run in the triggerer from their start, without a worker."""

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import BaseOperator, dag, task
from airflow.triggers.base import StartTriggerArgs


class Asking(BaseOperator):
    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="tests.cluster.triggers.AskingTrigger",
        trigger_kwargs={"conn_id": "deferred"},
        next_method="execute",
    )

    def __init__(self, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number


class Showing(BaseOperator):
    """Defer from a worker, whose trigger's and own arguments Airflow 3 stores in clear."""

    def execute(self, context: Any) -> None:
        from tests.cluster.triggers import ShowingTrigger

        planted = "planted-in-the-arguments"
        self.defer(trigger=ShowingTrigger("shown", planted), method_name="resume", kwargs={"planted": planted})

    def resume(self, context: Any, event: Any, planted: str) -> None:
        assert event == "done"


def deferred(size: int) -> None:
    @dag(dag_id=f"deferred_{size}", schedule=None, start_date=pendulum.datetime(2026, 1, 1), max_active_tasks=size)
    def run() -> None:
        Asking.partial(task_id="ask").expand(number=list(range(size)))

    run()


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def shown() -> None:
    @task
    def mint() -> None:
        from candid_provider.hooks.candid import CandidHook
        from tests.cluster.triggers import show

        show("mint", CandidHook("shown").get_token())

    @task
    def load() -> str:
        from candid_provider.hooks.candid import CandidHook
        from tests.cluster.triggers import show

        show("load", CandidHook("shown").get_token())
        print("planted-in-a-log")
        return "planted-in-an-xcom"

    mint() >> load() >> Showing(task_id="trigger")


for size in (200, 500):
    deferred(size)
shown()
