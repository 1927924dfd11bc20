"""Waits that run in the triggerer from their start to their end, and a probe of it."""

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import BaseOperator, dag
from airflow.triggers.base import StartTriggerArgs


class Follow(BaseOperator):
    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="tests.cluster.waits.Following", trigger_kwargs={}, next_method="execute"
    )

    def __init__(self, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number


class Measure(BaseOperator):
    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="tests.cluster.waits.Probe", trigger_kwargs={}, next_method="execute"
    )


def waits(size: int) -> None:
    @dag(dag_id=f"waits_{size}", schedule=None, start_date=pendulum.datetime(2026, 1, 1), max_active_tasks=size)
    def run() -> None:
        Follow.partial(task_id="follow").expand(number=list(range(size)))

    run()


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def probe() -> None:
    Measure(task_id="measure")


for size in (200, 1000, 2000):
    waits(size)
probe()
