"""What patients and payers have paid, got back and been let off in the seeded world: on which claims, when, how much.

Inventory rows (claims that left their patient a balance) are told by their position. Of the first half, every fourth
was paid by its patient, every fourth written off, every sixteenth paid by somebody who is no insurance, and every
sixteenth partly paid back to the insurance. That happens a while after the balance arose (the first touch of a
claim); some of the payments are partly refunded after as long again (the second touch).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any, Final, NamedTuple

from candid_provider.emulator.world.world import World

PATIENT_PAYMENTS: Final = "patient_payments"
PATIENT_ADJUSTMENTS: Final = "patient_adjustments"
NON_INSURANCE_PAYMENTS: Final = "non_insurance_payments"
NON_INSURANCE_ADJUSTMENTS: Final = "non_insurance_adjustments"
INSURANCE_PAYMENTS: Final = "insurance_payments"
INSURANCE_ADJUSTMENTS: Final = "insurance_adjustments"
PATIENT_ACCOUNTS: Final = (
    *(PATIENT_PAYMENTS, PATIENT_ADJUSTMENTS),
    *(NON_INSURANCE_PAYMENTS, NON_INSURANCE_ADJUSTMENTS),
)
ACCOUNTS: Final = (*PATIENT_ACCOUNTS, INSURANCE_PAYMENTS, INSURANCE_ADJUSTMENTS)
PREPAID_CENTS: Final = 1_000
SOURCES: Final = ("MANUAL_ENTRY", "STRIPE", "SQUARE", "LOCKBOX")
# Microseconds after the balance of another claim arose: a place of its own.
FIRST_TOUCH: Final = 500
SECOND_TOUCH: Final = 700


class Part(NamedTuple):
    """An amount, and the service line or claim it is for (as the API writes the target of an allocation)."""

    cents: int
    target: dict[str, Any]


class Deed(NamedTuple):
    """A transaction as the claim sees it; `sign` is -1 if the money went back."""

    kind: str
    number: int
    account: str
    sign: int
    parts: list[Part]


class Series(NamedTuple):
    """Which positions have a transaction of a kind: every `step`-th from `first` on."""

    first: int
    step: int

    def position(self, index: int) -> int:
        return self.first + index * self.step

    def total(self, world: World) -> int:
        return len(range(self.first, positions(world), self.step))

    def indices(self, world: World, encounters: range) -> range:
        """The transactions on some encounters, which lie evenly."""
        step = _step(world)
        return common(self.first * step, self.step * step, self.total(world), encounters)


PAYMENTS: Final = Series(0, 4)
REFUNDS: Final = Series(0, 16)
WRITE_OFFS: Final = Series(1, 4)
THIRD_PARTY_PAYMENTS: Final = Series(2, 16)
THIRD_PARTY_REFUNDS: Final = Series(2, 64)
INSURANCE_REFUNDS: Final = Series(7, 16)


def common(first: int, step: int, count: int, numbers: range) -> range:
    """The n below `count` for which `first + n * step` is one of the evenly rising `numbers`."""
    if not numbers:
        return range(0)
    start = max(0, -(-(numbers.start - first) // step))
    stop = min(count, (numbers[-1] - first) // step + 1)
    shared = gcd(step, numbers.step)
    rest, period = divmod(numbers.start - first, shared), numbers.step // shared
    if rest[1] or start >= stop:
        return range(0)
    remainder = rest[0] * pow(step // shared, -1, period) % period
    return range(start + (remainder - start) % period, stop, period)


def _step(world: World) -> int:
    return world.inventory_rows().step


def encounter_at(world: World, position: int) -> int:
    return position * _step(world)


def position_of(world: World, encounter: int) -> int | None:
    """The position of an encounter that leaves its patient a balance."""
    position, rest = divmod(encounter, _step(world))
    return None if rest else position


def positions(world: World) -> int:
    """How many positions may have been touched when the world's time starts."""
    return world.encounters // 2 // _step(world)


def lag(world: World) -> int:
    """How many positions later a claim is touched."""
    return positions(world) // 5


def touched_first(world: World, position: int) -> int:
    return world.adjudicated(encounter_at(world, position + lag(world))) + FIRST_TOUCH


def touched_again(world: World, position: int) -> int:
    return world.adjudicated(encounter_at(world, position + 2 * lag(world))) + SECOND_TOUCH


def is_touched(position: int, *, again: bool = False) -> bool:
    """Whether something changed what the patient owes on the claim at a position."""
    return position % 16 == 0 or position % 64 == 2 if again else position % 4 in (0, 1) or position % 16 == 2


def source_of(world: World, payment: int) -> str:
    return SOURCES[world.ids.draw("payment-source", payment) % len(SOURCES)]


def has_prepaid(world: World, payment: int) -> bool:
    """Whether a payment is more than was owed."""
    return _manner(world, payment) == 7


def _manner(world: World, payment: int) -> int:
    return world.ids.draw("payment-manner", payment) % 8


def payment_parts(world: World, payment: int, encounter: dict[str, Any]) -> list[Part]:
    """What a patient paid: everything, some, an amount for the whole claim, or more than was owed."""
    claim, manner = encounter["claims"][0], _manner(world, payment)
    owed = [(line, line["patient_responsibility_cents"] or 0) for line in claim["service_lines"]]
    if manner in (4, 5):
        line, cents = owed[0]
        return [Part(max(1, cents // 2), line_target(encounter, line))]
    if manner == 6:
        return [Part(max(1, sum(cents for _, cents in owed) // 2), claim_target(encounter, claim))]
    parts = [Part(cents, line_target(encounter, line)) for line, cents in owed]
    return [*parts, Part(PREPAID_CENTS, {"type": "unattributed"})] if manner == 7 else parts


def refund_parts(world: World, refund: int, encounter: dict[str, Any]) -> list[Part]:
    """Half of what was paid first is given back."""
    first = payment_parts(world, refund * (REFUNDS.step // PAYMENTS.step), encounter)[0]
    return [Part(max(1, first.cents // 2), first.target)]


def one_line(encounter: dict[str, Any], numerator: int, denominator: int) -> list[Part]:
    """A part of what the patient owes on the first service line."""
    line = encounter["claims"][0]["service_lines"][0]
    cents = (line["patient_responsibility_cents"] or 0) * numerator // denominator
    return [Part(max(1, cents), line_target(encounter, line))]


def repaid(encounter: dict[str, Any]) -> list[Part]:
    """A tenth of what the insurance allowed for the first service line."""
    line = encounter["claims"][0]["service_lines"][0]
    return [Part(max(1, (line["allowed_amount_cents"] or 0) // 10), line_target(encounter, line))]


def line_target(encounter: dict[str, Any], line: dict[str, Any]) -> dict[str, Any]:
    ids = {"service_line_id": line["service_line_id"], "claim_id": line["claim_id"]}
    return {"type": "service_line", **ids, "encounter_id": encounter["encounter_id"]}


def claim_target(encounter: dict[str, Any], claim: dict[str, Any]) -> dict[str, Any]:
    return {"type": "claim", "claim_id": claim["claim_id"], "encounter_id": encounter["encounter_id"]}


def deeds(world: World, position: int, encounter: dict[str, Any]) -> Iterator[Deed]:
    """The seeded transactions on the claim at a position."""
    if position >= positions(world):
        return
    if position % 4 == 0:
        parts = payment_parts(world, position // 4, encounter)
        yield Deed("patient_payment", position // 4, PATIENT_PAYMENTS, 1, parts)
    if position % 16 == 0:
        parts = refund_parts(world, position // 16, encounter)
        yield Deed("patient_refund", position // 16, PATIENT_PAYMENTS, -1, parts)
    if position % 4 == 1:
        yield Deed("write_off", position // 4, PATIENT_ADJUSTMENTS, 1, one_line(encounter, 1, 1))
    if position % 16 == 2:
        parts = one_line(encounter, 1, 2)
        yield Deed("non_insurance_payer_payment", position // 16, NON_INSURANCE_PAYMENTS, 1, parts)
    if position % 64 == 2:
        parts = one_line(encounter, 1, 4)
        yield Deed("non_insurance_payer_refund", position // 64, NON_INSURANCE_PAYMENTS, -1, parts)
    if position % 16 == 7:
        yield Deed("insurance_refund", position // 16, INSURANCE_PAYMENTS, -1, repaid(encounter))
