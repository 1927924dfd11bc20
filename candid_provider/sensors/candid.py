"""Sensors that wait for something at Candid, poking, rescheduled or deferred."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from candid_provider.api.outcome import SOME, Conditions
from candid_provider.api.routes import route_of
from candid_provider.api.statuses import CLAIM, CLAIM_CREATION, TASK, with_defaults
from candid_provider.exceptions import CandidConfigError
from candid_provider.operators.private import Private, RendersPrivately, names
from candid_provider.sensors.asking import Asking

if TYPE_CHECKING:
    from candid_provider.api.waiting import Ending

Question = tuple[str, Mapping[str, str], Mapping[str, Any]]


class CandidSensor(RendersPrivately, Asking):
    """Wait until a GET's answer says so: any endpoint, and a condition in plain values.

    Without ``status_path`` any good answer is what is waited for, as with ``not_yet=[404]`` for a record that
    somebody else creates.

    :param path: path relative to the connection's environment, such as ``/coverages/v1/{id}/eligibility/{check_id}``.
    :param path_params: values of the path's placeholders; quoted.
    :param query: query parameters. Deferrable, only those that cannot name a patient: they are stored in clear.
    :param status_path: where the statuses stand in the answer: names joined by dots, ``*`` for each element of a
        list, such as ``metadata.status`` or ``claims.*.status``.
    :param at_least: number to be reached by the number at ``status_path``, or by how many values stand there; in
        place of ``succeeded``.

    Of ``succeeded``, ``*`` stands for anything that is there and not empty. The rest is as in
    :class:`~candid_provider.sensors.asking.Asking`.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "path", "path_params", "query")

    def __init__(
        self,
        *,
        path: str,
        path_params: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        status_path: str = "",
        at_least: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = Private(self, path, route_of)
        self.path_params = Private(self, path_params, names)
        self.query = Private(self, query, names)
        self.where = status_path
        self.at_least = at_least

    def question(self) -> Question:
        """Ask as the arguments say."""
        return self.path.value, self.path_params.value or {}, self.query.value or {}

    def status_path(self) -> str:
        """Look where the arguments say."""
        return self.where

    def conditions(self) -> Conditions:
        """Say what an answer means.

        :raises CandidConfigError: the conditions are wrong; names which.
        """
        if self.at_least is None:
            return super().conditions()
        return Conditions(status_path=self.where, at_least=self.at_least, failed=self.failed, not_yet=self.not_yet)


class CandidEncounterSensor(Asking):
    """Wait for the claims of an encounter (Candid: GET /api/encounters/v4/{encounter_id}).

    An encounter holds several claims, or none yet, which is waited through; a claim's status can go backwards. By
    default it ends well when all claims are finalized_paid, badly when one is finalized_denied or not_billable,
    and is for a person when one is rejected, denied, paid_incorrectly, held or missing something.

    :param encounter_id: Candid's id of the encounter.
    :param external_id: your own id of it, in place of ``encounter_id``; it need not be at Candid yet.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "encounter_id", "external_id")

    def __init__(self, *, encounter_id: str | None = None, external_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, CLAIM))
        self.encounter_id = encounter_id
        self.external_id = external_id

    def question(self) -> Question:
        """Ask for the encounter.

        :raises CandidConfigError: neither id is set, or both are.
        """
        if bool(self.encounter_id) == bool(self.external_id):
            raise CandidConfigError("encounter_id: set it or external_id, and not both", field="encounter_id")
        if self.encounter_id:
            return "/api/encounters/v4/{encounter_id}", {"encounter_id": self.encounter_id}, {}
        return "/api/encounters/v4", {}, {"external_id": self.external_id, "limit": 1}

    def status_path(self) -> str:
        """Look at each claim."""
        return "claims.*.status" if self.encounter_id else "items.*.claims.*.status"


class CandidClaimCreationSensor(Asking):
    """Wait until Candid has made a claim of charges (Candid: GET /api/charge_capture_claim_creation/v1/{...}).

    It ends well with successful and successful-dry-run, badly with aborted, and is for a person with in-error.

    :param claim_creation_id: id of the claim creation.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "claim_creation_id")

    def __init__(self, *, claim_creation_id: str, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, CLAIM_CREATION))
        self.claim_creation_id = claim_creation_id

    def question(self) -> Question:
        """Ask for the claim creation."""
        name = "charge_capture_claim_creation_id"
        return f"/api/charge_capture_claim_creation/v1/{{{name}}}", {name: self.claim_creation_id}, {}

    def status_path(self) -> str:
        """Look at its status."""
        return "status"


class CandidTaskSensor(Asking):
    """Wait until a task of Candid's is finished (Candid: GET /api/tasks/v3/{task_id}).

    :param candid_task_id: Candid's id of the task; ``task_id`` is Airflow's own.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "candid_task_id")

    def __init__(self, *, candid_task_id: str, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, TASK))
        self.candid_task_id = candid_task_id

    def question(self) -> Question:
        """Ask for the task."""
        return "/api/tasks/v3/{task_id}", {"task_id": self.candid_task_id}, {}

    def status_path(self) -> str:
        """Look at its status."""
        return "status"


class CandidExportSensor(Asking):
    """Wait until Candid has exported days of claim versions (Candid: GET /api/exports/v3).

    A day's file is there after three business days at the latest. The file itself is fetched by
    :class:`~candid_provider.transfers.candid_export_to_object_storage.CandidExportToObjectStorageOperator`, which
    waits, too: a signed URL lives two minutes.

    :param first_day: a date or an ISO 8601 text; in the past.
    :param last_day: inclusive. Of more than 30 days the file with the last ones is waited for.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "first_day", "last_day")

    def __init__(self, *, first_day: str | datetime.date, last_day: str | datetime.date, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_day = first_day
        self.last_day = last_day

    def question(self) -> Question:
        """Ask for the last file.

        :raises CandidConfigError: the days cannot be exported; says why.
        """
        from candid_provider.api.exports import PATH, windows

        days = windows(self.first_day, self.last_day, today=datetime.datetime.now(datetime.UTC).date())
        return PATH, {}, days[-1].params

    def status_path(self) -> str:
        """Look at nothing: the answer is a file's URL."""
        return ""

    def conditions(self) -> Conditions:
        """Say which errors mean later, and which never."""
        from candid_provider.api.exports import READINESS

        return READINESS


class CandidEventSensor(Asking):
    """Wait for an event at Candid (GET /api/events/v1/). To start a DAG by events, see ``CandidEventTrigger``.

    :param event_types: types that count, such as ``["CandidApi.Encounter.StatusUpdated"]``.
    :param created_after: time from which on they count, inclusive; Candid keeps events for 30 days.
    :returns: besides what all sensors return, ``events``: id, type and time of up to 100 of them, newest first.
    """

    template_fields: Sequence[str] = ("candid_conn_id", "event_types", "created_after")

    def __init__(
        self, *, event_types: Collection[str], created_after: str | datetime.datetime, **kwargs: Any
    ) -> None:
        super().__init__(**{"succeeded": (SOME,), **kwargs})
        self.event_types = event_types
        self.created_after = created_after

    def question(self) -> Question:
        """Ask for one event; all are listed when there is one.

        :raises CandidConfigError: the time or the types are wrong.
        """
        return self._listing(limit=1)

    def status_path(self) -> str:
        """Look whether there is one."""
        return "items.*.event_type"

    def result(self, ending: Ending, route: str) -> dict[str, Any]:
        """List the events, without what they hold."""
        from candid_provider.api.call import Call

        path, _, query = self._listing(limit=100)
        items = self.hook.send(Call(method="GET", path=path, params=query, patience=self.poke_interval))["items"]
        shown = ("id", "event_type", "created_at")
        return {**ending.summary(route), "events": [{name: event.get(name) for name in shown} for event in items]}

    def _listing(self, limit: int) -> Question:
        from candid_provider.api.event_feeds import EVENTS_PATH

        if isinstance(self.event_types, str) or not self.event_types:
            raise CandidConfigError(
                "event_types is not a list of types. Give a list, also of one", field="event_types"
            )
        query = {"event_types": list(self.event_types), "created_after": _instant(self.created_after), "limit": limit}
        return EVENTS_PATH, {}, query


def _instant(value: object) -> str:
    """Write a time as a query and a trigger's arguments hold it."""
    from candid_provider.api.instants import microseconds, written

    try:
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
        if moment.tzinfo:
            return written(microseconds(moment))
    except ValueError:
        pass
    raise CandidConfigError(
        "created_after is not a time with a time zone. Give it as 2026-03-01T06:00:00Z, or as a template such as"
        " {{ data_interval_start | ts }}",
        field="created_after",
    )
