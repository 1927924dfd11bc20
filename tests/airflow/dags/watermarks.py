"""Watermarks and intervals as tasks see them, with each place that a mark can be kept in."""

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import Asset, dag, get_current_context, task
from airflow.timetables.interval import CronDataIntervalTimetable

DAILY = CronDataIntervalTimetable("0 0 * * *", timezone="UTC")


def move_on() -> dict[str, str | None]:
    """Do what an incremental extract does with its watermark."""
    from candid_provider.api.feeds import Mark
    from candid_provider.transfers.watermark import Subject, watermark_for

    watermark = watermark_for(get_current_context(), Subject("patients", "scan", "0000"))
    mark = watermark.load()
    at = pendulum.parse(mark.at) if mark else pendulum.datetime(2026, 1, 1)
    assert isinstance(at, pendulum.DateTime)
    watermark.save(Mark(at.add(days=1).isoformat(), ("digest",)))
    return {"name": watermark.name, "found": mark.at if mark else None}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_watermarks() -> None:
    task(move_on, task_id="in_a_variable")()
    task(move_on, task_id="in_an_assets_state", outlets=[Asset("candid_patients")])()
    task(task_id="one_for_each")(lambda number: move_on()).expand(number=[1, 2])


def interval() -> list[str] | None:
    from candid_provider.transfers.watermark import interval_of

    span = interval_of(get_current_context())
    return span and [each.isoformat() for each in span]


@dag(schedule=DAILY, start_date=pendulum.datetime(2026, 1, 1), catchup=False)
def candid_backfilled() -> None:
    task(interval)()


def what_is_known_of_the_run() -> dict[str, Any]:
    context = get_current_context()
    run_type = getattr(context["dag_run"].run_type, "value", None)
    return {"run_type": run_type, "catchup": context["dag"].catchup, "interval": interval()}


@dag(schedule=DAILY, start_date=pendulum.datetime(2026, 1, 1), catchup=True)
def candid_catching_up() -> None:
    task(what_is_known_of_the_run)()


candid_watermarks()
candid_backfilled()
candid_catching_up()
