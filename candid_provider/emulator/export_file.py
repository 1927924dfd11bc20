"""The CSV of an export: the versions of the seeded claims in a window of days. Its columns are invented.

Candid does not publish its columns without a login, and adds new ones at the end without notice: read by name. Here
the last one, `padding`, makes all rows equally long, so that the size of a file and any part of it are known without
writing the rest, however many claims there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from candid_provider.emulator.claims import line_indices, money, status_of
from candid_provider.emulator.clock import EPOCH
from candid_provider.emulator.data import World, microseconds
from candid_provider.emulator.encounters import external_id
from candid_provider.emulator.files import Stream
from candid_provider.emulator.organization import payer_id, payer_name
from candid_provider.emulator.people import MARKERS, person
from candid_provider.emulator.ranges import between

COLUMNS: Final = (
    *("encounter_id", "claim_id", "encounter_external_id", "claim_version", "claim_version_created_at"),
    *("claim_status", "date_of_service", "patient_external_id", "patient_name", "patient_preferred_name"),
    *("primary_payer_id", "primary_payer_name", "service_line_count", "charge_amount_cents"),
    *("paid_amount_cents", "patient_responsibility_cents", "padding"),
)
_HEADER: Final = (",".join(COLUMNS) + "\n").encode()
_ROW: Final = 512
_ROWS_AT_ONCE: Final = 128
# Letters of two and three bytes, right-to-left ones and one beyond the basic plane: what a careless reader breaks.
_PREFERRED: Final = tuple(
    name + MARKERS[0] for name in ("Renée", "Zoë", "Łucja", "Søren", "美咲", "שירה", "Ann", "Jo🙂")
)


class Outcome(NamedTuple):
    """A version of a claim; amounts in cents."""

    status: str
    lines: int
    charge: int
    paid: int | None = None
    owed: int | None = None


def export(world: World, first: date, last: date) -> Stream:
    """The file for the days from `first` to `last`, both inclusive."""
    start, end = _midnight(first), _midnight(last + timedelta(days=1)) - 1
    everything = range(world.encounters)
    submitted = between(everything, world.created, start, end)
    adjudicated = between(everything, world.adjudicated, start, end)
    total = len(submitted) + len(adjudicated)

    def row(number: int) -> bytes:
        if number < len(submitted):
            return _row(world, submitted[number], 1)
        return _row(world, adjudicated[number - len(submitted)], 2)

    def read(begin: int, stop: int) -> Iterator[bytes]:
        if begin < len(_HEADER):
            yield _HEADER[begin : min(stop, len(_HEADER))]
        begin, stop = max(0, begin - len(_HEADER)), stop - len(_HEADER)
        while begin < stop:
            number = begin // _ROW
            rows = b"".join(map(row, range(number, min(total, number + _ROWS_AT_ONCE))))
            part = rows[begin - number * _ROW : stop - number * _ROW]
            yield part
            begin += len(part)

    known = repr((world.config.seed, world.config.starts_at, world.config.days, total, first, last))
    return Stream(len(_HEADER) + total * _ROW, hashlib.blake2b(known.encode(), digest_size=16).hexdigest(), read)


def _midnight(day: date) -> int:
    return (datetime.combine(day, time(), EPOCH.tzinfo) - EPOCH) // timedelta(microseconds=1)


def _row(world: World, index: int, version: int) -> bytes:
    patient, outcome = world.patient_of(index), outcome_of(world, index, version)
    who, payer = person(patient, world.ids.draw("person", patient)), world.payer_of(world.coverages_of(patient)[0])
    instant = world.created(index) if version == 1 else world.adjudicated(index)
    cells = (
        world.ids.uuid("encounter", index),
        world.ids.uuid("claim", index),
        external_id(index),
        str(version),
        microseconds(instant),
        outcome.status,
        world.date_of_service(index).isoformat(),
        world.ids.uuid("patient", patient),
        f'"{who.family}, {who.given}"',
        _PREFERRED[patient % len(_PREFERRED)],
        payer_id(payer),
        payer_name(payer),
        str(outcome.lines),
        str(outcome.charge),
        _cents(outcome.paid),
        _cents(outcome.owed),
        "",
    )
    line = ",".join(cells).encode()
    return line + b"." * (_ROW - 1 - len(line)) + b"\n"


def _cents(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def outcome_of(world: World, index: int, version: int) -> Outcome:
    """What a version of a claim says: the first what was billed, the second also what the payer answered."""
    status, owes = status_of(world, index), world.owes(index)
    lines = [money(status, owes, world.ids.draw("line", number)) for number in line_indices(world, index)]
    charge = sum(line.charge for line in lines)
    if version == 1:
        return Outcome("submitted_to_payer", len(lines), charge)
    paid, owed = (sum(line.paid or 0 for line in lines), sum(line.owed or 0 for line in lines))
    return Outcome(status, len(lines), charge, paid, owed)
