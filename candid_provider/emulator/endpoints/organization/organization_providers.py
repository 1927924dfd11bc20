"""Providers of the organization (Candid: /api/organization-providers/v3), at first the ones its encounters name."""

from __future__ import annotations

from typing import Final

import msgspec

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.events import emit
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import invalid, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.completion import completed, given
from candid_provider.emulator.exchange.given import check, is_day, is_npi
from candid_provider.emulator.exchange.paging import page_of
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import CLINICIANS

_SORTS: Final = ("provider_name:asc", "provider_name:desc", "npi:asc", "npi:desc")
_NAMES: Final = ("first_name", "last_name", "organization_name")


def _make(state: State, index: int) -> Record:
    organization = state.organization
    fixed = organization.clinicians[index] if index < CLINICIANS else organization.billing_provider
    known: Record = msgspec.json.decode(fixed)
    person = index < CLINICIANS
    return {
        **{name: known[name] for name in (*_NAMES, "npi", "tax_id", "taxonomy_code")},
        "organization_provider_id": known["provider_id"],
        "is_rendering": person,
        "is_billing": not person,
        "provider_type": "INDIVIDUAL" if person else "ORGANIZATION",
        "license_type": "MD" if person else "UNKNOWN",
        "addresses": [{"address": known["address"], "address_type": "DEFAULT"}],
        "employment_start_date": "2020-01-01" if person else None,
        "employment_termination_date": None,
        "qualifications": [],
    }


PROVIDERS: Final = Kind("provider", "organization_provider_id", count=lambda _: CLINICIANS + 1, make=_make)
_IDENTIFIERS: Final = Kind("provider_identifier", "identifier_id")


_RULES: Final = {
    "npi": is_npi,
    **dict.fromkeys(("employment_start_date", "employment_termination_date"), is_day),
}
_NEEDED: Final = ("npi", "is_rendering", "is_billing", "provider_type", "license_type", "qualifications")


def _name(provider: Record) -> str:
    name = " ".join(provider[part] for part in ("last_name", "first_name") if provider[part])
    return name or provider["organization_name"] or ""


@answers("organization_providers.v_3.get_multi")
def list_providers(asked: Asked) -> Record:
    field, _, way = (asked.query.choice("sort", _SORTS) or "provider_name:asc").partition(":")
    found = [provider for provider in asked.state.of(PROVIDERS) if _fits(asked, provider)]
    found.sort(key=lambda provider: provider["npi"] if field == "npi" else _name(provider).casefold())
    return page_of(asked, found[::-1] if way == "desc" else found)


def _fits(asked: Asked, provider: Record) -> bool:
    query = asked.query
    term, npi = (query.text("search_term") or "").casefold(), query.text("npi")
    rendering, billing = query.boolean("is_rendering"), query.boolean("is_billing")
    ids, organization = query.texts("organization_provider_ids"), query.uuid("organization_id")
    names = " ".join(provider[name] or "" for name in _NAMES)
    return (
        (term in names.casefold() or term in _name(provider).casefold())
        and npi in (None, provider["npi"])
        and rendering in (None, provider["is_rendering"])
        and billing in (None, provider["is_billing"])
        and (not ids or provider["organization_provider_id"] in ids)
        and organization in (None, asked.state.organization.id)
    )


def provider_of(asked: Asked) -> Record:
    """The provider whose id is in the path."""
    return found(asked, PROVIDERS)


@answers("organization_providers.v_3.get")
def get_provider(asked: Asked) -> Record:
    return provider_of(asked)


@answers("organization_providers.v_3.create")
def create_provider(asked: Asked) -> Record:
    check(asked, _RULES)
    providers = asked.state.of(PROVIDERS)
    fields = completed(asked)
    fields["qualifications"] = _qualifications(asked, [], fields["qualifications"])
    provider = providers.add({"organization_provider_id": providers.new_id(), **fields})
    return _told(asked, "Created", provider)


@answers("organization_providers.v_3.update")
def update_provider(asked: Asked) -> Record:
    provider = provider_of(asked)
    check(asked, _RULES, needed=_NEEDED)
    qualifications = _qualifications(asked, provider["qualifications"], asked.body.get("qualifications") or [])
    provider = provider | given(asked) | {"qualifications": qualifications}
    return _told(asked, "Updated", asked.state.of(PROVIDERS).put(provider))


def _told(asked: Asked, happened: str, provider: Record) -> Record:
    payload = {"organization_provider_id": provider["organization_provider_id"]}
    emit(asked.state, f"CandidApi.OrganizationProvider.{happened}", payload)
    return provider


def _qualifications(asked: Asked, present: list[Record], given: list[Record]) -> list[Record]:
    """The identifiers of a provider after some were added, updated and removed."""
    rows, identifiers = {row["identifier_id"]: row for row in present}, asked.state.of(_IDENTIFIERS)
    for order in given:
        way = order.get("type", "add")
        wanted = order.get("value") if way == "remove" else order.get("identifier_id")
        if way != "add" and wanted not in rows:
            raise unprocessable(asked.endpoint, "qualifications", "has an identifier that the provider has not")
        if way == "remove":
            del rows[wanted]
        elif way == "update":
            rows[wanted] = _updated(rows[wanted], order)
        else:
            row = identifiers.add({"identifier_id": identifiers.new_id(), "period": None} | _identifier(order))
            rows[row["identifier_id"]] = row
    return list(rows.values())


def _identifier(order: Record) -> Record:
    given = {name: order[name] for name in ("identifier_code", "identifier_value", "period") if order.get(name)}
    if given.get("identifier_value", {}).get("type") == "medicare_provider_identifier":
        given["identifier_value"] = {"organization_service_facility_id": None} | given["identifier_value"]
    return given


def _updated(row: Record, order: Record) -> Record:
    row = row | _identifier(order)
    if isinstance(row["period"], dict) and row["period"].get("type") == "remove":
        row["period"] = None
    return row


def required(asked: Asked, name: str) -> str:
    """A query parameter that must be there."""
    value = asked.query.text(name)
    if value is None:
        raise invalid(name, "is required")
    return value
