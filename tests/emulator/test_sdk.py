"""The official SDK is the judge: its client signs in by itself and its models must parse every answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@contextmanager
def client(emulator: Emulator, **options: Any) -> Iterator[Any]:
    from candid import CandidApiClient
    from candid.environment import CandidApiClientEnvironment

    known: dict[str, Any] = {"client_id": emulator.config.client_id, "client_secret": emulator.config.client_secret}
    environment = CandidApiClientEnvironment(candid_api=emulator.url, pre_encounter=emulator.url)
    sdk = CandidApiClient(environment=environment, **(known | options))
    try:
        yield sdk
    finally:
        # The SDK offers no way to close its connections: one client for the API, one for the token.
        wrapper = sdk._client_wrapper
        wrapper.httpx_client.httpx_client.close()
        provider: Any = wrapper._token
        provider.__self__._auth_client._raw_client._client_wrapper.httpx_client.httpx_client.close()


@pytest.fixture(scope="module")
def sdk(emulator: Emulator) -> Iterator[Any]:
    with client(emulator) as sdk:
        yield sdk


def pages(listing: Any, **params: Any) -> list[Any]:
    pages = [listing(**params)]
    while pages[-1].next_page_token:
        pages.append(listing(**params, page_token=pages[-1].next_page_token))
    return pages


def scanned(scan: Any, **params: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    since = LONG_AGO
    while fresh := [row for row in scan(since=since, **params) if str(row.id) not in seen]:
        seen |= {str(row.id): row for row in fresh}
        since = fresh[-1].updated_at
    return list(seen.values())


def test_every_encounter_parses_with_nothing_unknown_and_nothing_left_out(sdk: Any, emulator: Emulator) -> None:
    rows = [row for page in pages(sdk.encounters.v_4.get_all, limit=50) for row in page.items]
    assert len(rows) == emulator.stats()["records"]["encounters"]
    for row in rows:
        assert shape_faults(row) == []


def shape_faults(model: Any, where: str = "") -> list[str]:
    """Fields sent that a model does not know, and fields it knows that were not sent, all the way down."""
    if isinstance(model, list):
        return [fault for item in model for fault in shape_faults(item, where)]
    if isinstance(model, dict):
        return [fault for item in model.values() for fault in shape_faults(item, where)]
    fields = getattr(type(model), "model_fields", None)
    if fields is None:
        return ["unknown enum value at " + where] if "UNKNOWN__" in str(model) else []
    here = f"{where}/{type(model).__name__}"
    faults = [f"{here} + {name}" for name in model.model_extra or {}]
    faults += [f"{here} - {name}" for name in fields if name not in model.model_fields_set]
    return faults + [fault for name in fields for fault in shape_faults(getattr(model, name), f"{here}.{name}")]


def test_an_encounter_is_found_by_id_and_by_external_id(sdk: Any) -> None:
    row = sdk.encounters.v_4.get_all(limit=1, external_id="enc-00000007").items[0]
    assert sdk.encounters.v_4.get(row.encounter_id) == row


def test_encounter_filters_are_sent_as_the_sdk_sends_them(sdk: Any) -> None:
    from candid.resources.claims import ClaimStatus

    day = date(2026, 3, 10)
    page = sdk.encounters.v_4.get_all(
        date_of_service_min=day,
        date_of_service_max=day,
        claim_status=ClaimStatus.FINALIZED_PAID,
        sort="created_at:asc",
    )
    assert page.items
    assert {row.date_of_service for row in page.items} == {day}
    assert {row.claims[0].status for row in page.items} == {ClaimStatus.FINALIZED_PAID}


def test_every_event_parses(sdk: Any, emulator: Emulator) -> None:
    rows = [row for page in pages(sdk.events.v_1.scan, limit=100) for row in page.items]
    assert len(rows) == emulator.stats()["records"]["events"]
    assert shape_faults(rows) == []
    assert sdk.events.v_1.get(rows[0].id) == rows[0]


def test_event_filters_are_sent_as_the_sdk_sends_them(sdk: Any) -> None:
    types = ["CandidApi.Encounter.Created", "PreEncounter.Patient.Created"]
    since = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
    rows = [row for page in pages(sdk.events.v_1.scan, event_types=types, created_after=since) for row in page.items]
    assert rows
    assert all(row.event_type == types[0] and row.created_at >= since for row in rows)


def test_every_payer_parses(sdk: Any, emulator: Emulator) -> None:
    rows = [row for page in pages(sdk.payers.v_4.get_all, limit=10) for row in page.items]
    assert len(rows) == emulator.stats()["records"]["payers"]
    assert shape_faults(rows) == []
    assert sdk.payers.v_4.get(rows[3].payer_uuid) == rows[3]


def test_every_inventory_record_parses(sdk: Any, emulator: Emulator) -> None:
    rows = [row for page in pages(sdk.patient_ar.v_1.list_inventory, since=LONG_AGO) for row in page.records]
    assert len(rows) == emulator.stats()["records"]["patient_ar_inventory"]
    assert shape_faults(rows) == []


@pytest.mark.parametrize("kind", ["patients", "appointments", "coverages"])
def test_every_pre_encounter_row_parses(sdk: Any, emulator: Emulator, kind: str) -> None:
    resource = getattr(sdk.pre_encounter, kind).v_1
    rows = scanned(resource.scan)
    assert len(rows) == emulator.stats()["records"][kind]
    assert shape_faults(rows) == []
    assert resource.get(rows[5].id) == rows[5]


def test_records_refer_to_each_other(sdk: Any) -> None:
    patients = {row.id: row for row in scanned(sdk.pre_encounter.patients.v_1.scan, max_results=1000)}
    coverages = {row.id: row for row in scanned(sdk.pre_encounter.coverages.v_1.scan)}
    payers = {row.payer_uuid for page in pages(sdk.payers.v_4.get_all) for row in page.items}
    for row in sdk.encounters.v_4.get_all(limit=200).items:
        patient = patients[row.patient.external_id]
        assert (patient.name.family, patient.birth_date) == (row.patient.last_name, row.patient.date_of_birth)
        primary = coverages[patient.filing_order.coverages[0]]
        assert primary.patient == patient.id
        assert primary.insurance_plan.member_id == row.subscriber_primary.insurance_card.member_id
        assert row.subscriber_primary.insurance_card.payer_uuid in payers
    for appointment in scanned(sdk.pre_encounter.appointments.v_1.scan):
        assert appointment.patient_id in patients
    assert {row.patient for row in coverages.values()} == patients.keys()


def test_declared_errors_become_the_sdks_own_exceptions(sdk: Any) -> None:
    from candid.resources.auth.resources.default.errors import TooManyRequestsError
    from candid.resources.commons.errors import EntityNotFoundError, UnprocessableEntityError
    from candid.resources.pre_encounter.resources.common.errors import NotFoundError

    with pytest.raises(UnprocessableEntityError):
        sdk.encounters.v_4.get_all(page_token="made up")
    with pytest.raises(EntityNotFoundError):
        sdk.events.v_1.get("00000000-0000-4000-8000-000000000000")
    with pytest.raises(NotFoundError):
        sdk.pre_encounter.patients.v_1.get("nobody")
    with running(EmulatorConfig(encounters=1, rate_limit=1)) as throttled:
        with client(throttled) as first:
            first.payers.v_4.get_all()
        with client(throttled) as second, pytest.raises(TooManyRequestsError):
            second.payers.v_4.get_all()


def test_wrong_credentials_end_the_sdks_sign_in_with_401(emulator: Emulator) -> None:
    from candid.core.api_error import ApiError

    with client(emulator, client_secret="wrong") as sdk, pytest.raises(ApiError) as refused:
        sdk.payers.v_4.get_all()
    assert refused.value.status_code == 401
