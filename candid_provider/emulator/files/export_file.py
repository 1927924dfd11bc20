"""The CSV of an export: the versions of the seeded claims in a window of days. Its columns are invented.

Candid does not publish its columns without a login, and adds new ones at the end without notice: read by name. Here
the last one, `padding`, makes all rows equally long, so that the size of a file and any part of it are known without
writing the rest, however many claims there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Final

from candid_provider.emulator.files.files import Stream
from candid_provider.emulator.world.claims import Money, line_indices, money, path
from candid_provider.emulator.world.clock import EPOCH
from candid_provider.emulator.world.encounters import external_id
from candid_provider.emulator.world.lives import STAGES, Standing, standing
from candid_provider.emulator.world.organization import payer_id, payer_name
from candid_provider.emulator.world.people import MARKERS, person
from candid_provider.emulator.world.ranges import between
from candid_provider.emulator.world.world import World, microseconds

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


def export(world: World, first: date, last: date) -> Stream:
    """The file for the days from `first` to `last`, both inclusive."""
    start, end = _midnight(first), _midnight(last + timedelta(days=1)) - 1
    claims = range(world.encounters)
    versions = [between(claims, partial(_reached, world, stage), start, end) for stage in range(STAGES)]
    total = sum(map(len, versions))

    def row(number: int) -> bytes:
        for stage, rows in enumerate(versions):
            if number < len(rows):
                return _row(world, rows[number], stage)
            number -= len(rows)
        raise IndexError(number)

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


def _reached(world: World, stage: int, index: int) -> int:
    return world.reached(index, stage)


def _row(world: World, index: int, stage: int) -> bytes:
    """One version of a claim: what it was like when it reached a stage of its life."""
    patient, known = world.patient_of(index), standing(path(world, index), stage)
    who, payer = person(patient, world.ids.draw("person", patient)), world.payer_of(world.coverages_of(patient)[0])
    amounts = amounts_of(world, index, known)
    cells = (
        world.ids.uuid("encounter", index),
        world.ids.uuid("claim", index),
        external_id(index),
        str(stage + 1),
        microseconds(world.reached(index, stage)),
        known.status,
        world.date_of_service(index).isoformat(),
        world.ids.uuid("patient", patient),
        f'"{who.family}, {who.given}"',
        _PREFERRED[patient % len(_PREFERRED)],
        payer_id(payer),
        payer_name(payer),
        str(len(line_indices(world, index))),
        str(amounts.charge),
        _cents(amounts.paid),
        _cents(amounts.owed),
        "",
    )
    line = ",".join(cells).encode()
    return line + b"." * (_ROW - 1 - len(line)) + b"\n"


def _cents(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def amounts_of(world: World, index: int, known: Standing) -> Money:
    """The money of a whole claim that stands somewhere."""
    denied, ids = known.denied if known.eras else None, world.ids
    lines = [money(denied, world.owing(index), ids.draw("line", number)) for number in line_indices(world, index)]
    charge = sum(line.charge for line in lines)
    if denied is None:
        return Money(charge)
    return Money(charge, *(sum(amount or 0 for amount in column) for column in list(zip(*lines, strict=True))[1:]))
