"""The table of Candid's endpoints and of which are emulated: on the command line, and in docs/emulator.md."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.catalogue import endpoints
from candid_provider.emulator.endpoints import emulated

MARKERS: Final = ("<!-- endpoints: generated, do not edit -->", "<!-- end of endpoints -->")
_HEADINGS: Final = ("endpoint in the SDK", "verb", "path", "emulated")


def count() -> str:
    """How many endpoints are emulated, in a line."""
    return f"{len(emulated())} of {len(endpoints())} endpoints emulated"


def rows() -> list[tuple[str, str, str, str]]:
    """Name in the SDK, verb, path, and `yes` or `no`, by name."""
    known, done = sorted(endpoints().values(), key=lambda endpoint: endpoint.id), {row.id for row in emulated()}
    return [(row.id, row.verb, row.path, "yes" if row.id in done else "no") for row in known]


def text() -> str:
    """The table as columns, and the count."""
    table = [_HEADINGS, *rows()]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in table]
    return "\n".join([*lines, "", count()])


def markdown() -> str:
    """The count, and the table in Markdown."""
    lines = [_HEADINGS, ("---",) * 4, *((f"`{name}`", verb, f"`{path}`", done) for name, verb, path, done in rows())]
    return "\n".join([f"{count()}.", "", *(f"| {' | '.join(line)} |" for line in lines)])


def updated(document: str) -> str:
    """A document whose table, between `MARKERS`, is that of today."""
    before, _, rest = document.partition(MARKERS[0])
    _, found, after = rest.partition(MARKERS[1])
    if not found:
        raise ValueError("the document does not mark where the table of endpoints belongs")
    return f"{before}{MARKERS[0]}\n\n{markdown()}\n\n{MARKERS[1]}{after}"
