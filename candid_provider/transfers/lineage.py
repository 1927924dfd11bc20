"""Where data came from and went to, for OpenLineage and whoever else asks Airflow's hook lineage."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def note_lineage(hook: Any, api_url: str, resource: str, output: str) -> None:
    """Tell Airflow that a hook read a resource of Candid's and wrote to a directory.

    :param api_url: base URL of the API; its host names the environment.
    :param resource: name of a resource, or a route template.
    :param output: where the files are.
    """
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
    except ImportError:
        return
    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # common.compat has no types
    host = urlsplit(api_url).netloc
    collector.add_input_asset(context=hook, uri=f"candid://{host}/{resource.rpartition(' ')[2].strip('/')}")
    collector.add_output_asset(context=hook, uri=_url(output))


def _url(output: str) -> str:
    scheme, separator, rest = output.partition("://")
    if not separator:
        return f"file://{output}"
    # Before an @ is the id of a connection, which is no part of a place.
    return f"{scheme}://{rest.rpartition('@')[2]}"
