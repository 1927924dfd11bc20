"""The paging of listings whose records are the values of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from candid_provider.api.call import Call, Page
from candid_provider.exceptions import CandidUnavailableError


@dataclass(frozen=True, slots=True)
class KeyedPaging:
    """Read a listing that comes whole, as an object of records by their key.

    (Candid: GET /api/fee-schedules/v3/payer-threshold, whose answer has a page's tokens although it takes none.)

    :param items_key: key of the object of records.
    :param name: field that a record's key becomes, before its own.
    """

    items_key: str
    name: str

    def read(self, call: Call, content: bytes) -> Page:
        """Cut the answer into records.

        :raises CandidUnavailableError: the answer says that there is more, which cannot be asked for.
        """
        str(content, "utf-8")
        answer: Any = _keyed(self.items_key).decode(content)
        if answer.next_page_token:
            raise CandidUnavailableError(
                f"{call.route}: the answer is one of several pages, and Candid documents no way to the next; ask"
                " for fewer records at a time",
                route=call.route,
                retryable=False,
            )
        return Page([self._row(key, row) for key, row in answer.rows.items()], None, len(content))

    def position(self, call: Call) -> str:
        """Nothing: there is one page."""
        return ""

    def save(self, call: Call) -> dict[str, Any]:
        """Nothing: there is one page."""
        return {}

    def resume(self, call: Call, saved: Mapping[str, Any]) -> Call:
        """Ask for the one page again."""
        return call

    def _row(self, key: str, row: msgspec.Raw) -> msgspec.Raw:
        fields = bytes(row).strip()
        if not fields.startswith(b"{"):
            raise msgspec.ValidationError("a record is no object")
        rest = fields[1:].lstrip()
        named = msgspec.json.encode(self.name) + b":" + msgspec.json.encode(key)
        return msgspec.Raw(b"{" + named + (b"" if rest == b"}" else b",") + rest)


@lru_cache
def _keyed(items_key: str) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("rows", dict[str, msgspec.Raw], msgspec.field(name=items_key)),
        ("next_page_token", str | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("KeyedPage", fields))
