"""Patients: many at a time, with what belongs to them (Candid: /patients/v1)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice, pairwise
from typing import Any, Final

from candid_provider.emulator.endpoints.pre_encounter.coverages import COVERAGES
from candid_provider.emulator.endpoints.pre_encounter.organization_external_providers import EXTERNAL_PROVIDERS
from candid_provider.emulator.endpoints.pre_encounter.patient_merges import merged_into
from candid_provider.emulator.endpoints.pre_encounter.patients import PATIENT, PATIENTS, with_mrn
from candid_provider.emulator.endpoints.pre_encounter.versioned import active, in_order, small, sorting
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import invalid
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import blank_record
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.exchange.paging import page, page_of
from candid_provider.emulator.records.collection import Collection, Record
from candid_provider.emulator.records.state import State

_MOST_FOUND: Final = 100
_MOST_LOOKED_AT: Final = 2_000
_MOST_PROVIDERS: Final = 20


def primary_of(state: State, patient: Record) -> Record:
    """The patient that a merged one leads to; any other is its own."""
    number = merged_into(state, patient["mrn"])
    return patient if number is None else with_mrn(state, number) or patient


@answers("pre_encounter.patients.v_1.search")
def search_patients(asked: Asked) -> list[Record]:
    """Patients with an MRN, or the first of all, those with a similar name before the others."""
    number, name = asked.query.text("mrn"), asked.query.text("similar_name_ordering")
    patients = asked.state.of(PATIENTS)
    if number is not None:
        patient = with_mrn(asked.state, number)
        return active([patient]) if patient else []
    if name is None:
        return list(islice(_listed(patients), _MOST_FOUND))
    wanted = _pairs(name)
    found = sorted(
        islice(_listed(patients), _MOST_LOOKED_AT), key=lambda patient: -_similarity(wanted, patient["name"])
    )
    return found[:_MOST_FOUND]


def _listed(patients: Collection) -> Iterable[Record]:
    loaded = map(patients.created_record, patients.by_creation().walk())
    return (patient for patient in loaded if patient is not None and not patient["deactivated"])


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(pairwise(f" {text.casefold()} "))


def _similarity(wanted: set[tuple[str, str]], name: Record) -> float:
    pairs = _pairs(" ".join((*name["given"], name["family"])))
    return len(wanted & pairs) / len(wanted | pairs)


@answers("pre_encounter.patients.v_1.get_multi")
def list_patients(asked: Asked) -> Record:
    state, query = asked.state, asked.query
    patients, number = state.of(PATIENTS), query.text("mrn")
    redirect, (field, descending) = query.boolean("redirect_to_primary"), sorting(asked)
    if number is not None:
        patient = with_mrn(state, number)
        found = [primary_of(state, patient) if redirect else patient] if patient else []
        return page_of(asked, active(found))

    def keep(patient: Record) -> bool:
        return not patient["deactivated"] and not (redirect and merged_into(state, patient["mrn"]))

    if redirect:
        small(len(patients), "redirect_to_primary without mrn")
    if field in (None, "updatedAt"):
        total = None if redirect else lambda: patients.active
        return page(
            asked, patients.by_update(), patients.updated_record, keep=keep, descending=descending, total=total
        )
    small(len(patients), f"sort_field '{field}'")
    shape = blank_record("MutablePatientWithMrn")
    return page_of(asked, in_order(filter(keep, patients), field, descending=descending, shape=shape))


# --- what belongs to a patient


@answers("pre_encounter.patients.v_1.get_coverage_snapshot")
def get_coverage_snapshot(asked: Asked) -> Record:
    """A patient and the coverages of its filing order at an instant, all as they are now."""
    patient, moment = PATIENT.found(asked), asked.query.instant("date")
    then = patient if moment is None else _version_at(PATIENT.history(asked), moment)
    first, second, third, *_ = (*coverages_in(asked.state, then["filing_order"]), None, None, None)
    related = then["coverages_for_related_causes"]
    return {
        "patient": patient,
        "primary_coverage": first,
        "secondary_coverage": second,
        "tertiary_coverage": third,
        "coverages_for_related_causes": coverages_in(asked.state, related),
    }


def _version_at(history: list[Record], moment: int) -> Record:
    past = [version for version in history if moment_of(version["updated_at"]) <= moment]
    return past[-1] if past else history[0]


def coverages_in(state: State, order: Record | None) -> list[Record]:
    """The coverages that a filing order names, primary first; unknown ones are passed over."""
    found = (state.of(COVERAGES).get(identifier) for identifier in (order or {"coverages": ()})["coverages"])
    return [coverage for coverage in found if coverage is not None]


# --- referring providers


@answers("pre_encounter.patients.v_1.search_providers")
def search_providers(asked: Asked) -> list[Record]:
    """Up to twenty external providers whose name or NPI is like the words asked for."""
    criteria = asked.query.text("search_criteria")
    if criteria is None or not criteria.replace(" ", "").isalnum():
        raise invalid("search_criteria", "is required" if criteria is None else "must be alphanumeric")
    words = criteria.casefold().split()
    found = (row for row in active(asked.state.of(EXTERNAL_PROVIDERS)) if all(_is_like(word, row) for word in words))
    return [_external_provider(row) for row in islice(found, _MOST_PROVIDERS)]


def _is_like(word: str, provider: Record) -> bool:
    names = [*provider["name"]["given"], provider["name"]["family"], provider["npi"] or ""]
    parts = [part for name in names for part in name.casefold().split()]
    return any(word in part for part in parts) or bool(get_close_matches(word, parts, n=1, cutoff=0.75))


def _external_provider(row: Record) -> dict[str, Any]:
    phones = [row["phone_number"], *(row["other_phone_numbers"] or ())]
    kinds = {"REFERRING": "REFERRING", "PRIMARY": "PRIMARY", "TREATING": "ATTENDING"}
    return {
        "name": row["name"],
        "type": next((kinds[kind] for kind in row["types"]), None),
        "npi": row["npi"],
        "telecoms": [{"value": phone, "use": "WORK", "period": None} for phone in phones if phone],
        "addresses": row["addresses"],
        "period": None,
        "canonical_id": row["id"],
        "fax": row["fax_number"],
        "other_fax_numbers": row["other_fax_numbers"],
        "emails": row["emails"],
        "service_facilities": None,
    }
