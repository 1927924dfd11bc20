"""Where data came from and went to, for OpenLineage and whoever else asks Airflow's hook lineage."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def note_lineage(hook: Any, *, source: str, target: str) -> None:
    """Tell Airflow that a hook read from one place and wrote to another.

    :param source: URI of :func:`at_candid`, or where files are: a path or a URL of an object storage.
    :param target: likewise.
    """
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
    except ImportError:
        return
    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # common.compat has no types
    collector.add_input_asset(context=hook, uri=_uri(source))
    collector.add_output_asset(context=hook, uri=_uri(target))


def at_candid(api_url: str, resource: str) -> str:
    """Name a resource of Candid's.

    :param api_url: base URL of the API; its host names the environment.
    :param resource: name of a resource, or a route template.
    """
    return f"candid://{urlsplit(api_url).netloc}/{resource.rpartition(' ')[2].strip('/')}"


def _uri(place: str) -> str:
    scheme, separator, rest = place.partition("://")
    if not separator:
        return f"file://{place}"
    # Before an @ is the id of a connection, which is no part of a place.
    return f"{scheme}://{rest.rpartition('@')[2]}"
