"""Where a trigger finds the position of its stream: in its assets' state (Airflow 3.3) or in a Variable."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from candid_provider.api.event_record import DESCRIPTION
from candid_provider.api.position import Position, position_from

SURE_AFTER = 5.0
"""Seconds after which a missing Variable is believed to be missing: Airflow 3.1 and 3.2 say so in an outage, too."""


class Positions(Protocol):
    """Find and keep the position of one stream; whatever Airflow raises may come out."""

    async def load(self) -> Position | None:
        """Give the position; None where there is none yet."""

    async def save(self, position: Position) -> None:
        """Keep a position in place of what was kept."""


class AssetPositions:
    """Keep it in the state of the assets that a trigger watches for, under the name of the stream.

    :param states: the trigger's ``asset_state_store``.
    :param stream: name of the stream.
    """

    def __init__(self, states: Any, stream: str) -> None:
        # There is no public way to go through them.
        self._states = [*states._by_name.values(), *states._by_uri.values()]
        self._stream = stream

    async def load(self) -> Position | None:
        """Give the earliest of the assets' positions; one that has joined lately may have none."""
        saved = [await state.aget(self._stream) for state in self._states]
        positions = [position_from(each) for each in saved if each is not None]
        return min(positions, key=lambda position: position.floor, default=None)

    async def save(self, position: Position) -> None:
        """Keep a position for all of them."""
        for state in self._states:
            await state.aset(self._stream, position.saved())


class VariablePositions:
    """Keep it in a Variable with the name of the stream (Airflow 3.0 to 3.2).

    :param stream: name of the stream.
    :param sure_after: see ``SURE_AFTER``.
    """

    def __init__(self, stream: str, *, sure_after: float = SURE_AFTER) -> None:
        self._stream, self._sure_after = stream, sure_after

    async def load(self) -> Position | None:
        """Read the Variable, twice before it is said to be missing."""
        text = await asyncio.to_thread(self._load)
        if text is None:
            await asyncio.sleep(self._sure_after)
            text = await asyncio.to_thread(self._load)
        return None if text is None else position_from(json.loads(text))

    async def save(self, position: Position) -> None:
        """Set the Variable."""
        await asyncio.to_thread(_store().save, self._stream, json.dumps(position.saved()))

    def _load(self) -> str | None:
        text: str | None = _store().load(self._stream)
        return text


def _store() -> Any:
    from candid_provider.token_stores.variable import VariableTokenStore

    return VariableTokenStore(DESCRIPTION)
