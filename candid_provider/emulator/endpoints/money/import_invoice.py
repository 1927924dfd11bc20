"""Invoices brought in from another system (Candid: /api/import-invoice/v1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from candid_provider.emulator.endpoints.encounters.lookups import found
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.external_payment_account_config import ACCOUNT_CONFIGS
from candid_provider.emulator.endpoints.money.invoice_items import new_items, rolled_up, updated_items
from candid_provider.emulator.endpoints.money.invoices import (
    INVOICES,
    STATUSES,
    created_at,
    due_date,
    invoices_on,
    made_by,
    status_of,
)
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, not_emulated, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page, page_of, sorted_by
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed, Key, Sorted
from candid_provider.emulator.world.ranges import between

_SORTS: Final = ("CREATED_AT", "UPDATED_AT", "PATIENT_EXTERNAL_ID", "NOTE", "DUE_DATE", "STATUS")
_SORTABLE: Final = 50_000


@answers("import_invoice.v_1.get_multi")
def list_invoices(asked: Asked) -> Record:
    query, rows = asked.query, asked.state.of(INVOICES)
    sort = query.choice("sort", _SORTS) or "CREATED_AT"
    descending = (query.choice("sort_direction", ("asc", "desc")) or "desc") == "desc"
    keep, may, feed = _filter(asked), _early(asked), _rows(asked)

    def load(key: Key) -> Record | None:
        if not key.written and not rows.is_changed(key.number) and not may(key.number):
            return None
        return rows.created_record(key)

    if sort == "CREATED_AT":
        return page(asked, feed, load, keep=keep, descending=descending)
    if len(feed) > _SORTABLE:
        raise not_emulated(f"sorting more than {_SORTABLE} rows of {asked.endpoint.id} by {sort}")
    found = (record for key in feed.walk() if (record := load(key)) is not None and keep(record))
    return page_of(asked, sorted_by(found, sort.lower(), descending=descending))


def _rows(asked: Asked) -> Feed:
    """Invoices as they were made: the written ones, and of the others those of the patient or days asked for."""
    state, query, rows = asked.state, asked.query, asked.state.of(INVOICES)
    patient, external = query.text("patient_external_id"), query.text("encounter_external_id")
    seeded, single = _made_for(asked), []
    if external is not None:
        index = references.index_of_encounter(external)
        single, seeded = invoices_on(state, range(0) if index is None else range(index, index + 1)), range(0)
    elif patient is not None:
        single, seeded = invoices_on(state, references.encounters_of_patient(state, patient)), range(0)
    changed = {key.number for key, _, _ in rows.written_rows() if key.written == 2}
    numbers = {number for number in changed.union(single) if number not in seeded}
    keys = [Key(created_at(state, number), 0, number) for number in numbers]
    return Sorted(seeded, lambda index: created_at(state, index), [*keys, *rows.by_creation(range(0)).walk()])


def _made_for(asked: Asked) -> range:
    """The seeded invoices that are due on the days asked for: each a fixed time after it was made."""
    state, before, after = asked.state, asked.query.day("due_date_before"), asked.query.day("due_date_after")
    last = None if before is None else made_by(before) - 1
    first = None if after is None else made_by(after + timedelta(days=1))
    return between(state.of(INVOICES).seeded, lambda index: created_at(state, index), first, last)


def _early(asked: Asked) -> Callable[[int], bool]:
    """Tells of a seeded invoice that nobody changed whether it fits, without making it."""
    statuses, note = asked.query.choices("status", STATUSES), asked.query.text("note")
    return lambda index: not note and (not statuses or status_of(asked.state, index) in statuses)


def _filter(asked: Asked) -> Callable[[Record], bool]:
    query = asked.query
    patient, note = query.text("patient_external_id"), query.text("note")
    before, after = query.day("due_date_before"), query.day("due_date_after")
    statuses, external = query.choices("status", STATUSES), query.text("encounter_external_id")
    billed = None if external is None else references.find_by_encounter_external_id(asked.state, external)
    claim_id = billed.claim["claim_id"] if billed else ""

    def keep(row: Record) -> bool:
        return (
            (patient is None or row["patient_external_id"] == patient)
            and (note is None or note.casefold() in (row["note"] or "").casefold())
            and (before is None or row["due_date"] < before.isoformat())
            and (after is None or row["due_date"] > after.isoformat())
            and (external is None or claim_id in row["items"]["claim_invoice_items"])
            and (not statuses or row["status"] in statuses)
        )

    return keep


@answers("import_invoice.v_1.get")
def get_invoice(asked: Asked) -> Record:
    return found(asked, INVOICES)


# --- writing


@answers("import_invoice.v_1.import_invoice")
def import_invoice(asked: Asked) -> Record:
    body, rows = asked.body, asked.state.of(INVOICES)
    if rows.holder(body["external_identifier"]) is not None:
        raise declared(asked.endpoint, "EntityConflictError", {"entity_name": "invoice"})
    account = body["external_payment_account_config_id"]
    if asked.state.of(ACCOUNT_CONFIGS).get(account) is None:
        raise unprocessable(asked.endpoint, "external_payment_account_config_id", "is not a known account")
    items = new_items(asked, body["items"])
    status = body["status"]
    due, now = body.get("due_date"), asked.state.now()
    return rows.add(
        {
            "id": rows.new_id(),
            "created_at": now,
            "updated_at": now,
            "items": rolled_up(items),
            "patient_external_id": body["patient_external_id"],
            "external_customer_identifier": body["external_customer_identifier"],
            "status": status,
            "external_identifier": body["external_identifier"],
            "note": body.get("note"),
            "customer_invoice_url": body.get("customer_invoice_url"),
            "due_date": due or due_date(now),
            "amount_cents": sum(item["amount_cents"] for item in items),
        }
    )


@answers("import_invoice.v_1.update")
def update_invoice(asked: Asked) -> Record:
    before, body = get_invoice(asked), asked.body
    record = dict(before)
    if "external_identifier" in body and body["external_identifier"] != before["external_identifier"]:
        raise unprocessable(asked.endpoint, "external_identifier", "cannot be updated")
    record |= {name: body[name] for name in ("customer_invoice_url", "note") if name in body}
    record["status"] = body.get("status") or before["status"]
    record["due_date"] = body.get("due_date") or before["due_date"]
    if body.get("items") is not None:
        items = updated_items(asked, before, body["items"])
        record |= {"items": rolled_up(items), "amount_cents": sum(item["amount_cents"] for item in items)}
    record["updated_at"] = asked.state.now()
    return asked.state.of(INVOICES).put(record)
