"""What the faults that strike a request make of it, around whatever would have answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from candid_provider.emulator.faults.fault_deeds import Fault, Target
from candid_provider.emulator.faults.fault_kinds import KINDS
from candid_provider.emulator.faults.faults import Faults
from candid_provider.emulator.faults.reply import Answered, Reply


async def misbehave(
    faults: Faults, target: Target, answer: Callable[[], Awaitable[Answered]]
) -> tuple[Reply, tuple[str, ...]]:
    """Answer a request, with the faults that strike it; the kinds that had an effect."""
    chosen = faults.choose(target.route, target.endpoint_id)
    struck: list[Fault] = []
    try:
        reply = await _before(chosen, target, struck)
        if reply is None:
            reply = _after(chosen, target, struck, Reply.of(await answer()))
    finally:
        for fault in chosen:
            if fault not in struck:
                faults.give_back(fault)
    return reply, tuple(fault.kind for fault in struck)


async def _before(chosen: list[Fault], target: Target, struck: list[Fault]) -> Reply | None:
    for fault in chosen:
        deed = KINDS[fault.kind].before
        outcome = deed is not None and await deed(fault, target)
        if outcome is not False:
            struck.append(fault)
        if isinstance(outcome, Reply):
            return outcome
    return None


def _after(chosen: list[Fault], target: Target, struck: list[Fault], reply: Reply) -> Reply:
    for fault in chosen:
        deed = KINDS[fault.kind].after
        if deed is None or fault in struck:
            continue
        outcome = deed(fault, target, reply)
        if outcome is not None:
            struck.append(fault)
            reply = outcome
    return reply
