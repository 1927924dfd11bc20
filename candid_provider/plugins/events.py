"""Moves the position of a stream of events in the very transaction in which Airflow records an event.

A trigger cannot: it is not told when its event is stored and can store nothing with it, so that a triggerer killed in
between would lose the event or deliver it twice. Airflow calls the listeners of an asset's events in the thread and
before the commit of the transaction that stores the event (Airflow 3.0 to 3.3: ``Trigger.submit_event`` calls
``AssetManager.register_asset_change``, which calls them inline), and that thread's session is the transaction's.

Every process of Airflow loads this module, so it imports what it needs when an event of Candid's comes.
"""

from __future__ import annotations

import json
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowPlugin, hookimpl

if TYPE_CHECKING:
    from candid_provider.api.position import Event

log = logging.getLogger("candid_provider.events")


class PositionKeeper:
    """Listen to the events of assets (Airflow 3.2 and later)."""

    @hookimpl
    def on_asset_event_emitted(self, asset_event: Any) -> None:
        """Move the position of the event's stream; pass over what is not Candid's."""
        _keep(asset_event.asset, asset_event.extra)


class OlderPositionKeeper:
    """Listen to changes of assets, and look in the transaction for the event (Airflow 3.0 and 3.1)."""

    @hookimpl
    def on_asset_changed(self, asset: Any) -> None:
        """Move the position of the event's stream; pass over what is not Candid's."""
        from airflow.models.asset import AssetEvent  # noqa: TID251 - Airflow's own rows

        events = [row for row in _session().identity_map.values() if isinstance(row, AssetEvent)]
        if events:
            _keep(asset, max(events, key=lambda event: event.id).extra)


def _keep(asset: Any, extra: Any) -> None:
    from candid_provider.api.event_record import event_in

    if (heard := event_in(extra)) is None:
        return
    event, stream = heard
    session = _session()
    if not session.in_transaction():
        return  # this is no transaction to keep it in: the trigger will see that it is not kept
    try:
        # In a savepoint: whatever goes wrong here, Airflow's own event is stored.
        with session.begin_nested():
            _move(session, asset, stream, event)
    except Exception as error:
        log.warning("the position of %s was not kept (%s)", stream, type(error).__name__)


def _move(session: Any, asset: Any, stream: str, event: Event) -> None:
    if find_spec("airflow.state"):  # Airflow 3.3 and later
        _move_state(session, asset, stream, event)
    else:
        _move_variable(session, stream, event)


def _move_state(session: Any, asset: Any, stream: str, event: Event) -> None:
    from airflow.models.asset import AssetModel  # noqa: TID251 - Airflow's own rows
    from airflow.state import AssetScope, get_state_backend
    from sqlalchemy import select

    query = select(AssetModel.id).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)
    scope, states = AssetScope(asset_id=session.scalar(query)), get_state_backend()
    states.set(scope, stream, _after(states.get(scope, stream, session=session), event), session=session)


def _move_variable(session: Any, stream: str, event: Event) -> None:
    from airflow.models.variable import Variable  # noqa: TID251 - Airflow's own rows
    from sqlalchemy import select

    from candid_provider.api.event_record import DESCRIPTION

    row = session.scalar(select(Variable).where(Variable.key == stream))
    Variable.set(stream, _after(row and row.val, event), description=DESCRIPTION, session=session)


def _after(saved: str | None, event: Event) -> str:
    from candid_provider.api.position import Position, position_from

    # An asset that has joined the others of a watcher has no position yet, and begins here.
    before = position_from(json.loads(saved)) if saved else Position(event.moment)
    return json.dumps(before.after(event).saved())


def _session() -> Any:
    from airflow import settings

    return settings.Session()  # type: ignore[misc]  # None in processes without a database, which record no events


def _listeners() -> list[object]:
    try:
        from airflow.listeners.spec import asset
    except ImportError:  # Airflow 2 has neither assets nor watchers
        return []
    return [PositionKeeper() if hasattr(asset, "on_asset_event_emitted") else OlderPositionKeeper()]


class CandidEventsPlugin(AirflowPlugin):
    """Keep positions in streams of events."""

    name = "candid_events"
    listeners = _listeners()
