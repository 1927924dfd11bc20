"""A watermark that moves on by a day with each run: for ``dag.test()``."""

import pendulum
from airflow.providers.common.compat.sdk import Asset, dag, get_current_context, task


def move_on() -> None:
    from candid_provider.api.feeds import Mark
    from candid_provider.transfers.watermark import Subject, interval_of, watermark_for

    context = get_current_context()
    watermark = watermark_for(context, Subject("patients", "scan", "0000"))
    mark = watermark.load()
    at = pendulum.parse(mark.at) if mark else pendulum.datetime(2026, 1, 1)
    assert isinstance(at, pendulum.DateTime)
    watermark.save(Mark(at.add(days=1).isoformat()))
    print(
        f"task={context['ti'].task_id} found={mark and mark.at} interval={interval_of(context)} in={watermark.name}"
    )


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def candid_kept_watermark() -> None:
    task(task_id="without")(move_on)()
    task(task_id="with_outlet", outlets=[Asset("candid-patients")])(move_on)()


dag_object = candid_kept_watermark()

if __name__ == "__main__":
    dag_object.test()
    dag_object.test()
