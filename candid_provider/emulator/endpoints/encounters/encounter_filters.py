"""Which encounters a listing is of: by arithmetic for the seeded ones, by their content for the written ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from candid_provider.emulator.endpoints.encounters.claim_lives import owner_of, rows_owned_by
from candid_provider.emulator.endpoints.encounters.encounter_kinds import TAGS, queued_rows, tag_of, tagged_rows
from candid_provider.emulator.endpoints.encounters.lookups import fetched
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world import encounters
from candid_provider.emulator.world.claims import STATUSES, rows_with, status_of
from candid_provider.emulator.world.organization import CLINICIANS, payer_name
from candid_provider.emulator.world.people import person
from candid_provider.emulator.world.ranges import between, within
from candid_provider.emulator.world.world import microseconds

_OWNERS: Final = ("CANDID", "CUSTOMER", "CODER", "NONE")
_PARTIES: Final = ("INSURANCE_PAY", "SELF_PAY", "UNKNOWN")
_NONE: Final = range(0)


class Filters:
    """What a listing is of: `seeded` is where its unchanged rows lie, `fits` says which of them, `keeps` decides."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.state, self.world = asked, asked.state, asked.state.world
        self.seeded = range(self.world.encounters)
        self.external_id: str | None = None
        self._fits: list[Callable[[int], bool]] = []
        self._keeps: list[Callable[[Record], bool]] = []

    @property
    def any(self) -> bool:
        return bool(self._keeps)

    def fits(self, index: int) -> bool:
        """Whether an unchanged seeded encounter passes the filters, as far as can be said without making it."""
        return all(check(index) for check in self._fits)

    def keeps(self, record: Record) -> bool:
        return all(check(record) for check in self._keeps)

    def add(
        self,
        keeps: Callable[[Record], bool],
        seeded: range | None = None,
        fits: Callable[[int], bool] | None = None,
    ) -> None:
        """One more filter: on records, where the seeded ones lie that can pass, and a quick check of their index."""
        self._keeps.append(keeps)
        if seeded is not None:
            self._narrow(seeded)
        if fits is not None:
            self._fits.append(fits)

    def _narrow(self, seeded: range) -> None:
        # Of two ranges with steps, the coarser one is walked, and the finer one asked.
        coarse, fine = (seeded, self.seeded) if seeded.step >= self.seeded.step else (self.seeded, seeded)
        if fine.step > 1:
            self._fits.append(fine.__contains__)
        self.seeded = within(coarse, fine) if fine else _NONE


def filters_of(asked: Asked) -> Filters:
    """The filters of GET /api/encounters/v4."""
    filters = Filters(asked)
    for read in (_status, _service, _patient, _external_id, _payers, _money, _owner, _npis, _places, _search, _coded):
        read(filters)
    return filters


def _status(filters: Filters) -> None:
    status, world = filters.asked.query.choice("claim_status", STATUSES), filters.world
    if status is not None:
        filters.add(
            lambda row: any(claim["status"] == status for claim in row["claims"]),
            rows_with(world, status),
            lambda index: status_of(world, index) == status,
        )


def _service(filters: Filters) -> None:
    query = filters.asked.query
    first, last = query.day("date_of_service_min"), query.day("date_of_service_max")
    if first is None and last is None:
        return
    low, high = first.isoformat() if first else "", last.isoformat() if last else "9999"
    filters.add(
        lambda row: low <= (row["date_of_service"] or "") <= high,
        filters.world.served_between(first, last),
    )


def _patient(filters: Filters) -> None:
    query, world = filters.asked.query, filters.world
    merged = query.boolean("include_merged_patient_data")
    wanted = query.text("patient_external_id")
    if wanted is None:
        return
    known = {wanted, *(_alternatives(filters.asked, wanted) if merged else ())}
    numbers = {number for name in known if (number := world.ids.index("patient", name, world.patients)) is not None}
    filters.add(
        lambda row: row["patient"]["external_id"] in known,
        world.encounters_of(numbers.pop()) if len(numbers) == 1 else None if numbers else _NONE,
        (lambda index: world.patient_of(index) in numbers) if len(numbers) > 1 else None,
    )


def _alternatives(asked: Asked, patient_id: str) -> list[str]:
    """The ids of the patients who turned out to be this one."""
    merges = "pre_encounter.patient_merges.v_1.get_all_by_mrn"
    patient = fetched(asked, "pre_encounter.patients.v_1.get", patient_id)
    if patient is None:
        return []
    rows = [row for row in fetched(asked, merges, patient["mrn"]) or [] if not row["deactivated"]]
    names = {row["alternative_patient_mrn"] for row in rows if row["primary_patient_mrn"] == patient["mrn"]}
    return [row["id"] for name in sorted(names) if (row := _patient_with(asked, name)) is not None]


def _patient_with(asked: Asked, mrn: str) -> Record | None:
    by_mrn = "pre_encounter.patients.v_1.get_by_mrn"
    found: Record | None = fetched(asked, by_mrn, mrn)
    return found


def _external_id(filters: Filters) -> None:
    filters.external_id = text = filters.asked.query.text("external_id")
    if text is not None:
        filters.add(lambda row: row["external_id"] == text)


def _just(filters: Filters, index: int | None) -> range:
    return _NONE if index is None or index >= filters.world.encounters else range(index, index + 1)


def _payers(filters: Filters) -> None:
    text, world = filters.asked.query.text("primary_payer_names"), filters.world
    if text is None:
        return
    names = {name.strip().casefold() for name in text.split(",")}
    payers = {number for number in range(filters.state.config.payers) if payer_name(number).casefold() in names}
    filters.add(
        lambda row: (_card(row).get("payer_name") or "").casefold() in names,
        None if payers else _NONE,
        lambda index: world.payer_of(world.coverages_of(world.patient_of(index))[0]) in payers,
    )


def _card(row: Record) -> Record:
    card: Record = (row["subscriber_primary"] or {}).get("insurance_card") or {}
    return card


def _money(filters: Filters) -> None:
    query, world = filters.asked.query, filters.world
    if (billable := query.choice("billable_status", ("BILLABLE", "NOT_BILLABLE"))) is not None:
        is_billable = billable == "BILLABLE"
        filters.add(
            lambda row: row["billable_status"] == billable,
            None if is_billable else rows_with(world, "not_billable"),
            lambda index: (status_of(world, index) != "not_billable") == is_billable,
        )
    if (party := query.choice("responsible_party", _PARTIES)) is not None:
        filters.add(lambda row: row["responsible_party"] == party, None if party == "INSURANCE_PAY" else _NONE)


def _owner(filters: Filters) -> None:
    owner, world = filters.asked.query.choice("owner_of_next_action", _OWNERS), filters.world
    if owner is not None:
        filters.add(
            lambda row: row["owner_of_next_action"] == owner,
            rows_owned_by(world, owner),
            lambda index: owner_of(world, index) == owner,
        )


def _npis(filters: Filters) -> None:
    npis = set(filters.asked.query.texts("billing_provider_npis"))
    if npis:
        seeded = None if filters.state.organization.npi(CLINICIANS) in npis else _NONE
        filters.add(lambda row: _plain(row["billing_provider"])["npi"] in npis, seeded)


def _plain(part: Any) -> Any:
    # Of a seeded encounter, what is fixed may be JSON already.
    return msgspec.json.decode(part) if isinstance(part, msgspec.Raw) else part


def _places(filters: Filters) -> None:
    query, state = filters.asked.query, filters.state
    tags, queue = set(query.texts("tag_ids")), query.text("work_queue_id")
    if tags:
        filters.add(
            lambda row: any(tag["tag_id"] in tags for tag in row["tags"]),
            tagged_rows(state) if tags.intersection(TAGS) else _NONE,
            lambda index: tag_of(state, index) in tags,
        )
    if queue is not None:
        filters.add(
            lambda row: row["work_queue_id"] == queue,
            queued_rows(state, queue),
        )


def _search(filters: Filters) -> None:
    text = filters.asked.query.text("search_term")
    if not text:
        return
    term = text.casefold()
    seeded, fits = _searched(filters, term)
    filters.add(lambda row: _matches(row, term), seeded, fits)


def _matches(row: Record, term: str) -> bool:
    patient = row["patient"]
    exact = (row["encounter_id"], patient["external_id"].casefold(), patient["date_of_birth"], row["external_id"])
    if term in exact or any(claim["claim_id"] == term for claim in row["claims"]):
        return True
    return any(term in text.casefold() for text in (patient["first_name"], patient["last_name"], row["external_id"]))


def _searched(filters: Filters, term: str) -> tuple[range | None, Callable[[int], bool] | None]:
    world = filters.world
    for kind in ("encounter", "claim"):
        if (index := world.ids.index(kind, term, world.encounters)) is not None:
            return _just(filters, index), None
    if (number := world.ids.index("patient", term, world.patients)) is not None:
        return world.encounters_of(number), None
    if (index := encounters.index_of_external_id(term)) is not None:
        return _just(filters, index), None

    def fits(index: int) -> bool:
        number = world.patient_of(index)
        who = person(number, world.ids.draw("person", number))
        texts = (who.given.casefold(), who.family.casefold(), encounters.external_id(index))
        return who.birth_date == term or any(term in text for text in texts)

    return None, fits


def _coded(filters: Filters) -> None:
    since, world = filters.asked.query.instant("diagnoses_updated_since"), filters.world
    if since is None:
        return
    text = microseconds(since)
    rows = range(world.encounters)
    filters.add(
        lambda row: any(item["updated_at"] >= text for item in row["diagnoses"]),
        between(rows, world.created, since, None),
    )
