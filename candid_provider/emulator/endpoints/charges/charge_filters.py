"""Which charges and claim creations a listing is of: nearly all that both can be asked for is said of their data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from candid_provider.emulator.endpoints.charges.charge_kinds import STATUSES
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.query import Query
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.claims import STATUSES as CLAIM_STATUSES

Check = Callable[[Record], bool]
# The names of parameters that ask for several values, and where the values are in a charge's data.
_LISTS: Final[dict[str, Callable[[Record], Iterable[Any]]]] = {
    "billing_provider_npis": lambda data: [_in(data, "billing_provider", "npi")],
    "primary_payer_ids": lambda data: [_in(data, "subscriber_primary", "insurance_card", "payer_id")],
    "primary_payer_names": lambda data: [_in(data, "subscriber_primary", "insurance_card", "payer_name")],
    "rendering_provider_npis": lambda data: [_in(data, "rendering_provider", "npi")],
    "rendering_provider_names": lambda data: _names(data, "rendering_provider"),
    "supervising_provider_npis": lambda data: [_in(data, "supervising_provider", "npi")],
    "supervising_provider_names": lambda data: _names(data, "supervising_provider"),
    "patient_names": lambda data: _names(data, "patient"),
    "tags": lambda data: data.get("tag_ids") or [],
}


def _in(data: Record, *path: str) -> Any:
    value: Any = data
    for name in path:
        value = (value or {}).get(name)
    return value


def _names(data: Record, name: str) -> list[Any]:
    first, last = _in(data, name, "first_name"), _in(data, name, "last_name")
    return [" ".join(filter(None, (first, last))), first, last, _in(data, name, "organization_name")]


def data_checks(query: Query, suffix: str = "") -> list[Check]:
    """Checks of a charge's data, by the parameters of which the name ends in a suffix."""
    checks: list[Check] = []
    for name, values_of in _LISTS.items():
        wanted = {text.casefold() for text in query.texts(name + suffix)}
        if wanted:
            checks.append(_any_of(wanted, values_of))
    if (facility := query.text(f"service_facility_name{suffix}")) is not None:
        checks.append(lambda data: _in(data, "service_facility", "organization_name") == facility)
    return checks


def _any_of(wanted: set[str], values_of: Callable[[Record], Iterable[Any]]) -> Check:
    return lambda data: any(str(value).casefold() in wanted for value in values_of(data) if value)


def _served(query: Query, suffix: str) -> Check | None:
    first, last = query.day(f"date_of_service_min{suffix}"), query.day(f"date_of_service_max{suffix}")
    if first is None and last is None:
        return None
    low, high = first.isoformat() if first else "", last.isoformat() if last else "9999"
    return lambda row: row["date_of_service"] is not None and low <= row["date_of_service"] <= high


def charge_checks(asked: Asked, encounter_id_of: Callable[[Record], str | None], suffix: str = "") -> list[Check]:
    """Checks of charges, by the parameters of which the name ends in a suffix."""
    query = asked.query
    checks: list[Check] = [_of_data(check) for check in data_checks(query, suffix)]
    for name in ("patient_external_id", "charge_external_id"):
        if (text := query.text(name + suffix)) is not None:
            checks.append(_equal(name, text))
    if (status := query.choice(f"status{suffix}", STATUSES)) is not None:
        checks.append(_equal("status", status))
    if (served := _served(query, suffix)) is not None:
        checks.append(served)
    if claims := set(query.texts(f"claim_ids{suffix}")):
        checks.append(lambda row: encounter_id_of(row) in claims)
    if creations := set(query.texts(f"claim_creation_ids{suffix}")):
        checks.append(lambda row: row["claim_creation_id"] in creations)
    if categories := set(query.texts(f"claim_creation_category{suffix}")):
        checks.append(lambda row: row["claim_creation_category"] in categories)
    return checks


def _of_data(check: Check) -> Check:
    return lambda row: check(row["charge_capture_data"])


def _equal(name: str, value: Any) -> Check:
    return lambda row: bool(row[name] == value)


def claim_status_check(asked: Asked, encounter_id_of: Callable[[Record], str | None], name: str) -> list[Check]:
    """Check the status of the claim that came of something."""
    status = asked.query.choice(name, CLAIM_STATUSES)
    if status is None:
        return []

    def check(row: Record) -> bool:
        encounter_id = encounter_id_of(row)
        record = asked.state.of(ENCOUNTERS).get(encounter_id) if encounter_id else None
        return record is not None and any(claim["status"] == status for claim in record["claims"])

    return [check]


def more_charge_checks(asked: Asked, encounter_id_of: Callable[[Record], str | None]) -> list[Check]:
    """What only charges can be asked for."""
    query = asked.query
    checks: list[Check] = []
    for name, known in (
        ("billable_status", ("BILLABLE", "NOT_BILLABLE")),
        ("responsible_party", ("INSURANCE_PAY", "SELF_PAY", "UNKNOWN")),
    ):
        if (value := query.choice(name, known)) is not None:
            checks.append(_of_data(_equal_or_unset(name, value)))
    if query.boolean("exclude_charges_linked_to_claims"):
        checks.append(lambda row: row["claim_creation_id"] is None)
    if term := (query.text("search_term") or "").casefold():
        checks.append(lambda row: _found(row, encounter_id_of, term))
    return checks


def _equal_or_unset(name: str, value: str) -> Check:
    return lambda data: data.get(name) == value


def _found(row: Record, encounter_id_of: Callable[[Record], str | None], term: str) -> bool:
    data = row["charge_capture_data"]
    exact = (row["id"], row["patient_external_id"].casefold(), _in(data, "patient", "date_of_birth"))
    if term in exact or encounter_id_of(row) == term:
        return True
    texts = (_in(data, "patient", "first_name"), _in(data, "patient", "last_name"), row["charge_external_id"])
    return any(term in text.casefold() for text in texts if text)
