"""How charges become claims: those of one patient, day and category are gathered, and billed a while later."""

from __future__ import annotations

from typing import Any, Final

from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.endpoints.charges.charge_kinds import BUNDLES, CHARGES, DATA_FIELDS, ERRORS, GATHERED
from candid_provider.emulator.endpoints.charges.charge_kinds import characteristics as _characteristics
from candid_provider.emulator.endpoints.encounters.encounter_attachments import attach_to_encounter
from candid_provider.emulator.endpoints.encounters.encounter_making import Order, make
from candid_provider.emulator.endpoints.encounters.encounter_writes import checked
from candid_provider.emulator.exchange.answers import Refusal
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.bodies import check_body
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.state import State

# How long charges are gathered before a claim is made of them.
GATHERING: Final = 15 * 60 * 1_000_000
_OPEN: Final = ("not-started", "held", "in-error")
_ASSUMED: Final = {
    "patient_authorized_release": True,
    "benefits_assigned_to_provider": True,
    "provider_accepts_assignment": True,
    "billable_status": "BILLABLE",
}


def place(state: State, charge: Record, at: int) -> None:
    """Gather a charge that was written with those it goes with; its claim creation is attempted a while later."""
    key = _key(charge)
    gathered = state.of(GATHERED).get(key) or {"key": key, "claim_creation_id": None, "charges": []}
    if charge["id"] not in gathered["charges"]:
        gathered["charges"].append(charge["id"])
    bundle = state.of(BUNDLES).get(gathered["claim_creation_id"] or "")
    if charge["status"] == "billable" and charge["claim_creation_id"] is None:
        if bundle is None or bundle["status"] not in _OPEN:
            bundle = _opened(state, charge, at)
            gathered["claim_creation_id"] = bundle["id"]
        charge["claim_creation_id"] = bundle["id"]
        state.of(CHARGES).put(charge, at)
    _keep(state, gathered, at)
    if bundle is not None and bundle["status"] in _OPEN:
        plan(state, key, bundle["id"], at)


def plan(state: State, key: str, bundle_id: str, at: int) -> None:
    state.agenda.plan(at + GATHERING, lambda now: _attempt(state, key, bundle_id, now))


def plan_again(state: State, bundle: Record, at: int) -> None:
    """What was wrong has been mended: attempt a claim creation once more."""
    common = bundle["characteristics"]
    plan(state, joined(common.values()), bundle["id"], at)


def joined(values: Any) -> str:
    return "|".join(str(value) for value in values).lower()


def _key(charge: Record) -> str:
    values = (charge["patient_external_id"], charge["date_of_service"], charge["claim_creation_category"])
    return joined(values)


def _keep(state: State, gathered: Record, at: int) -> None:
    rows = state.of(GATHERED)
    (rows.put if rows.get(gathered["key"]) else rows.add)(gathered, at)


def _opened(state: State, charge: Record, at: int) -> Record:
    rows = state.of(BUNDLES)
    common = (charge["patient_external_id"], charge["date_of_service"], charge["claim_creation_category"])
    bundle: Record = {
        "id": rows.new_id(),
        "created_encounter_id": None,
        "status": "not-started",
        "characteristics": _characteristics(*common),
        "errors": [],
        "encounter_creation_input": None,
        "most_recent_claim_preview_id": None,
    }
    return rows.add(bundle, at)


def _attempt(state: State, key: str, bundle_id: str, now: int) -> None:
    bundle, gathered = state.of(BUNDLES).get(bundle_id), state.of(GATHERED).get(key)
    if bundle is None or gathered is None or bundle["status"] not in _OPEN:
        return
    known = [charge for identifier in gathered["charges"] if (charge := state.of(CHARGES).get(identifier))]
    mine = [row for row in known if row["claim_creation_id"] == bundle_id and row["status"] == "billable"]
    if not mine:
        bundle["status"] = "aborted"
    elif any(row["status"] == "planned" for row in known):
        bundle["status"] = "held"
    else:
        _bill(state, bundle, mine, now)
    state.of(BUNDLES).put(bundle, now)


def _bill(state: State, bundle: Record, charges: list[Record], now: int) -> None:
    data = merged(charges)
    bundle["encounter_creation_input"] = data
    ordered = _ordered(state, data)
    if isinstance(ordered, str):
        error = _failed(state, bundle, ordered, now)
    else:
        ordered.claim_creation_id = bundle["id"]
        bundle["created_encounter_id"] = make(state, ordered, now)["encounter_id"]
        for charge in charges:
            attach_to_encounter(state, charge["charge_external_id"], bundle["created_encounter_id"], now)
        bundle["status"], error = "successful", None
        bundle["errors"] = [row | {"resolved": True} for row in bundle["errors"]]
    for charge in charges:
        charge["error"] = error
        state.of(CHARGES).put(charge, now)


def _failed(state: State, bundle: Record, message: str, now: int) -> Record:
    error = {
        "id": state.of(ERRORS).new_id(),
        "charge_capture_id": None,
        "message": message,
        "resolved": False,
        "resolved_by": None,
        "resolution_reason": None,
        "field_in_error": message.partition(":")[0] if ":" in message else None,
        "claim_creation_id": bundle["id"],
    }
    state.of(ERRORS).add({"id": error["id"], "claim_creation_id": bundle["id"]}, now)
    bundle["errors"] = [row | {"resolved": True} for row in bundle["errors"]] + [error]
    bundle["status"] = "in-error"
    return error


def _ordered(state: State, data: Record) -> Order | str:
    """An order for the encounter, or what is wrong with the data for it."""
    endpoint = endpoints()["encounters.v_4.create"]
    given = {name: value for name, value in data.items() if value is not None}
    try:
        check_body(endpoint, given)
        if not given["diagnoses"]:
            return "diagnoses: must not be empty"
        return checked(Asked(state, endpoint, {}, Query(()), given), given)
    except Refusal as refusal:
        return _told(refusal.body.get("content"))


def _told(content: Any) -> str:
    if isinstance(content, list):
        return "; ".join(f"{row['fieldName']}: {row['humanReadableMessage']}" for row in content)
    if isinstance(content, dict) and "message" in content:
        return str(content["message"])
    return ", ".join(f"{name}: {value}" for name, value in (content or {}).items()) or "refused"


def merged(charges: list[Record]) -> Record:
    """One encounter's data out of several charges': what the first says, and the lines and diagnoses of all."""
    data: Record = dict(DATA_FIELDS)
    diagnoses: list[Record] = []
    lines: list[Record] = []
    for charge in charges:
        given = charge["charge_capture_data"]
        data |= {name: value for name, value in given.items() if value is not None and data.get(name) is None}
        places = [_place(diagnoses, row) for row in given.get("diagnoses") or []]
        for line in given.get("service_lines") or []:
            pointers = [places[number] for number in line.get("diagnosis_pointers") or [] if number < len(places)]
            lines.append(line | {"diagnosis_pointers": pointers})
    first = charges[0]
    data |= {"diagnoses": diagnoses, "service_lines": lines}
    data |= {name: value for name, value in _ASSUMED.items() if data[name] is None}
    data["external_id"] = data["external_id"] or first["charge_external_id"]
    data["responsible_party"] = data["responsible_party"] or (
        "INSURANCE_PAY" if data["subscriber_primary"] else "SELF_PAY"
    )
    if data["patient"] is not None:
        data["patient"] = data["patient"] | {"external_id": first["patient_external_id"]}
    return data


def _place(diagnoses: list[Record], row: Record) -> int:
    codes = [known.get("code") for known in diagnoses]
    if row.get("code") not in codes:
        diagnoses.append(row)
        return len(diagnoses) - 1
    return codes.index(row.get("code"))
