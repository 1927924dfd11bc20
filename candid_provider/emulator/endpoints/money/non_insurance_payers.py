"""Those who pay and are no insurance: employers, trials, funds (Candid: /api/non-insurance-payers/v1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money.fields import updated
from candid_provider.emulator.endpoints.money.references import derived_id
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page_of, sorted_by
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State

_SEEDED: Final = (
    ("Millbrook Manufacturing", "Employer", True),
    ("Harbor City Schools", "Employer", True),
    ("Northlight Sleep Study", "Clinical trial", True),
    ("Greenfield Relief Fund", "Foundation", True),
    ("County Victims' Fund", "Public", True),
    ("Old Quarry Works", "Employer", False),
)
_SORTS: Final = ("NAME", "CATEGORY", "ENABLED", "UPDATED_AT")
_LONGEST: Final = {"name": (1, 50), "description": (0, 255), "category": (0, 255), "payer_id": (2, 80)}


def _make(state: State, index: int) -> Record:
    name, category, enabled = _SEEDED[index]
    identifier = state.world.ids.uuid("non_insurance_payer", index)
    trial = {
        "name": name,
        "clinical_trial_number": f"NCT{index:05d}",
        "clinical_trial_phase": "Phase 2",
        "clinical_trial_id": state.world.ids.uuid("clinical_trial", index),
        "non_insurance_payer_id": identifier,
        "is_active": True,
    }
    return {
        "non_insurance_payer_id": identifier,
        "name": name,
        "description": None,
        "category": category,
        "payer_id": f"NIP{index:03d}",
        "enabled": enabled,
        "address": None,
        "clinical_trials": [trial] if category == "Clinical trial" else [],
    }


NON_INSURANCE_PAYERS: Final = Kind(
    "non_insurance_payer",
    "non_insurance_payer_id",
    count=lambda _: len(_SEEDED),
    make=_make,
    unique="name",
    seeded=lambda _, name: next((n for n, row in enumerate(_SEEDED) if row[0] == name), None),
)


def payer_of(state: State, draw: int) -> Record:
    """The seeded payer that a draw stands for, as it is now (or as it was, if it is gone)."""
    index = draw % len(_SEEDED)
    return state.of(NON_INSURANCE_PAYERS).seeded_record(index) or _make(state, index)


def required(asked: Asked, identifier: Any) -> Record:
    """The payer that a body names; 404 if there is none."""
    return found(asked, NON_INSURANCE_PAYERS, str(identifier))


# --- listing


@answers("non_insurance_payers.v_1.get_multi")
def list_payers(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(NON_INSURANCE_PAYERS)
    organization = query.uuid("organization_id")
    if organization not in (None, asked.state.organization.id):
        raise declared(asked.endpoint, "UnauthorizedError", {"message": "This is another organization's"})
    sort = query.choice("sort", _SORTS) or "NAME"
    descending = query.choice("sort_direction", ("asc", "desc")) == "desc"
    keep = _filter(asked)
    records = (rows.updated_record(key) for key in rows.by_update().walk())
    found = [record for record in records if record is not None and keep(record)]
    if sort == "UPDATED_AT":
        return page_of(asked, found[::-1] if descending else found)
    return page_of(asked, sorted_by(found, sort.lower(), descending=descending))


def _filter(asked: Asked) -> Callable[[Record], bool]:
    query = asked.query
    name, category = query.text("name"), query.text("category")
    exact, trials = set(query.texts("categories_exact")), set(query.texts("clinical_trial_ids"))
    enabled = query.boolean("enabled")

    def keep(row: Record) -> bool:
        return (
            (name is None or name.casefold() in row["name"].casefold())
            and (category is None or category.casefold() in (row["category"] or "").casefold())
            and (not exact or row["category"] in exact)
            and (not trials or any(trial["clinical_trial_id"] in trials for trial in row["clinical_trials"]))
            and (enabled is None or row["enabled"] == enabled)
        )

    return keep


@answers("non_insurance_payers.v_1.get_categories")
def list_categories(asked: Asked) -> Record:
    term = (asked.query.text("search_term") or "").casefold()
    known = {row["category"] for row in asked.state.of(NON_INSURANCE_PAYERS) if row["category"]}
    names: list[Any] = sorted(name for name in known if term in name.casefold())
    return page_of(asked, names)


@answers("non_insurance_payers.v_1.get")
def get_payer(asked: Asked) -> Record:
    if asked.query.uuid("organization_id") not in (None, asked.state.organization.id):
        raise missing(asked.endpoint, asked.id)
    return required(asked, asked.id)


# --- writing


@answers("non_insurance_payers.v_1.create")
def create_payer(asked: Asked) -> Record:
    body, rows = asked.body, asked.state.of(NON_INSURANCE_PAYERS)
    identifier = rows.new_id()
    given = {name: _checked(asked, name, body.get(name)) for name in _LONGEST}
    _refuse_taken(asked, given["name"])
    trials = _trials(asked, identifier, body.get("clinical_trials") or [])
    record = {"non_insurance_payer_id": identifier, **given, "enabled": True}
    return rows.add(record | {"address": body.get("address"), "clinical_trials": trials})


def _checked(asked: Asked, name: str, value: str | None) -> Any:
    least, most = _LONGEST[name]
    if value is not None and not least <= len(value) <= most:
        raise unprocessable(asked.endpoint, name, f"must have from {least} to {most} characters")
    return value


def _refuse_taken(asked: Asked, name: str) -> None:
    if asked.state.of(NON_INSURANCE_PAYERS).holder(name) is not None:
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "non_insurance_payer"})


def _trials(asked: Asked, payer_id: str, wanted: list[Record]) -> list[Record]:
    names = [row["name"] for row in wanted]
    if len(set(names)) != len(names):
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "clinical_trial"})
    return [_trial(asked, payer_id, number, row) for number, row in enumerate(wanted)]


def _trial(asked: Asked, payer_id: str, number: int, row: Record) -> Record:
    where, code = f"clinical_trials.{number}", row["clinical_trial_number"]
    if not row["name"] or len(code) != 8:
        raise unprocessable(asked.endpoint, where, "needs a name, and a clinical_trial_number of 8 characters")
    return {
        "name": row["name"],
        "clinical_trial_number": code,
        "clinical_trial_phase": row.get("clinical_trial_phase"),
        "clinical_trial_id": derived_id(asked.state, "written_trial", payer_id, number),
        "non_insurance_payer_id": payer_id,
        "is_active": True,
    }


@answers("non_insurance_payers.v_1.update")
def update_payer(asked: Asked) -> Record:
    record, name = required(asked, asked.id), asked.body.get("name")
    if name is not None and name != record["name"]:
        _refuse_taken(asked, _checked(asked, "name", name))
        record["name"] = name
    for field in ("description", "category", "payer_id"):
        record[field] = _checked(asked, field, updated(asked, field, record[field]))
    record["address"] = updated(asked, "address", record["address"])
    return asked.state.of(NON_INSURANCE_PAYERS).put(record)


@answers("non_insurance_payers.v_1.toggle_enablement")
def toggle_payer(asked: Asked) -> Record:
    record = required(asked, asked.id) | {"enabled": asked.body["enabled"]}
    return asked.state.of(NON_INSURANCE_PAYERS).put(record)


@answers("non_insurance_payers.v_1.delete")
def delete_payer(asked: Asked) -> None:
    record = required(asked, asked.id)
    asked.state.of(NON_INSURANCE_PAYERS).remove(record["non_insurance_payer_id"])
