"""From a record's JSON to the values of its columns; whatever has no column, or does not fit its own, goes to one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

REST = "_rest"
"""The column of a JSON object of fields that have no column or do not fit theirs."""
MOST_EXTRAS = 200
"""Fields without a column that are decoded quickly; more are decoded slowly."""

_TYPES: Mapping[str, Any] = {
    "string": str,
    "bool": bool,
    "int64": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "float64": float,
    "timestamp": datetime.datetime,
    "date": datetime.date,
}
_ABSENT = msgspec.Raw(b"")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Records:
    """Decode records to rows of values, in the columns' order, and a rest.

    :param columns: names and types.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._extras: list[str] = []
        self._one_by_one = {name: _decoder(kind) for name, kind in columns.items() if kind in _TYPES}
        self._quick = self._quick_decoder()
        self.unfit = 0

    def row(self, line: bytes) -> tuple[Any, ...]:
        """Decode a record; the last value is the rest, None if there is none."""
        try:
            return self._split(msgspec.structs.astuple(self._quick.decode(line)))
        except msgspec.DecodeError:
            pass
        try:
            fields = _FIELDS.decode(line)
        except msgspec.DecodeError:  # not an object
            self.unfit += 1
            return (*(None for _ in self._columns), line.decode())
        if self._learn(fields):
            return self.row(line)
        return self._slowly(fields)

    def _split(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        count = len(self._columns)
        known, extras = values[:count], values[count:]
        if not extras:
            return (*known, None)
        found = {name: raw for name, raw in zip(self._extras, extras, strict=True) if bytes(raw)}
        return (*known, _json(found) if found else None)

    def _learn(self, fields: Mapping[str, Any]) -> bool:
        """Take fields without a column into the quick decoder; say whether there were any."""
        new = [name for name in fields if name not in self._columns and name not in self._extras]
        if not new or len(self._extras) + len(new) > MOST_EXTRAS:
            return False
        self._extras += new
        self._quick = self._quick_decoder()
        return True

    def _slowly(self, fields: dict[str, msgspec.Raw]) -> tuple[Any, ...]:
        self.unfit += 1
        values: list[Any] = []
        for name, kind in self._columns.items():
            raw = fields.pop(name, _ABSENT)
            if kind not in _TYPES:
                values.append(raw)
            elif not bytes(raw):
                values.append(None)
            else:
                try:
                    values.append(self._one_by_one[name].decode(raw))
                except msgspec.DecodeError:
                    values.append(None)
                    fields[name] = raw
        return (*values, _json(fields) if fields else None)

    def _quick_decoder(self) -> msgspec.json.Decoder[Any]:
        fields: list[Any] = []
        for number, name in enumerate([*self._columns, *self._extras]):
            kind = _TYPES.get(self._columns.get(name, "json"))
            # Names of fields need not be Python's.
            default, annotation = (None, kind | None) if kind else (_ABSENT, msgspec.Raw)
            fields.append((f"f{number}", annotation, msgspec.field(default=default, name=name)))
        record = msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)
        return msgspec.json.Decoder(record)


def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_TYPES[kind] | None)


def _json(fields: Mapping[str, msgspec.Raw]) -> str:
    inner = b",".join(msgspec.json.encode(name) + b":" + bytes(raw) for name, raw in fields.items())
    return (b"{" + inner + b"}").decode()
