"""What was paid on each claim and service line, and what that leaves the patient to pay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from candid_provider.emulator.world import settlements
from candid_provider.emulator.world.settlements import (
    ACCOUNTS,
    INSURANCE_ADJUSTMENTS,
    INSURANCE_PAYMENTS,
    PATIENT_ACCOUNTS,
    Deed,
)

if TYPE_CHECKING:
    from candid_provider.emulator.records.state import State

Record = dict[str, Any]


class Entry(NamedTuple):
    """An amount on an account; negative if it was given back."""

    cents: int
    source: str | None


class Touch(NamedTuple):
    """A write that changed what a patient owes on a claim."""

    claim_id: str
    encounter_id: str


def key_of(target: Record, patient: str | None = None) -> str:
    """What an allocation is for, as a key: credits that are for no claim belong to a patient."""
    kind = target["type"]
    if kind in ("service_line", "claim"):
        return f"{kind}:{target[f'{kind}_id']}"
    return ":".join([kind, target.get("billing_provider_id") or target.get("appointment_id") or "", patient or ""])


class Ledger:
    """The written transactions by account and target, beside the seeded ones, which are computed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._entries: dict[tuple[str, str], dict[str, Entry]] = {}
        self._undone: set[str] = set()
        self._latest: dict[str, int] = {}
        self._claims: set[str] = set()
        self.touches: list[Touch] = []
        self.touched_at: list[int] = []

    # --- writing

    def post(self, account: str, identifier: str, allocations: Iterable[Record], **details: Any) -> None:
        """Enter the allocations of a transaction that was written; `sign` -1 gives the money back."""
        sign, patient, source = details.get("sign", 1), details.get("patient"), details.get("source")
        for row in allocations:
            slot = self._entries.setdefault((account, key_of(row["target"], patient)), {})
            before = slot.get(identifier, Entry(0, None)).cents
            slot[identifier] = Entry(before + sign * row["amount_cents"], source)
        self._touch(account, allocations)

    def undo(self, account: str, identifier: str, allocations: Iterable[Record]) -> None:
        """Take back a transaction, seeded or written."""
        self._undone.add(identifier)
        self._touch(account, allocations)

    def arise(self, encounter: Record, at: int) -> None:
        """The claim of an encounter that was written has left its patient a balance."""
        for claim in encounter["claims"]:
            self._note(Touch(claim["claim_id"], encounter["encounter_id"]), at)

    def _touch(self, account: str, allocations: Iterable[Record]) -> None:
        for target in (row["target"] for row in allocations if "claim_id" in row["target"]):
            self._claims.add(target["claim_id"])
            if account in PATIENT_ACCOUNTS:
                self._note(Touch(target["claim_id"], target["encounter_id"]), self._state.clock.now())

    def _note(self, touch: Touch, at: int) -> None:
        self._latest[touch.claim_id] = len(self.touches)
        self.touches.append(touch)
        self.touched_at.append(at)

    # --- reading

    def is_undone(self, identifier: str) -> bool:
        """Whether a transaction was deleted."""
        return identifier in self._undone

    def last_touch(self, claim_id: str) -> int | None:
        """The number of the write that last changed what the patient owes on a claim."""
        return self._latest.get(claim_id)

    def entries(self, account: str, key: str, encounter: Record | None = None) -> list[Entry]:
        """What was entered for a target; `encounter` is the one it belongs to, if it belongs to one."""
        seeded = [] if encounter is None else self._seeded(account, key, encounter)
        written = self._entries.get((account, key), {})
        return [*seeded, *(entry for name, entry in written.items() if name not in self._undone)]

    def total(self, account: str, key: str, encounter: Record | None = None) -> int:
        return sum(entry.cents for entry in self.entries(account, key, encounter))

    def _seeded(self, account: str, key: str, encounter: Record) -> Iterator[Entry]:
        for deed in self._deeds(encounter):
            cents = sum(part.cents for part in deed.parts if key_of(part.target) == key)
            if cents and deed.account == account:
                yield Entry(deed.sign * cents, f"{deed.kind}-{deed.number:08d}")

    def _deeds(self, encounter: Record) -> list[Deed]:
        position = self._position(encounter)
        if position is None:
            return []
        rows = list(settlements.deeds(self._state.world, position, encounter))
        if not self._undone:
            return rows
        return [deed for deed in rows if self._state.world.ids.uuid(deed.kind, deed.number) not in self._undone]

    def _position(self, encounter: Record) -> int | None:
        world = self._state.world
        index = world.ids.index("encounter", encounter["encounter_id"], world.encounters)
        position = None if index is None else settlements.position_of(world, index)
        return position if position is not None and position < settlements.positions(world) else None

    # --- what an encounter shows

    def balanced(self, encounter: Record) -> Record:
        """An encounter with the balances that the transactions on its claims leave; to be done again harmlessly."""
        seeded = self._deeds(encounter)
        if not seeded and not any(claim["claim_id"] in self._claims for claim in encounter["claims"]):
            return encounter
        sums = self._sums(seeded, encounter)
        left = owed = 0
        for claim in encounter["claims"]:
            for line in claim["service_lines"]:
                _balance(line, sums.get(f"service_line:{line['service_line_id']}", {}))
                owed += line["patient_responsibility_cents"] or 0
                left += line["patient_balance_cents"]
            left -= _settled(sums.get(f"claim:{claim['claim_id']}", {}))
        if owed:
            encounter["next_responsible_party"] = "patient" if left > 0 else "none"
        return encounter

    def _sums(self, seeded: list[Deed], encounter: Record) -> dict[str, dict[str, int]]:
        sums: dict[str, dict[str, int]] = {}
        for deed in seeded:
            for part in deed.parts:
                _add(sums, key_of(part.target), deed.account, deed.sign * part.cents)
        for claim in encounter["claims"] if self._entries else ():
            keys = [f"service_line:{line['service_line_id']}" for line in claim["service_lines"]]
            for key in (*keys, f"claim:{claim['claim_id']}"):
                for account in ACCOUNTS:
                    _add(sums, key, account, self.total(account, key))
        return sums


def _add(sums: dict[str, dict[str, int]], key: str, account: str, cents: int) -> None:
    of_key = sums.setdefault(key, {})
    of_key[account] = of_key.get(account, 0) + cents


def _balance(line: Record, sums: dict[str, int]) -> None:
    unpaid = line["charge_amount_cents"] or 0 if line["allowed_amount_cents"] is None else 0
    settled = sums.get(INSURANCE_PAYMENTS, 0) + sums.get(INSURANCE_ADJUSTMENTS, 0)
    line["patient_balance_cents"] = (line["patient_responsibility_cents"] or 0) - _settled(sums)
    line["insurance_balance_cents"] = unpaid - settled


def claim_balance(ledger: Ledger, claim: Record, encounter: Record) -> int:
    """What the patient owes on a claim, its service lines as the encounter shows them; negative is a credit."""
    lines = sum(line["patient_balance_cents"] or 0 for line in claim["service_lines"])
    return lines - sum(ledger.total(account, f"claim:{claim['claim_id']}", encounter) for account in PATIENT_ACCOUNTS)


def _settled(sums: dict[str, int]) -> int:
    return sum(sums.get(account, 0) for account in PATIENT_ACCOUNTS)
