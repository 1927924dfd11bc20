"""URIs of assets name kinds of records, agree with lineage, and hold nothing of a patient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from candid_provider.api.event_record import record_of, stream_of
from candid_provider.api.position import Event
from candid_provider.api.resources import RESOURCES
from candid_provider.api.routes import ROUTES
from candid_provider.api.settings import CandidEnvironment
from candid_provider.assets.candid import candid_event_asset, candid_events, create_asset, sanitize_uri
from candid_provider.transfers.lineage import at_candid
from candid_provider.triggers.events import CandidEventTrigger

UPDATED = "CandidApi.Encounter.StatusUpdated"


@pytest.mark.parametrize("resource", [*RESOURCES, *ROUTES])
def test_what_lineage_names_is_an_asset(resource: str) -> None:
    for environment in CandidEnvironment:
        uri = at_candid(environment.urls[0], resource)
        assert Asset(uri=uri).uri == uri
        assert create_asset(place=environment, resource=resource).uri == uri


def test_a_place_may_have_a_name_of_its_own() -> None:
    assert create_asset(place="candid_default", resource="encounters").uri == "candid://candid_default/encounters"
    assert Asset(uri="candid://127.0.0.1:5050/encounters/").uri == "candid://127.0.0.1:5050/encounters"


@pytest.mark.parametrize(
    "uri",
    [
        "candid://candid_default/encounters?name=doe",
        "candid://candid_default/encounters#doe",
        "candid://doe@candid_default/encounters",
        "candid:///encounters",
        "candid://candid_default",
        "candid://candid_default/",
        "candid://candid_default/encounters/4b2f8a1e-0a52-4f8e-9a4e-1f2d3c4b5a69",
        "candid://candid_default/encounters/1234567",
        "candid://candid_default/patients/MRN-0815",
        "candid://candid_default/patients/Jane%20Doe",
        "candid://candid_default/patients/1970-01-01",
        "candid://candid_default/patients/jane.doe@example.com",
        "candid://candid_default/../encounters",
    ],
)
def test_what_may_be_of_a_patient_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ValueError, match="a candid:// URI") as failure:
        sanitize_uri(urlsplit(uri))
    assert "doe" not in str(failure.value).lower()


def test_airflow_asks_the_handler() -> None:
    with pytest.raises(ValueError, match="without ids"):
        Asset(uri="candid://candid_default/encounters/1234567")


def test_an_asset_of_events_has_a_watcher() -> None:
    asset: Any = candid_event_asset(UPDATED, candid_conn_id="billing", poll_interval=30.0)
    assert (asset.name, asset.uri) == (f"candid_events_{UPDATED}", f"candid://billing/events/{UPDATED}")
    (watcher,) = asset.watchers
    expected = CandidEventTrigger(candid_conn_id="billing", event_types=[UPDATED], poll_interval=30.0)
    assert watcher.trigger.serialize() == expected.serialize()


def test_an_asset_of_all_events_has_a_name_too() -> None:
    asset = candid_event_asset()
    assert (asset.name, asset.uri) == ("candid_events", "candid://candid_default/events")
    assert candid_event_asset("b", "a").uri == candid_event_asset("a", "b").uri
    assert candid_event_asset(name="mine").name == "mine"


def test_a_task_is_told_which_events_started_its_run() -> None:
    first, second = Event("1", UPDATED, "2026-03-01T00:00:00Z"), Event("2", UPDATED, "2026-03-01T00:00:00.5Z")
    stream = stream_of("candid_default", [])
    rows = [
        SimpleNamespace(extra={"from_trigger": True, "payload": record_of(event, stream)})
        for event in (second, first, second)
    ]
    by_hand = SimpleNamespace(extra={"from_rest_api": True})
    assert candid_events({Asset(name="a"): [*rows, by_hand], Asset(name="b"): rows}) == [first, second]
    assert candid_events({}) == []
