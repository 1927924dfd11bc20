"""Plans of payers, grouped as the organization likes (Candid: /api/payer-plan-groups/v1)."""

from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of, sorted_by
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import payer_name

_PLAN_CODES: Final = "09 11 12 13 14 15 16 17 AM BL CH CI DS FI HM LM MA MB MC OF TV VA WC ZZ"
_PLAN_TYPES: Final = tuple(_PLAN_CODES.split())
_SEEDED: Final = (("Choice PPO", "12"), ("Care HMO", "HM"))
_SORTS: Final = ("plan_group_name", "plan_type", "created_at")


def _make(state: State, index: int) -> Record:
    payer, number = divmod(index, len(_SEEDED))
    name, plan_type = _SEEDED[number]
    known = references.seeded_payer(state, payer)
    return {
        "plan_group_name": f"{payer_name(payer)} {known['payer_id']} {name}",
        "payer_uuid": known["payer_uuid"],
        "plan_type": plan_type,
        "payer_plan_group_id": state.world.ids.uuid("payer_plan_group", index),
        "payer": known,
        "is_active": index % 16 != 15,
        "organization_id": state.organization.id,
    }


PLAN_GROUPS: Final = Kind(
    "payer_plan_group",
    "payer_plan_group_id",
    count=lambda state: len(_SEEDED) * state.config.payers,
    make=_make,
)


@answers("payer_plan_groups.v_1.get_multi")
def list_plan_groups(asked: Asked) -> Record:
    query = asked.query
    if query.uuid("organization_id") not in (None, asked.state.organization.id):
        raise declared(asked.endpoint, "UnauthorizedError", {"message": "This is another organization's"})
    sort = query.choice("sort", _SORTS) or "plan_group_name"
    descending = query.choice("sort_direction", ("asc", "desc")) == "desc"
    similar, keep = query.text("sort_by_similarity"), _filter(asked)
    found = [row for row in asked.state.of(PLAN_GROUPS) if keep(row)]
    if similar is not None:
        return page_of(asked, sorted(found, key=lambda row: _likeness(row, similar), reverse=True))
    if sort == "created_at":
        return page_of(asked, found[::-1] if descending else found)
    return page_of(asked, sorted_by(found, sort, descending=descending))


def _filter(asked: Asked) -> Callable[[Record], bool]:
    query = asked.query
    names, payers = set(query.texts("plan_group_name")), set(query.texts("payer_uuid"))
    numbers, ids = set(query.texts("payer_id")), set(query.texts("payer_plan_group_id"))
    kinds, active = query.choices("plan_type", _PLAN_TYPES), query.boolean("is_active")
    # Payer groups cannot be listed or made: no plan is in one.
    group = query.uuid("payer_group_id")

    def keep(row: Record) -> bool:
        return (
            group is None
            and (not names or row["plan_group_name"] in names)
            and (not payers or row["payer_uuid"] in payers)
            and (not numbers or row["payer"]["payer_id"] in numbers)
            and (not kinds or row["plan_type"] in kinds)
            and (active is None or row["is_active"] == active)
            and (not ids or row["payer_plan_group_id"] in ids)
        )

    return keep


def _likeness(row: Record, text: str) -> float:
    address = (row["payer"]["street_address"] or {}).get("address1")
    fields = (row["payer"]["payer_id"], row["payer"]["payer_name"], row["plan_group_name"], address or "")
    wanted = text.casefold()
    ratios = (SequenceMatcher(None, wanted, field.casefold()).ratio() for field in fields)
    return max(*ratios, *(1.0 for field in fields if wanted and wanted in field.casefold()), 0.0)


@answers("payer_plan_groups.v_1.get")
def get_plan_group(asked: Asked) -> Record:
    return found(asked, PLAN_GROUPS)


@answers("payer_plan_groups.v_1.create")
def create_plan_group(asked: Asked) -> Record:
    rows = asked.state.of(PLAN_GROUPS)
    given = _given(asked, rows.new_id())
    return rows.add(given | {"is_active": True, "organization_id": asked.state.organization.id})


@answers("payer_plan_groups.v_1.update")
def update_plan_group(asked: Asked) -> Record:
    record = get_plan_group(asked)
    return asked.state.of(PLAN_GROUPS).put(record | _given(asked, record["payer_plan_group_id"]))


def _given(asked: Asked, identifier: str) -> Record:
    body = asked.body
    payer = references.required_payer(asked, body["payer_uuid"])
    for row in asked.state.of(PLAN_GROUPS):
        taken = row["plan_group_name"] == body["plan_group_name"] and row["payer_uuid"] == payer["payer_uuid"]
        if taken and row["payer_plan_group_id"] != identifier:
            content = {"message": "This payer has a plan group of that name", "id": row["payer_plan_group_id"]}
            raise declared(asked.endpoint, "PayerPlanGroupAlreadyExistsHttpError", content)
    return {
        "plan_group_name": body["plan_group_name"],
        "payer_uuid": payer["payer_uuid"],
        "plan_type": body["plan_type"],
        "payer_plan_group_id": identifier,
        "payer": payer,
    }


@answers("payer_plan_groups.v_1.deactivate")
def deactivate_plan_group(asked: Asked) -> Record:
    return asked.state.of(PLAN_GROUPS).put(get_plan_group(asked) | {"is_active": False})
