"""Candid's resources as Airflow assets, ``candid://<place>/<resource>``, and an asset that Candid's events update.

The place is the host of Candid's API, as in Airflow's lineage of transfers, or any name of yours, such as the id of a
connection. Airflow shows URIs to everybody, so that they name kinds of records and never one of them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset

from candid_provider.api.event_record import event_in
from candid_provider.api.position import Event
from candid_provider.get_provider_info import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PLACE = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_WORDS = r"[A-Za-z]+(?:[_.,-][A-Za-z]+)*(?:_v\d{1,2})?"
_SEGMENT = re.compile(rf"{_WORDS}|v\d{{1,2}}|m2m|\{{\w+\}}")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Let a URI through that names a kind of records (entry ``handler`` of the provider's ``asset-uris``).

    :raises ValueError: it has a query, a user or an id. What it is is not repeated: it may be about a patient.
    """
    if uri.query or uri.fragment or "@" in uri.netloc:
        raise ValueError("a candid:// URI has no query, no fragment and no user: it is candid://<place>/<resource>")
    if not _PLACE.fullmatch(uri.netloc):
        raise ValueError("a candid:// URI begins with a place: the host of Candid's API, or a connection's id")
    segments = uri.path.strip("/").split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(
            "a candid:// URI names a kind of records: a resource (candid resources lists them) or a route such as"
            " api/encounters/v4/{encounter_id}, without ids"
        )
    return uri._replace(path="/" + "/".join(segments))


def create_asset(*, place: str, resource: str, extra: dict[str, Any] | None = None) -> Asset:
    """Make the asset of a resource (entry ``factory`` of the provider's ``asset-uris``).

    :param place: name of an environment, such as ``production``, whose API's host is the place; or a place as it is.
    :param resource: name of a resource, such as ``encounters``, or a route template.
    :param extra: what else the asset is to say, for everybody to see.
    """
    return Asset(uri=f"candid://{_host_of(place)}/{resource.strip('/')}", extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """Name an asset for OpenLineage (entry ``to_openlineage_converter`` of the provider's ``asset-uris``)."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    place, _, resource = asset.uri.removeprefix("candid://").partition("/")
    return Dataset(namespace=f"candid://{place}", name=resource)


def candid_event_asset(
    *event_types: str,
    candid_conn_id: str = DEFAULT_CONN_ID,
    name: str | None = None,
    poll_interval: float = 60.0,
    start: str | datetime.datetime | None = None,
) -> Asset:
    """Make an asset that Candid's events update; a DAG with it as ``schedule`` starts on them (Airflow 3).

    Two of the same connection and types are the same asset. For the parameters see
    :class:`candid_provider.triggers.events.CandidEventTrigger`.

    :param name: name of the asset; by default ``candid_events`` and the types.
    """
    from airflow.sdk import AssetWatcher  # noqa: TID251 - not served elsewhere

    from candid_provider.triggers.events import CandidEventTrigger

    types = ",".join(sorted(set(event_types)))
    trigger = CandidEventTrigger(
        candid_conn_id=candid_conn_id, event_types=event_types, poll_interval=poll_interval, start=start
    )
    return Asset(
        name=name or "_".join(filter(None, ("candid_events", types))),
        uri=f"candid://{candid_conn_id}/events/{types}".rstrip("/"),
        group="candid",
        watchers=[AssetWatcher(name="candid_events", trigger=trigger)],
    )


def candid_events(triggering_asset_events: Mapping[Any, Iterable[Any]]) -> list[Event]:
    """List Candid's events that started a run, the oldest first; a run may have several.

    What an event tells of, and what has become of it, Candid says: ``GET /api/events/v1/{event_id}``.

    :param triggering_asset_events: the task's parameter of that name.
    """
    rows: Sequence[Any] = [row for rows in triggering_asset_events.values() for row in rows]
    heard = [found[0] for row in rows if (found := event_in(row.extra))]
    return sorted({event.id: event for event in heard}.values(), key=lambda event: (event.moment, event.id))


def _host_of(place: str) -> str:
    from candid_provider.api.settings import CandidEnvironment

    if place in list(CandidEnvironment):
        return CandidEnvironment(place).urls[0].partition("://")[2]
    return place
