"""Stores events of a watcher in a metadata database as Airflow's triggerer does; prints what is there afterwards."""

from __future__ import annotations

import json
from typing import Any

from airflow.models.asset import AssetActive, AssetEvent, AssetModel, AssetWatcherModel  # noqa: TID251 - Airflow's rows
from airflow.models.asset_state_store import AssetStateStoreModel  # noqa: TID251 - as above
from airflow.models.trigger import Trigger  # noqa: TID251 - as above
from airflow.triggers.base import TriggerEvent
from airflow.utils.db import initdb  # noqa: TID251 - as above
from airflow.utils.session import create_session  # noqa: TID251 - as above
from sqlalchemy import select

from candid_provider.api.event_record import record_of, stream_of
from candid_provider.api.position import Event
from candid_provider.triggers.events import CandidEventTrigger

STREAM = stream_of("candid_default", [])


def event(number: int) -> dict[str, Any]:
    return record_of(
        Event(f"event-{number}", "CandidApi.Encounter.Created", f"2026-03-01T00:00:{number:02}Z"), STREAM
    )


def watched(*names: str) -> int:
    """Define assets with one trigger, and give its id."""
    with create_session() as session:
        trigger = Trigger.from_object(CandidEventTrigger())
        session.add(trigger)
        for name in names:
            asset = AssetModel(name=name, uri=f"candid://{name}/events", group="candid")
            session.add_all([asset, AssetActive(name=name, uri=asset.uri)])
            session.flush()
            session.add(AssetWatcherModel(name="watcher", asset_id=asset.id, trigger_id=trigger.id))
        session.flush()
        return int(trigger.id)


def store(trigger_id: int, payload: Any, *, fails: bool = False) -> None:
    try:
        with create_session() as session:
            event = TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow's has no annotations
            Trigger.submit_event(trigger_id=trigger_id, event=event, session=session)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def found(*names: str) -> dict[str, Any]:
    """Give the events and the states of assets."""
    result = {}
    with create_session() as session:
        for name in names:
            asset = session.scalar(select(AssetModel.id).where(AssetModel.name == name))
            events = session.scalars(select(AssetEvent).where(AssetEvent.asset_id == asset).order_by(AssetEvent.id))
            states = session.scalars(select(AssetStateStoreModel).where(AssetStateStoreModel.asset_id == asset))
            result[name] = {
                "events": [row.extra["payload"] for row in events],
                "states": {row.key: json.loads(row.value) for row in states},
            }
    return result


def spoil(name: str) -> None:
    """Put something that is no position in its place."""
    with create_session() as session:
        for row in session.scalars(select(AssetStateStoreModel)):
            row.value = '"***"'


def main() -> dict[str, Any]:
    initdb()
    one, two, spoilt, other = watched("one"), watched("two", "too"), watched("spoilt"), watched("other")
    for number in (1, 2, 2):
        store(one, event(number))
    store(one, event(3), fails=True)
    store(two, event(1))
    store(other, {"id": "x", "file": "/somewhere"})
    store(spoilt, event(1))
    seen = found("one", "two", "too", "other")
    spoil("spoilt")
    store(spoilt, event(2))
    return {**seen, **found("spoilt")}


if __name__ == "__main__":
    print(json.dumps(main()))
