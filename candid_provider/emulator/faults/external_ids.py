"""The external ids that writes carry: what makes a repeated write a duplicate."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
_NAMES: Final = frozenset(
    {
        "external_id",
        "charge_external_id",
        "placer_appointment_id",
        "external_identifier",
        "submitter_transaction_identifier",
    }
)


class Sent(NamedTuple):
    """An external id in a field (`service_lines[].external_id`) of the writes to a route."""

    route: str
    field: str
    external_id: str


class ExternalIds:
    """How often each of the last `limit` external ids was written."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: OrderedDict[Sent, int] = OrderedDict()

    def note(self, method: str, route: str, body: bytes) -> None:
        """Take note of what a request writes; anything but a JSON write holds nothing."""
        if method not in _WRITES or not body:
            return
        try:
            decoded = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for name, value in _external_ids(decoded):
            self._count(Sent(route, name, value))

    def duplicates(self) -> list[dict[str, Any]]:
        """The external ids that were written to one route more than once."""
        return [sent._asdict() | {"count": count} for sent, count in self._counts.items() if count > 1]

    def clear(self) -> None:
        self._counts.clear()

    def _count(self, sent: Sent) -> None:
        self._counts[sent] = self._counts.get(sent, 0) + 1
        self._counts.move_to_end(sent)
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)


def _external_ids(body: Any) -> Iterator[tuple[str, str]]:
    # A queue, because a body may be nested deeper than Python calls.
    queue: deque[tuple[str, Any]] = deque([("", body)])
    while queue:
        where, value = queue.popleft()
        if isinstance(value, list):
            queue.extend((f"{where}[]", item) for item in value if isinstance(item, dict))
        elif isinstance(value, dict):
            found = ((f"{where}.{name}".lstrip("."), name, inner) for name, inner in value.items())
            for path, name, inner in found:
                if name in _NAMES and isinstance(inner, str):
                    yield path, inner
                # Not into objects: the external id of a patient is in each of the patient's encounters.
                elif isinstance(inner, list):
                    queue.append((path, inner))
