"""What payments, refunds and write-offs have in common: their listings, changes and removal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.money.fields import updated
from candid_provider.emulator.endpoints.money.invoices import known_invoice
from candid_provider.emulator.exchange.answers import not_emulated
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.instants import moment_of
from candid_provider.emulator.exchange.paging import page, page_of, sorted_by
from candid_provider.emulator.records.collection import Collection, Kind, Record
from candid_provider.emulator.records.feed import Key, Sorted
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.settlements import Series

REFUND_REASONS: Final = ("OVERCHARGED", "ENTERED_IN_ERROR", "TRANSFER")
_SORTABLE: Final = 50_000
_UNDATED: Final = 1 << 62


@dataclass(frozen=True)
class Listing:
    """How a kind of transaction is listed: the field that dates it, the others it can be sorted by."""

    kind: Kind
    dated: str
    sorts: tuple[str, ...]

    def answer(
        self,
        asked: Asked,
        seeded: range,
        keep: Callable[[Record], bool],
        may: Callable[[int], bool] = lambda _: True,
    ) -> Record:
        """A page of the transactions that `keep` accepts; `may` tells early which seeded ones it cannot accept."""
        field = asked.query.choice("sort", (self.dated, *self.sorts)) or self.dated
        descending = (asked.query.choice("sort_direction", ("asc", "desc")) or "desc") == "desc"
        rows = asked.state.of(self.kind)
        dated = _by_date(asked.state, rows, seeded, self.dated, descending=descending)

        def load(key: Key) -> Record | None:
            if not key.written and (rows.is_changed(key.number) or not may(key.number)):
                return None
            return rows.updated_record(key)

        if field == self.dated:
            return page(asked, dated, load, keep=keep, descending=descending)
        if len(dated) > _SORTABLE:
            raise not_emulated(f"sorting more than {_SORTABLE} rows of {asked.endpoint.id} by {field}")
        found = (record for key in dated.walk() if (record := load(key)) is not None and keep(record))
        return page_of(asked, sorted_by(found, field, descending=descending))


def _by_date(state: State, rows: Collection, seeded: range, field: str, *, descending: bool) -> Sorted:
    """Transactions by the date they carry, which their writers chose freely; those without one come last."""
    undated = -_UNDATED if descending else _UNDATED
    keys = rows.by_update(range(0)).walk()
    live = ((key, record) for key in keys if (record := rows.updated_record(key)) is not None)
    dated = [Key(_order(record[field], undated), 1, key.number) for key, record in live]
    return Sorted(seeded, lambda index: rows.kind.updated(state, index), dated)


def _order(moment: str | None, undated: int) -> int:
    return undated if moment is None else moment_of(moment)


def change(asked: Asked, record: Record, *, dated: str, note: str, invoice: str | None = None) -> Record:
    """A transaction with the date, note, invoice and reason of the body, where they are given."""
    body = asked.body
    changed = dict(record)
    if body.get(dated) is not None:
        changed[dated] = body[dated]
    changed[note] = updated(asked, note, record[note])
    if "refund_reason" in record:
        changed["refund_reason"] = updated(asked, "refund_reason", record["refund_reason"])
    if invoice is not None:
        changed[invoice] = known_invoice(asked, updated(asked, invoice, record[invoice]))
    return changed


def targeted(asked: Asked, series: Series) -> tuple[range, Callable[[Record], bool]]:
    """The seeded transactions that the filters on patient and target leave, and the test for the written ones."""
    query, state = asked.query, asked.state
    known = {parameter.name for parameter in asked.endpoint.query_params}
    patient = query.text("patient_external_id") if "patient_external_id" in known else None
    claim, line, provider = (query.uuid(name) for name in ("claim_id", "service_line_id", "billing_provider_id"))
    unattributed = query.boolean("unattributed") if "unattributed" in known else None
    seeded = range(series.total(state.world)) if provider is None else range(0)
    if patient is not None:
        seeded = overlap(seeded, series.indices(state.world, references.encounters_of_patient(state, patient)))
    if claim is not None:
        seeded = overlap(seeded, series.indices(state.world, references.seeded_with_claim(state, claim)))
    if line is not None:
        seeded = overlap(seeded, series.indices(state.world, references.seeded_with_line(state, line)))

    def fits(row: Record) -> bool:
        targets = [part["target"] for part in row["allocations"]]
        return (
            (patient is None or row.get("patient_external_id") == patient)
            and (claim is None or any(target.get("claim_id") == claim for target in targets))
            and (line is None or any(target.get("service_line_id") == line for target in targets))
            and (provider is None or any(target.get("billing_provider_id") == provider for target in targets))
            and (not unattributed or any(target["type"] == "unattributed" for target in targets))
        )

    return seeded, fits


def overlap(rows: range, others: range) -> range:
    """Those of `rows` that are among `others`, if one of the two is short or dense; else no fewer than that."""
    short, long = sorted((rows, others), key=len)
    if len(short) > 1:
        return short
    return short if short and short[0] in long else range(0)


def numbered(text: str, name: Callable[[int], str]) -> range:
    """The seeded row that `name` calls `text`, as a range of at most one."""
    digits = text[-8:]
    index = int(digits) if digits.isascii() and digits.isdigit() else -1
    return range(index, index + 1) if index >= 0 and name(index) == text else range(0)
