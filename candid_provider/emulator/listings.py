"""The emulated reads: one table of routes, and for each how its query selects rows of the world."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from candid_provider.emulator import encounters, pre_encounter
from candid_provider.emulator.answers import not_found, pre_encounter_not_found
from candid_provider.emulator.claims import STATUSES, rows_with, status_of
from candid_provider.emulator.config import EmulatorConfig
from candid_provider.emulator.data import World, between
from candid_provider.emulator.organization import Organization, payer, payer_id, payer_name
from candid_provider.emulator.query import Page, PageTokens, Query, page_of

_SORTS: Final = ("created_at:asc", "created_at:desc", "date_of_service:asc", "date_of_service:desc")
_SCAN_PAGE: Final = 100


class Records:
    """What the reads draw on: the world, its fixed parts, and the page tokens that belong to it."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.world = World(config)
        self.organization = Organization(self.world.ids)
        sizes = (
            config.seed,
            config.as_of.isoformat(),
            config.days,
            config.encounters,
            config.patients,
            config.payers,
        )
        self.tokens = PageTokens(repr(sizes))


class Read(NamedTuple):
    """A GET: its path, the handler, and the query parameters it understands."""

    path: str
    answer: Callable[[Records, Query, str], Any]
    parameters: frozenset[str] = frozenset()


# --- encounters


def _list_encounters(records: Records, query: Query, _: str) -> Any:
    world, route = records.world, "encounters"
    limit = query.size("limit", 100, 1000)
    status = query.choice("claim_status", STATUSES)
    rows = _encounter_rows(world, query)
    if not (query.choice("sort", _SORTS) or "desc").endswith("asc"):
        rows = rows[::-1]
    keep = None if status is None else lambda index: status_of(world, index) == status
    page = page_of(rows, records.tokens.read(route, query), limit, keep)
    items = [encounters.encounter(world, records.organization, index) for index in page.rows]
    return _style_a(records, route, query, page, items)


def _encounter_rows(world: World, query: Query) -> range:
    rows = world.served_between(query.day("date_of_service_min"), query.day("date_of_service_max"))
    patient, external = query.text("patient_external_id"), query.text("external_id")
    if (status := query.choice("claim_status", STATUSES)) is not None:
        rows = _within(rows_with(world, status), rows)
    if patient is not None:
        number = world.ids.index("patient", patient, world.patients)
        rows = range(0) if number is None else _within(world.encounters_of(number), rows)
    if external is not None:
        index = encounters.index_of_external_id(external)
        rows = range(index, index + 1) if index is not None and index in rows else range(0)
    return rows


def _within(rows: range, limits: range) -> range:
    return between(rows, lambda index: index, limits.start, limits.stop - 1)


def _style_a(records: Records, route: str, query: Query, page: Page, items: list[Any]) -> dict[str, Any]:
    return {
        "items": items,
        "next_page_token": records.tokens.write(route, query, page.next),
        "prev_page_token": records.tokens.write(route, query, page.previous),
    }


def _get_encounter(records: Records, _: Query, identifier: str) -> Any:
    index = records.world.ids.index("encounter", identifier, records.world.encounters)
    if index is None:
        raise not_found(identifier)
    return encounters.encounter(records.world, records.organization, index)


# --- events


def _list_events(records: Records, query: Query, _: str) -> Any:
    world, route = records.world, "events"
    limit = query.size("limit", 10, 100)
    rows = _of_types(world.event_rows(), set(query.texts("event_types")))
    first, last = query.instant("created_after"), query.instant("created_before")
    rows = between(rows, world.event_recorded, first, last)[::-1]
    page = page_of(rows, records.tokens.read(route, query), limit)
    items = [encounters.event(world, index) for index in page.rows]
    return {"items": items, "next_page_token": records.tokens.write(route, query, page.next)}


def _of_types(rows: range, wanted: set[str]) -> range:
    created, updated = encounters.CREATED in wanted, encounters.STATUS_UPDATED in wanted
    if not wanted or (created and updated):
        return rows
    if not created and not updated:
        return range(0)
    # Creations have even numbers and `rows` starts at one of them.
    return rows[0 if created else 1 :: 2]


def _get_event(records: Records, _: Query, identifier: str) -> Any:
    rows = records.world.event_rows()
    index = records.world.ids.index("event", identifier, rows.stop)
    if index is None or index not in rows:
        raise not_found(identifier)
    return encounters.event(records.world, index)


# --- payers


def _list_payers(records: Records, query: Query, _: str) -> Any:
    route, term = "payers", (query.text("search_term") or "").casefold()
    limit = query.size("limit", 100, 1000)

    def matches(number: int) -> bool:
        return term in payer_name(number).casefold() or term in payer_id(number)

    rows = range(records.world.config.payers)
    page = page_of(rows, records.tokens.read(route, query), limit, matches if term else None)
    items = [payer(records.world.ids, number) for number in page.rows]
    return _style_a(records, route, query, page, items)


def _get_payer(records: Records, _: Query, identifier: str) -> Any:
    number = records.world.ids.index("payer", identifier, records.world.config.payers)
    if number is None:
        raise not_found(identifier)
    return payer(records.world.ids, number)


# --- patient AR


def _list_inventory(records: Records, query: Query, _: str) -> Any:
    world, route = records.world, "inventory"
    limit = query.size("limit", 100, 100)
    rows = between(world.inventory_rows(), world.adjudicated, query.instant("since"), None)
    page = page_of(rows, records.tokens.read(route, query), limit)
    items = [encounters.inventory_row(world, index) for index in page.rows]
    return {"records": items, "next_page_token": records.tokens.write(route, query, page.next)}


# --- pre_encounter

_ROWS: Final = {
    "patient": pre_encounter.patient,
    "appointment": pre_encounter.appointment,
    "coverage": pre_encounter.coverage,
}


def _count(world: World, kind: str) -> int:
    return {"patient": world.patients, "appointment": world.encounters, "coverage": world.coverages}[kind]


def _scan(kind: str, records: Records, query: Query, _: str) -> Any:
    world, make = records.world, _ROWS[kind]
    since = query.required_instant("since")
    limit = query.size("maxResults", _SCAN_PAGE, 1000)
    rows = between(range(_count(world, kind)), partial(world.updated, kind), since, None)
    return [make(world, records.organization, index) for index in rows[:limit]]


def _get_row(kind: str, records: Records, _: Query, identifier: str) -> Any:
    index = records.world.ids.index(kind, identifier, _count(records.world, kind))
    if index is None:
        raise pre_encounter_not_found(kind.capitalize())
    return _ROWS[kind](records.world, records.organization, index)


def _pre_encounter(kind: str, *more: str) -> tuple[Read, ...]:
    collection = f"/{kind}s/v1"
    return (
        Read(f"{collection}/updates/scan", partial(_scan, kind), frozenset({"since", *more})),
        Read(f"{collection}/{{id}}", partial(_get_row, kind)),
    )


_PAGING: Final = frozenset({"limit", "page_token"})
_ENCOUNTER_FILTERS: Final = frozenset(
    {
        "sort",
        "claim_status",
        "date_of_service_min",
        "date_of_service_max",
        "external_id",
        "patient_external_id",
    }
)
READS: Final = (
    Read("/api/encounters/v4", _list_encounters, _PAGING | _ENCOUNTER_FILTERS),
    Read("/api/encounters/v4/{encounter_id}", _get_encounter),
    Read("/api/events/v1/", _list_events, _PAGING | {"event_types", "created_after", "created_before"}),
    Read("/api/events/v1/{event_id}", _get_event),
    Read("/api/payers/v4", _list_payers, _PAGING | {"search_term"}),
    Read("/api/payers/v4/{payer_uuid}", _get_payer),
    Read("/api/patient-ar/v1/inventory", _list_inventory, _PAGING | {"since"}),
    *_pre_encounter("patient", "maxResults"),
    *_pre_encounter("appointment"),
    *_pre_encounter("coverage"),
)

# Other spellings that the API takes: no trailing slash, and the double slash of the published OpenAPI.
ALIASES: Final = {
    "/api/events/v1": "/api/events/v1/",
    "/coverages/v1//updates/scan": "/coverages/v1/updates/scan",
    "/coverages/v1//{id}": "/coverages/v1/{id}",
}

# Routes of Candid's that `{id}` above would otherwise swallow.
NOT_EMULATED: Final = (
    "/patients/v1/get_multi",
    "/patients/v1/search_providers",
    "/appointments/v1/visits",
    "/coverages/v1/get-multi-paginated",
)
