"""The faults of one emulator: its rules, and which of them strike a request."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from candid_provider.emulator.faults.fault_deeds import Fault
from candid_provider.emulator.faults.fault_kinds import KINDS
from candid_provider.emulator.faults.fault_rules import (
    BadRule,
    FaultRule,
    rule_from,
    rule_from_text,
    rules_in,
    rules_in_file,
)

__all__ = ["BadRule", "Fault", "FaultRule", "Faults", "add_arguments", "rules_from"]


@dataclass
class _Armed:
    """A rule in force: how many requests it matched, and how many of them it struck."""

    rule: FaultRule
    seen: int = 0
    fired: int = 0
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Random(self.rule.seed)

    def is_due(self) -> bool:
        """Whether the matching request that is here now is one to strike."""
        rule = self.rule
        self.seen += 1
        turn = self.seen - rule.after
        if turn < 1 or turn % rule.every:
            return False
        # Drawn for every turn, so that a seed means one sequence whatever else happens.
        lucky = self.chance.random() < rule.probability
        return lucky and (rule.count is None or self.fired < rule.count)


class Faults:
    """The fault rules of one emulator. Any thread may add and remove them."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: dict[int, _Armed] = {}
        self._last = 0
        self.released = asyncio.Event()
        self._arm(list(rules))

    def add(self, **fields: Any) -> int:
        """Add a rule, such as `add(kind="status", route="GET /api/encounters/v4", status=503, count=2)`; its id.

        Raises BadRule, a ValueError, that names the wrong field.
        """
        return self._arm([rule_from(fields)])[0]

    def add_all(self, rules: Any) -> list[int]:
        """Add a rule or a list of rules as decoded from JSON, all or none; their ids."""
        return self._arm(rules_in(rules))

    def remove(self, rule: int) -> bool:
        """End one rule; whether there was one."""
        with self._lock:
            return self._armed.pop(rule, None) is not None

    def clear(self) -> int:
        """End all rules; how many there were."""
        with self._lock:
            ended, self._armed = len(self._armed), {}
        return ended

    def fired(self, rule: int | None = None) -> int:
        """How many requests one rule, or all rules in force together, have struck."""
        with self._lock:
            return sum(armed.fired for number, armed in self._armed.items() if rule in (None, number))

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force, and of each how many requests matched it and how many it struck."""
        with self._lock:
            return [
                {"id": number} | armed.rule.as_json() | {"seen": armed.seen, "fired": armed.fired}
                for number, armed in self._armed.items()
            ]

    def choose(self, route: str, endpoint_id: str | None) -> list[Fault]:
        """The faults that strike a request (`GET /api/encounters/v4`, `encounters.v_4.get_all`), in order of deed."""
        if not self._armed:
            return []
        with self._lock:
            due = [
                (number, armed)
                for number, armed in self._armed.items()
                if armed.rule.matches(route, endpoint_id) and armed.is_due()
            ]
            chosen = [self._fire(number, armed) for number, armed in _without_losers(due)]
        return sorted(chosen, key=lambda fault: _ORDER[fault.kind])

    def concern(self, route: str) -> bool:
        """Whether any rule is about a route that is none of Candid's endpoints."""
        return any(armed.rule.matches(route, None) for armed in self._armed.values())

    def give_back(self, fault: Fault) -> None:
        """A chosen fault had nothing to do, so it has not struck."""
        with self._lock:
            if armed := self._armed.get(fault.rule):
                armed.fired -= 1

    def release(self) -> None:
        """End the requests that hang, because the emulator stops; to be called in its event loop."""
        self.released.set()

    def _arm(self, rules: list[FaultRule]) -> list[int]:
        with self._lock:
            ids = list(range(self._last + 1, self._last + 1 + len(rules)))
            self._last += len(rules)
            # A new dictionary: `choose` looks at it without the lock.
            self._armed = self._armed | {number: _Armed(rule) for number, rule in zip(ids, rules, strict=True)}
        return ids

    @staticmethod
    def _fire(number: int, armed: _Armed) -> Fault:
        armed.fired += 1
        return Fault(number, armed.rule.kind, armed.rule.details, armed.fired)


_ORDER = {name: number for number, name in enumerate(KINDS)}


def _without_losers(due: list[tuple[int, _Armed]]) -> list[tuple[int, _Armed]]:
    """Of those that end a request only the first can strike; the others wait for their turn."""
    ending = [number for number, armed in due if KINDS[armed.rule.kind].ends][1:]
    return [(number, armed) for number, armed in due if number not in ending]


_EXAMPLE = "status route='GET /api/encounters/v4' status=503 count=2"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options for faults to a command line."""
    group.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="RULE",
        help=f'misbehave, e.g. --fault "{_EXAMPLE}"; repeatable; kinds: {", ".join(KINDS)}',
    )
    group.add_argument(
        "--faults",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="rules as a JSON list, or TOML with [[faults]]",
    )


def rules_from(arguments: argparse.Namespace) -> tuple[FaultRule, ...]:
    """The rules on a command line made by `add_arguments`, files first; ValueError names what is wrong."""
    rules: list[FaultRule] = []
    for path in getattr(arguments, "faults", None) or ():
        try:
            rules += rules_in_file(path)
        except (OSError, ValueError) as problem:
            raise ValueError(f"--faults {path}: {problem}") from None
    for line in getattr(arguments, "fault", None) or ():
        try:
            rules.append(rule_from_text(line))
        except ValueError as problem:
            raise ValueError(f"--fault {line!r}: {problem}") from None
    return tuple(rules)
