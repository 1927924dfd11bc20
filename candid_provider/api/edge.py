"""The newest records delivered, so that a feed can be read again from a little before its end without a double."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

MOST = 1000
"""Records remembered: 14 KB in a mark, 40 KB in a checkpoint (Airflow 3.3 advises at most 64 KB for a state)."""
SECOND = 1_000_000


class Edge:
    """Remember the records delivered at the end of a feed, by the digest of their key.

    What was delivered at or after :attr:`floor` is remembered, without a gap. The floor follows the newest
    record at the distance of the overlap, up to the time at which the run began: what was written before, but
    could be read only later, may have been passed by. It comes nearer when more than ``MOST`` records lie in
    between, but never past the newest.

    :param overlap: seconds before the newest record from which the next run reads again.
    :param begun: when the run began, in microseconds since 1970.
    :param floor: microseconds since 1970 from which on this run reads; None for all there is.
    :param seen: digests of the records at or after the floor that earlier runs delivered.
    :param newest: end of the span that is read, where a feed has one.
    """

    def __init__(
        self,
        *,
        overlap: float,
        begun: int,
        floor: int | None = None,
        seen: Iterable[str] = (),
        newest: int | None = None,
    ) -> None:
        self.floor, self.newest, self._begun = floor, newest, begun
        self._first_floor = floor
        self._overlap = round(overlap * SECOND)
        self._seen = set(seen)
        self._kept: dict[str, int] = {}
        self._latest = Latest()

    def is_new(self, key: str, moment: int) -> bool:
        """Take note of a record that came, and say whether it is to be delivered."""
        digest = digest_of(key)
        if digest in self._kept or digest in self._latest:
            return False
        # Of what earlier runs delivered only the digest is known; its time is learnt when it comes again.
        new = digest not in self._seen
        self._seen.discard(digest)
        self._latest.add(digest)
        if self.newest is None or moment > self.newest:
            self.newest = moment
        if moment >= self._cut():
            self._kept[digest] = moment
        if len(self._kept) > 2 * MOST:
            self._trim()
        return new

    def end(self) -> tuple[int, tuple[str, ...]] | None:
        """Give the time from which the next run reads, and what it is not to deliver again.

        None where nothing was ever delivered.
        """
        if self.newest is None:
            return None if self.floor is None else (self.floor, tuple(sorted(self._seen)))
        self._trim()
        at = self._cut()
        # What did not come again has a later version by now, unless this run has not read as far.
        unmet = self._seen if at == self._first_floor else set()
        return at, tuple(sorted({*self._kept, *unmet}))

    def state(self) -> dict[str, Any]:
        """Give all that is remembered, as JSON."""
        self._trim()
        return {
            "floor": self.floor,
            "newest": self.newest,
            "seen": sorted(self._seen),
            "kept": self._kept,
            "latest": list(self._latest.digests),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.floor, self.newest = state["floor"], state["newest"]
        self._seen, self._kept = set(state["seen"]), dict(state["kept"])
        self._latest = Latest(state["latest"])

    def _cut(self) -> int:
        newest = self._begun if self.newest is None else min(self.newest, self._begun)
        return newest - self._overlap if self.floor is None else max(self.floor, newest - self._overlap)

    def _trim(self) -> None:
        if self.newest is None:
            return
        cut, times = self._cut(), sorted(self._kept.values(), reverse=True)
        if len(times) > MOST:
            cut = max(cut, min(times[MOST] + 1, self.newest))
        self.floor = cut
        self._kept = {digest: moment for digest, moment in self._kept.items() if moment >= cut}


class Latest:
    """Remember what came last, whatever its time: rows that move while a listing is paged come twice.

    :param digests: what is remembered to begin with.
    :param most: how many are.
    """

    def __init__(self, digests: Iterable[str] = (), most: int = MOST) -> None:
        self.digests: dict[str, None] = dict.fromkeys(digests)
        self._most = most

    def __contains__(self, digest: str) -> bool:
        return digest in self.digests

    def add(self, digest: str) -> None:
        """Remember one more, and forget the one that came first."""
        self.digests[digest] = None
        if len(self.digests) > self._most:
            del self.digests[next(iter(self.digests))]


def digest_of(key: str) -> str:
    """Shorten a record's key: among a thousand, two are alike once in 10^18 records."""
    return base64.urlsafe_b64encode(hashlib.blake2b(key.encode(), digest_size=9).digest()).decode()
