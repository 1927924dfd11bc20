"""Medication that was dispensed, billed as an encounter of its own (Candid: /api/medication-dispense/v1)."""

from __future__ import annotations

from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.encounters.encounter_lines import check_line
from candid_provider.emulator.endpoints.encounters.encounter_making import make, order
from candid_provider.emulator.endpoints.encounters.lookups import fetched
from candid_provider.emulator.endpoints.encounters.pre_encounter_sources import sourced
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import not_found
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record

_LINE = ("procedure_code", "quantity", "units", "drug_identification", "description", "modifiers")


@answers("medication_dispense.v_1.create")
def create(asked: Asked) -> Record:
    given = asked.body
    check_line(asked, given)
    found = _latest(asked, given["patient_external_id"]) | {
        "external_id": given["medication_dispense_external_id"],
        "date_of_service": given["date_of_service"],
        "place_of_service_code": "01",
        "service_lines": [{name: given.get(name) for name in _LINE} | {"diagnosis_pointers": [0]}],
    }
    return make(asked.state, order(asked, found))


def _latest(asked: Asked, patient_id: str) -> Record:
    """Who treated a patient, and for what, at the last encounter; a dispensation says nothing of it."""
    state = asked.state
    number = state.world.ids.index("patient", patient_id, state.world.patients)
    rows = state.of(ENCOUNTERS)
    seen = None if number is None else next(reversed(state.world.encounters_of(number)), None)
    last = None if seen is None else rows.get(rows.id_of(seen))
    for _, record, _ in rows.written_rows():
        if record["patient"]["external_id"] == patient_id:
            last = record
    if last is None:
        raise not_found(patient_id)
    if fetched(asked, "pre_encounter.patients.v_1.get", patient_id) is not None:
        taken = sourced(asked, patient_id, [])
    else:
        taken = {name: last[name] for name in ("patient", "responsible_party")}
    diagnoses = [{"code_type": row["code_type"], "code": row["code"]} for row in last["diagnoses"]]
    return (
        taken | {name: last[name] for name in ("billing_provider", "rendering_provider")} | {"diagnoses": diagnoses}
    )
