"""Where an incremental extract went on to: the mark of its feed, kept from run to run."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath

from candid_provider.api.feeds import Feed, Interval, Mark
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.mark_stores import AssetMarks, FileMarks, MarkStore, VariableMarks

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from candid_provider.api.call import Call

VERSION = 1
LONGEST = 250
"""Letters in the name of a Variable (Airflow's ``ID_LEN``)."""


class Subject(msgspec.Struct, frozen=True):
    """Say what a mark is of: another resource's, of another filter or another environment would lose records.

    :param resource: name of the resource, or route of the call.
    :param feed: name of its change feed.
    :param parameters: four digits of a hash of what is asked for; too few to guess a value by.
    :param host: the API's; the same watermark may be used on another connection.
    """

    resource: str
    feed: str
    parameters: str
    host: str = ""


def subject_of(resource: str, feed: Feed, call: Call, api_url: str = "") -> Subject:
    """Describe an extract by what it asks for; how many records come on a page does not count.

    :param resource: name of the resource, or route of the call.
    :param call: the listing's first page, as the feed is to open it.
    :param api_url: base URL of the API; its host names the environment.
    """
    body = call.json if isinstance(call.json, Mapping) else {}
    paging = {"limit", "maxResults", "page_size", "page_token"}
    asked: list[Any] = [
        call.route,
        sorted(call.path_params.items()),
        sorted((name, values) for name, values in call.query.items() if name not in paging),
        {name: value for name, value in body.items() if name not in paging},
    ]
    text = msgspec.json.encode(asked, order="sorted")
    return Subject(
        resource, feed.name, hashlib.blake2b(text, digest_size=2).hexdigest(), urlsplit(api_url).hostname or ""
    )


class _Kept(msgspec.Struct):
    version: int
    subject: Subject
    mark: Mark


class Watermark:
    """Keep a feed's mark from run to run, together with what it is of.

    :param stores: the first is written; the others are read where it holds nothing.
    :param subject: what the mark is of.
    """

    def __init__(self, stores: Sequence[MarkStore], subject: Subject) -> None:
        self._stores, self._subject = stores, subject

    @property
    def name(self) -> str:
        """Where it is kept, for logs."""
        return self._stores[0].name

    def load(self) -> Mark | None:
        """Read the mark; None if there is none yet.

        :raises CandidConfigError: what is kept is no mark, or one of another resource, feed or filter.
        :raises CandidUnavailableError: it could not be found out; a try later may.
        """
        for store in self._stores:
            if (text := store.read()) is not None:
                return self._checked(store, text)
        return None

    def save(self, mark: Mark) -> None:
        """Write the mark, unless a later one is there: of runs at a time, the one that came furthest counts.

        :raises CandidConfigError: as :meth:`load`.
        :raises CandidUnavailableError: it could not be kept.
        """
        there = self.load()
        if there is None or there.moment <= mark.moment:
            kept = _Kept(VERSION, self._subject, mark)
            self._stores[0].write(msgspec.json.encode(kept).decode())

    def _checked(self, store: MarkStore, text: str) -> Mark:
        try:
            kept = msgspec.json.decode(text, type=_Kept)
            _ = kept.mark.moment
        except UNREADABLE:
            kept = None
        if kept is None or kept.version != VERSION:
            raise CandidConfigError(
                f"watermark: the {store.name} holds no mark. Remove it to begin anew", field="watermark"
            )
        for what in _PLURAL:
            if getattr(kept.subject, what) != getattr(self._subject, what):
                raise CandidConfigError(
                    f"watermark: the {store.name} is of other {_PLURAL[what]} than this extract: from there on,"
                    " records would be missing. Give the extract a watermark of its own, or remove this one to"
                    " begin anew",
                    field="watermark",
                )
        return kept.mark


_PLURAL = {"resource": "resources", "feed": "change feeds", "parameters": "parameters", "host": "environments"}


def watermark_for(
    context: Context,
    subject: Subject,
    *,
    place: str | ObjectStoragePath | None = None,
    asset: Asset | None = None,
) -> Watermark:
    """Give a task its watermark: a file, the state of an asset, or a Variable.

    :param context: of the running task.
    :param subject: what is extracted.
    :param place: a file in which the mark is kept.
    :param asset: an outlet of the task, whose state keeps the mark (Airflow 3.3); by default its only one.
    """
    if place is not None:
        return Watermark([FileMarks(place)], subject)
    key = _key(context)
    variable = VariableMarks(key)
    asset = asset or _only_outlet(context)
    states = context.get("asset_state_store")
    if asset is None or states is None:
        return Watermark([variable], subject)
    # A mark from before Airflow had asset states, or the task an outlet, is read on.
    return Watermark([AssetMarks(_state(states, asset), key, asset.name), variable], subject)


def interval_of(context: Context) -> Interval | None:
    """Give the span that a run stands for, where it stands for one: in a backfill and while a DAG catches up.

    None for any other run, which goes by the watermark; and for a DAG that catches up by runs whose interval is
    empty, as those of Airflow 3's cron schedules are: the first of them reads what all would.

    :param context: of the running task.
    :raises CandidConfigError: a backfill by runs whose interval is empty.
    """
    run: Any = context.get("dag_run")
    kind = getattr(run, "run_type", None)
    kind = getattr(kind, "value", kind)
    is_backfill = kind == "backfill"
    if not is_backfill and not (kind == "scheduled" and getattr(context.get("dag"), "catchup", False)):
        return None
    start, end = (getattr(run, f"data_interval_{edge}", None) for edge in ("start", "end"))
    if isinstance(start, datetime.datetime) and isinstance(end, datetime.datetime) and start < end:
        return start, end
    if not is_backfill:
        return None
    raise CandidConfigError(
        "schedule: the runs of this backfill have no data interval, so that none says which changes it stands for."
        " Give the DAG a timetable with intervals, such as CronDataIntervalTimetable, or extract in full",
        field="schedule",
    )


def _key(context: Context) -> str:
    """Name the task: marks of two tasks must not meet, though they write to one asset."""
    instance: Any = context["ti"]
    parts = ["candid_watermark", instance.dag_id, instance.task_id]
    if (number := getattr(instance, "map_index", -1)) is not None and number >= 0:
        parts.append(str(number))
    name = "__".join(parts)
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 18]}__{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"


def _only_outlet(context: Context) -> Asset | None:
    outlets = [outlet for outlet in getattr(context.get("task"), "outlets", []) if isinstance(outlet, Asset)]
    return outlets[0] if len(outlets) == 1 else None


def _state(states: Any, asset: Asset) -> Any:
    try:
        return states[asset]
    except KeyError:
        pass
    raise CandidConfigError(f"outlets: asset {asset.name} is none of the task's. Add it to outlets", field="outlets")
