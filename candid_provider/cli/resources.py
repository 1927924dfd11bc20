"""``candid resources``: what can be listed, and what it takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from candid_provider.api.resource import Resource

WIDEST = 1000
COLUMNS = ("name", "route", "paging", "key", "change feed", "page", "needs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = (
        "change feed: how incremental=True reads it, and the field it goes by.\n"
        "page: records asked for at a time, and how many at most where Candid says so.\n"
        "needs: arguments without which a resource cannot be listed."
    )
    parser.add_argument("name", nargs="*", help="resources to show (all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")


def run(options: argparse.Namespace) -> int:
    """Print the table; 0 unless a name is not known."""
    from candid_provider.api.resources import RESOURCES, resource_named
    from candid_provider.exceptions import CandidConfigError

    try:
        rows = [resource_named(name) for name in options.name or sorted(RESOURCES)]
    except CandidConfigError as error:
        print(error)
        return 1
    if options.json:
        _print_json(rows)
    else:
        _print_table(rows)
    return 0


def facts_of(resource: Resource) -> dict[str, Any]:
    """Describe a resource in plain values."""
    from candid_provider.api.resource import style_of

    return {
        "name": resource.name,
        "route": f"{resource.verb} {resource.path}",
        "paging": style_of(resource.paging),
        "key": resource.key,
        "change_feed": resource.feed.name if resource.feed else None,
        "cursor": resource.cursor,
        "page_size": resource.size.asked if resource.size else _fixed(resource),
        "largest_page": resource.size.largest if resource.size else None,
        "needs": list(resource.needs),
        "ranges": list(resource.ranges[:2]) if resource.ranges else [],
    }


def _fixed(resource: Resource) -> int | None:
    from candid_provider.api.paging import ScanPaging

    return resource.paging.page_size if isinstance(resource.paging, ScanPaging) else None


def _print_json(rows: list[Resource]) -> None:
    import json

    for row in rows:
        print(json.dumps(facts_of(row)))


def _print_table(rows: list[Resource]) -> None:
    import sys

    from rich.console import Console

    # A pipe has no width, and cut off there a route would be of no use.
    width = None if sys.stdout.isatty() else WIDEST
    Console(width=width, highlight=False).print(_table(rows))


def _table(rows: list[Resource]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in rows:
        facts = facts_of(row)
        feed = f"{facts['change_feed']} ({facts['cursor']})" if row.feed else ""
        size = f"{facts['page_size'] or ''}{f' (<= {row.size.largest})' if row.size and row.size.largest else ''}"
        cells = (row.name, facts["route"], facts["paging"], row.key or "", feed, size, ", ".join(row.needs))
        table.add_row(*cells)
    return table
