"""Patients' balances (Candid: /api/patient-ar/v1)."""

from __future__ import annotations

from candid_provider.emulator import encounters
from candid_provider.emulator.asked import Asked
from candid_provider.emulator.collection import Record
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.feed import Feed
from candid_provider.emulator.paging import page


@answers("patient_ar.v_1.list_inventory")
def list_inventory(asked: Asked) -> Record:
    world = asked.state.world
    rows = Feed(world.inventory_rows(), world.adjudicated).between(asked.query.instant("since"), None)
    return page(asked, rows, lambda key: encounters.inventory_row(world, key.number))
