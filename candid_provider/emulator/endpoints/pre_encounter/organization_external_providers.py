"""The organization's external providers (Candid: /organization-external-providers/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.pre_encounter.versioned import Resource, active, named_page, next_version
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, values_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.identifiers import npi
from candid_provider.emulator.world.world import milliseconds

_NAMES: Final = """
    Maren Ostvik, Dario Belluci, Priya Raman, Tomas Hruska, Ingrid Falk, Samuel Adeyemi, Lucia Ferrer, Noah Brandt,
    Amina Diallo, Viktor Sandor, Helene Roux, Kenji Mori
"""
_PROVIDERS: Final = tuple(tuple(name.split()) for name in _NAMES.split(","))
_UNSET: Final = "tax_id other_phone_numbers fax_number other_fax_numbers emails addresses"


def _npi(state: State, index: int) -> str:
    return npi(state.world.ids.draw("external-provider-npi", index))


def _make(state: State, index: int) -> Record:
    given, family = _PROVIDERS[index]
    return {
        **dict.fromkeys(_UNSET.split()),
        "organization_id": state.organization.id,
        "deactivated": False,
        "version": 1,
        "updated_at": milliseconds(state.world.updated("patient", 0)),
        "updating_user_id": state.organization.user_id,
        "id": state.world.ids.uuid("external-provider", index),
        "name": {"family": family, "given": [given], "use": "OFFICIAL", "period": None, "suffix": None},
        "types": [("REFERRING", "PRIMARY", "TREATING")[index % 3]],
        "npi": _npi(state, index),
        "taxonomy_code": "207Q00000X",
        "phone_number": f"555010{index:04d}",
        "license_type": "MD",
    }


def _index_of_npi(state: State, text: str) -> int | None:
    return next((index for index in range(len(_PROVIDERS)) if _npi(state, index) == text), None)


EXTERNAL_PROVIDERS: Final = Kind(
    "external-provider",
    "id",
    count=lambda _: len(_PROVIDERS),
    make=_make,
    updated=lambda state, _: state.world.updated("patient", 0),
    unique="npi",
    seeded=_index_of_npi,
    versioned=True,
)
_PROVIDER: Final = Resource(EXTERNAL_PROVIDERS, "Organization external provider")


def _fields(asked: Asked, own: str | None = None) -> Record:
    fields = completed(asked)
    if fields["npi"] is not None and asked.state.of(EXTERNAL_PROVIDERS).holder(fields["npi"]) not in (None, own):
        raise declared(asked.endpoint, "BadRequestError", {"message": "npi is already in use"})
    return fields


@answers("pre_encounter.organization_external_providers.v_1.get_multi")
def list_external_providers(asked: Asked) -> Record:
    query = asked.query
    kind = query.choice("type", values_of("OrganizationExternalProviderType"))
    number = query.text("npi")
    first, last = query.text("first_name") or "", query.text("last_name") or ""

    def fits(row: Record) -> bool:
        given, family = " ".join(row["name"]["given"]).casefold(), row["name"]["family"].casefold()
        named = given.startswith(first.casefold()) and family.startswith(last.casefold())
        return named and number in (None, row["npi"]) and (kind is None or kind in row["types"])

    rows = filter(fits, active(asked.state.of(EXTERNAL_PROVIDERS)))
    return named_page(asked, rows, "name.family", _make(asked.state, 0))


@answers("pre_encounter.organization_external_providers.v_1.scan")
def scan_external_providers(asked: Asked) -> list[Record]:
    return _PROVIDER.scanned(asked)


@answers("pre_encounter.organization_external_providers.v_1.get")
def get_external_provider(asked: Asked) -> Record:
    return _PROVIDER.found(asked)


@answers("pre_encounter.organization_external_providers.v_1.create")
def create_external_provider(asked: Asked) -> Record:
    return _PROVIDER.created(asked, _fields(asked))


@answers("pre_encounter.organization_external_providers.v_1.update")
def update_external_provider(asked: Asked) -> Record:
    provider = _PROVIDER.found(asked)
    next_version(asked, provider)
    return _PROVIDER.updated(asked, provider, _fields(asked, provider["id"]))


@answers("pre_encounter.organization_external_providers.v_1.deactivate")
def deactivate_external_provider(asked: Asked) -> None:
    provider = _PROVIDER.found(asked)
    next_version(asked, provider)
    _PROVIDER.updated(asked, provider, {"deactivated": True})
