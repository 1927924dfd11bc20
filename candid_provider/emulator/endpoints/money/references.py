"""What the records of one area refer to in another: claims, service lines, payers, providers and facilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from candid_provider.emulator.endpoints.encounters import encounter_kinds
from candid_provider.emulator.endpoints.encounters.encounter_kinds import ENCOUNTERS
from candid_provider.emulator.endpoints.organization.organization_providers import PROVIDERS
from candid_provider.emulator.endpoints.organization.organization_service_facilities import SITES
from candid_provider.emulator.endpoints.organization.payers import PAYERS, as_v3
from candid_provider.emulator.exchange.answers import missing
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world import encounters, organization

_64_BITS: Final = (1 << 64) - 1


def derived_id(state: State, kind: str, of: str, number: int = 0) -> str:
    """The id of a part of the record with the id `of`."""
    return state.world.ids.uuid(kind, (UUID(of).int + number) & _64_BITS)


class Claimed(NamedTuple):
    """A claim and the encounter that it bills; both as they are now."""

    encounter: Record
    claim: Record

    @property
    def patient(self) -> str:
        return str(self.encounter["patient"]["external_id"])

    def line(self, service_line_id: str) -> Record | None:
        lines: list[Record] = self.claim["service_lines"]
        return next((line for line in lines if line["service_line_id"] == service_line_id), None)


def find_claim(state: State, claim_id: str) -> Claimed | None:
    """The claim with an id."""
    claim_id = claim_id.lower()
    encounter = encounter_kinds.encounter_of_claim(state, claim_id)
    return _claim_in(encounter, lambda claim: bool(claim["claim_id"] == claim_id))


def find_line(state: State, service_line_id: str) -> Claimed | None:
    """The claim with a service line of this id."""
    encounter = encounter_kinds.encounter_of_service_line(state, service_line_id.lower())

    def has_line(claim: Record) -> bool:
        return any(line["service_line_id"] == service_line_id.lower() for line in claim["service_lines"])

    return _claim_in(encounter, has_line)


def index_of_encounter(external_id: str) -> int | None:
    """The seeded encounter that the customer calls `external_id`."""
    return encounters.index_of_external_id(external_id)


def find_by_encounter_external_id(state: State, external_id: str) -> Claimed | None:
    """The first claim of the encounter that the customer calls `external_id`."""
    rows = state.of(ENCOUNTERS)
    holder = rows.holder(external_id)
    encounter = None if holder is None else rows.get(holder)
    return Claimed(encounter, encounter["claims"][0]) if encounter and encounter["claims"] else None


def _claim_in(encounter: Record | None, fits: Callable[[Record], bool]) -> Claimed | None:
    claims = encounter["claims"] if encounter else []
    return next((Claimed(encounter, claim) for claim in claims if encounter and fits(claim)), None)


def seeded_with_claim(state: State, claim_id: str) -> range:
    """The seeded encounter with a claim, as a range of at most one."""
    index = state.world.ids.index("claim", claim_id, state.world.encounters)
    return range(0) if index is None else range(index, index + 1)


def seeded_with_line(state: State, service_line_id: str) -> range:
    """The seeded encounter with a service line, as a range of at most one."""
    index = state.world.ids.index("service_line", service_line_id, 4 * state.world.encounters)
    return range(0) if index is None else range(index // 4, index // 4 + 1)


def encounters_of_patient(state: State, external_id: str) -> range:
    """The seeded encounters of a patient."""
    number = state.world.ids.index("patient", external_id, state.world.patients)
    return range(0) if number is None else state.world.encounters_of(number)


def payer_v3(state: State, payer_uuid: str) -> Record | None:
    """A payer in the shape of payers/v3, which other records quote."""
    record = state.of(PAYERS).get(payer_uuid)
    return None if record is None else as_v3(record)


def seeded_payer(state: State, number: int) -> Record:
    """Payer `number` in the shape of payers/v3."""
    record = payer_v3(state, state.world.ids.uuid("payer", number))
    assert record is not None
    return record


def identified_payer(asked: Asked, identifier: Record) -> Record:
    """The payer named by its UUID, or by number and name together (names are not unique, nor are numbers)."""
    state = asked.state
    if identifier["type"] == "payer_uuid":
        return required_payer(asked, identifier["value"])
    number, name = identifier["payer_id"], identifier["payer_name"]
    index = int(number) - 10_000 if number.isascii() and number.isdigit() else -1
    if not 0 <= index < state.config.payers or name != organization.payer_name(index):
        raise missing(asked.endpoint, number)
    return seeded_payer(state, index)


def required_payer(asked: Asked, payer_uuid: str) -> Record:
    """A payer by its UUID; 404 if there is none."""
    record = payer_v3(asked.state, payer_uuid)
    if record is None:
        raise missing(asked.endpoint, payer_uuid)
    return record


def provider(asked: Asked, identifier: str) -> Record | None:
    """A provider of the organization, as organization-providers/v3 shows it."""
    return asked.state.of(PROVIDERS).get(identifier)


def bills(asked: Asked, identifier: str) -> bool:
    """Whether this is a provider of the organization, or one that bills an encounter that was written."""
    rows = asked.state.of(ENCOUNTERS)

    def billing() -> set[str]:
        return {str(record["billing_provider"]["provider_id"]) for record in rows.written()}

    return provider(asked, identifier) is not None or identifier in rows.derived("billing providers", billing)


def seeded_provider(state: State, number: int) -> Record:
    """Provider `number` as it was at first."""
    return _made(PROVIDERS, state, number)


def facility(asked: Asked, identifier: str) -> Record | None:
    """A service facility of the organization, as organization-service-facilities/v2 shows it."""
    return asked.state.of(SITES).get(identifier)


def seeded_facility(state: State, number: int) -> Record:
    """Facility `number` as it was at first."""
    return _made(SITES, state, number)


def _made(kind: Kind, state: State, number: int) -> Record:
    record = kind.make(state, number)
    assert record is not None
    return record
