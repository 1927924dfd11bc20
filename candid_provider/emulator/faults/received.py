"""The log of what an emulator received, to be asserted on. It holds routes and sizes; no query, body or record id."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from candid_provider.emulator.faults.external_ids import ExternalIds
from candid_provider.emulator.faults.fault_rules import route_matches

CUT = "cut"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request. `status` is None if its answer was cut off; `token` is the start of the bearer's SHA-256."""

    number: int
    at: str
    method: str
    path: str
    endpoint: str | None
    status: int | None
    request_bytes: int
    response_bytes: int
    token: str | None
    milliseconds: float
    faults: tuple[str, ...]

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"route": self.route}


class Received:
    """The last `limit` requests, totals of all since the start, and the external ids written twice."""

    def __init__(self, limit: int = 100_000, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[ReceivedRequest] = deque(maxlen=limit)
        self._totals: dict[str, dict[str, int]] = {}
        self._external_ids = ExternalIds(limit)
        self._number = 0

    def add(
        self,
        method: str,
        path: str,
        endpoint: str | None,
        *,
        status: int | None,
        body: bytes,
        response_bytes: int,
        authorization: str | None,
        seconds: float,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Log a request, before its answer goes out: whoever has the answer finds the entry."""
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        token, took = _token_hash(authorization), round(seconds * 1000, 3)
        with self._lock:
            self._number += 1
            entry = ReceivedRequest(
                self._number, at, method, path, endpoint, status, len(body), response_bytes, token, took, faults
            )
            self._entries.append(entry)
            statuses = self._totals.setdefault(entry.route, {})
            statuses[_name(status)] = statuses.get(_name(status), 0) + 1
            self._external_ids.note(method, entry.route, body)

    def requests(
        self,
        *,
        route: str | None = None,
        status: int | str | None = None,
        since_number: int = 0,
        limit: int | None = None,
    ) -> list[ReceivedRequest]:
        """What is in the log, oldest first: by route (as in a fault rule), status (or "cut"), after a number."""
        with self._lock:
            entries = list(self._entries)
        wanted = (
            entry
            for entry in entries
            if entry.number > since_number
            and (route is None or route_matches(route, entry.route, entry.endpoint))
            and (status is None or _name(entry.status) == str(status))
        )
        return list(islice(wanted, limit))

    def totals(self) -> dict[str, dict[str, int]]:
        """Number of requests by route and status, also of those that the log has dropped."""
        with self._lock:
            return {route: dict(statuses) for route, statuses in self._totals.items()}

    def duplicate_external_ids(self) -> list[dict[str, Any]]:
        """External ids sent more than once in writes to a route: route, field, external_id and count."""
        with self._lock:
            return self._external_ids.duplicates()

    def clear(self) -> int:
        """Empty the log, totals and external ids; how many entries it had. Numbers go on."""
        with self._lock:
            emptied = len(self._entries)
            self._entries.clear()
            self._totals.clear()
            self._external_ids.clear()
        return emptied

    def __iter__(self) -> Iterator[ReceivedRequest]:
        return iter(self.requests())


def _name(status: int | None) -> str:
    return CUT if status is None else str(status)


def _token_hash(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return hashlib.sha256(token.strip().encode()).hexdigest()[:8]
