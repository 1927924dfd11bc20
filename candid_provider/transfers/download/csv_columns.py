"""The columns of a CSV file, by their names: which there are, and another choice, order or naming of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from candid_provider.exceptions import CandidConfigError, CandidUnavailableError

_AT_ONCE = 1 << 16

Columns = Mapping[str, str] | Sequence[str]


def checked_columns(columns: Columns | None) -> dict[str, str]:
    """Read the argument ``columns``: names in the file to names to write; a sequence keeps the names.

    :raises CandidConfigError: it is not such, or names one column twice.
    """
    if isinstance(columns, str) or not isinstance(columns, Mapping | Sequence | None):
        raise _no_names()
    named = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns or ()}
    if not all(isinstance(name, str) for pair in named.items() for name in pair):
        raise _no_names()
    if len(set(named.values())) != len(columns or ()):
        raise CandidConfigError("columns gives one name twice", field="columns")
    return named


def _no_names() -> CandidConfigError:
    return CandidConfigError(
        "columns is neither a list of names nor a mapping of names to names. Give the names in the file's header",
        field="columns",
    )


def header_of(path: Path) -> list[str] | None:
    """Read the names of a file's columns; None if its first line does not look like names.

    Names go to places where no record may go.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    odd = [name for name in header if not re.fullmatch(r"[A-Za-z_][\w .,:/()#%$-]{0,99}", name)]
    return header if header and not odd and len(set(header)) == len(header) else None


def rewrite(source: Path, target: io.RawIOBase, columns: Mapping[str, str]) -> list[str]:
    """Write the named columns, in their order and with their new names, and after them those that are not named.

    Candid adds columns at the end without notice: they are kept. Text is UTF-8; records end with a line feed.

    :param source: the file as it came.
    :param target: where to write; closed in the end.
    :param columns: names in the file to names to write.
    :returns: the names written.
    :raises CandidConfigError: a column is not in the file.
    :raises CandidUnavailableError: the file is no CSV as it should be; says which record, never what is in it.
    """
    try:
        return _rewrite(source, target, columns)
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except csv.Error as error:
        problem = str(error)  # its texts are fixed
    # Out here, where no error that holds a piece of the file is its context.
    raise _broken(problem)


def _rewrite(source: Path, target: io.RawIOBase, columns: Mapping[str, str]) -> list[str]:
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        header = next(rows, [])
        others = [name for name in header if name not in columns]
        names = [*columns.values(), *others]
        _check(columns, header, header_of(source), names)
        places = [header.index(name) for name in [*columns, *others]]
        choose = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
        with io.TextIOWrapper(io.BufferedWriter(target, _AT_ONCE), "utf-8", newline="") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(choose(row) for row in _equally_long(rows, len(header)))
    return names


def _check(columns: Mapping[str, str], header: list[str], known: list[str] | None, names: list[str]) -> None:
    if missing := [name for name in columns if name not in header]:
        there = f" It has: {', '.join(known)}" if known else ""
        raise CandidConfigError(f"columns: the file has no column {missing[0]!r}.{there}", field="columns")
    if len(set(header)) != len(header):
        raise _broken("two columns have one name")
    if len(set(names)) != len(names):
        raise CandidConfigError(
            "columns: a new name is also the name of another column of the file. Choose another", field="columns"
        )


def _equally_long(rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 2):
        if len(row) == width:
            yield row
        elif row:  # an empty line is no record
            raise _broken(f"record {number} has {len(row)} cells, the header {width}")


def _broken(problem: str) -> CandidUnavailableError:
    return CandidUnavailableError(f"the file is not CSV as it should be: {problem}", retryable=False)
