"""Many real processes, forked from one that has imported what they need: each is a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import psutil

from tests.processes.task import Order, Task, live


class Member:
    """One process of a fleet."""

    def __init__(self, nursery: ForkServerContext, task: Task, log: Path) -> None:
        self.log = log
        self._orders, theirs = nursery.Pipe()
        self.process = nursery.Process(target=live, args=(task, log, theirs))
        self.process.start()
        theirs.close()

    def tell(self, order: Order) -> None:
        self._orders.send(order)

    def hear(self) -> Any:
        return self._orders.recv()

    @property
    def stopped(self) -> bool:
        assert self.process.pid
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def kill(self) -> None:
        """Kill it without a last word (``kill -9``)."""
        self.process.kill()
        self.process.join()

    def end(self) -> None:
        self._orders.close()
        self.process.join()
        self.process.close()


class Fleet:
    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    def do(self, order: Callable[..., Any], **arguments: Any) -> list[Any]:
        """Have all members do a thing at the same time, and hear how it went."""
        for member in self.members:
            member.tell(partial(order, **arguments))
        return [member.hear() for member in self.members]

    @property
    def logs(self) -> list[str]:
        return [member.log.read_text() for member in self.members]


class Nursery:
    """Starts fleets."""

    def __init__(self, context: ForkServerContext, logs: Path) -> None:
        self._context, self._logs, self._number = context, logs, count()

    @contextmanager
    def fleet(self, size: int, task: Task) -> Iterator[Fleet]:
        """Start so many processes and end them with the ``with`` block."""
        members = [Member(self._context, task, self._logs / f"{next(self._number)}.log") for _ in range(size)]
        try:
            assert {member.hear() for member in members} == {"ready"}
            yield Fleet(members)
        finally:
            for member in members:
                member.end()
