"""What belongs to the organization: providers and their files, sites, schemas, users, superbills, figures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from tests.emulator.conftest import SMALL, Api, connected
from tests.emulator.test_sdk import client, pages, shape_faults

NOBODY = "00000000-0000-4000-8000-000000000000"
PROVIDERS, FACILITIES = "/api/organization-providers/v3", "/api/organization-service-facilities/v2"
ADDRESS = {
    "address1": "1 Main St",
    "city": "Springfield",
    "state": "IL",
    "zip_code": "62701",
    "zip_plus_four_code": "0001",
}
PROVIDER = {
    "npi": "1234567893",
    "is_rendering": True,
    "is_billing": False,
    "provider_type": "INDIVIDUAL",
    "license_type": "MD",
    "first_name": "Zelda",
    "last_name": "Amber",
    "qualifications": [
        {
            "identifier_code": "MCR",
            "identifier_value": {"type": "medicare_provider_identifier", "state": "IL", "provider_number": "7"},
        }
    ],
}
FACILITY = {"name": "North clinic", "aliases": ["N"], "telecoms": [], "address": ADDRESS, "external_id": "site/1"}


@pytest.fixture(scope="module")
def world() -> Iterator[Emulator]:
    with running(SMALL) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def own(world: Emulator) -> Iterator[Api]:
    with connected(world) as http:
        yield Api(http)


@pytest.fixture(scope="module")
def own_sdk(world: Emulator) -> Iterator[Any]:
    with client(world) as sdk:
        yield sdk


def send(own: Api, verb: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = own.http.request(verb, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


# --- providers


def test_the_providers_are_those_that_encounters_name(own_sdk: Any, own: Api) -> None:
    rows = [row for page in pages(own_sdk.organization_providers.v_3.get_multi, limit=4) for row in page.items]
    assert shape_faults(rows) == []
    names = [row.last_name or row.organization_name for row in rows]
    assert names == sorted(names, key=str.casefold)
    encounter = own.ok("/api/encounters/v4", limit=1)["items"][0]
    for role in ("rendering_provider", "billing_provider"):
        found = own.ok(f"{PROVIDERS}/{encounter[role]['provider_id']}")
        assert found["npi"] == encounter[role]["npi"]


def test_providers_are_filtered_and_sorted(own: Api) -> None:
    everyone = own.rows(PROVIDERS)
    billing = [row for row in everyone if row["is_billing"]]
    assert billing == own.rows(PROVIDERS, is_billing="true") == own.rows(PROVIDERS, is_rendering="false")
    assert own.rows(PROVIDERS, npi=billing[0]["npi"]) == billing
    assert [row["last_name"] for row in own.rows(PROVIDERS, search_term="MARL")] == ["Marlow"]
    ids = [row["organization_provider_id"] for row in everyone[2:4]]
    assert own.rows(PROVIDERS, organization_provider_ids=ids) == everyone[2:4]
    assert own.rows(PROVIDERS, sort="provider_name:desc") == everyone[::-1]
    npis = [row["npi"] for row in own.rows(PROVIDERS, sort="npi:asc")]
    assert npis == sorted(npis)
    assert own.rows(PROVIDERS, organization_id=NOBODY) == []
    assert own.get(PROVIDERS, sort="age:asc").status_code == 422


def test_a_provider_is_created_and_updated_and_events_tell() -> None:
    from candid.resources.commons.errors import EntityNotFoundError, HttpRequestValidationError
    from candid.resources.organization_providers.resources.v_3 import OrganizationProviderUpdateV2

    with running(SMALL) as emulator, connected(emulator) as http, client(emulator) as sdk:
        own, providers = Api(http), sdk.organization_providers.v_3
        made = send(own, "POST", PROVIDERS, PROVIDER)
        identifier = made["organization_provider_id"]
        assert own.ok(f"{PROVIDERS}/{identifier}") == made
        assert shape_faults(providers.get(identifier)) == []
        orders = [
            {"type": "update", "identifier_id": made["qualifications"][0]["identifier_id"], "identifier_code": "MCD"},
            {"type": "add", **PROVIDER["qualifications"][0]},  # type: ignore[index]
        ]
        changed = send(own, "PATCH", f"{PROVIDERS}/{identifier}", {"qualifications": orders, "first_name": None})
        assert [row["identifier_code"] for row in changed["qualifications"]] == ["MCD", "MCR"]
        assert (changed["first_name"], changed["last_name"]) == (None, "Amber")
        gone = {"type": "remove", "value": changed["qualifications"][0]["identifier_id"]}
        assert len(send(own, "PATCH", f"{PROVIDERS}/{identifier}", {"qualifications": [gone]})["qualifications"]) == 1
        send(own, "PATCH", f"{PROVIDERS}/{identifier}", {"qualifications": [gone]}, 422)
        events = own.ok("/api/events/v1/", limit=3)["items"]
        kinds = [event["event_type"].rpartition(".")[2] for event in events]
        assert kinds == ["Updated", "Updated", "Created"]
        assert events[0]["payload"] == {"organization_provider_id": identifier}
        with pytest.raises(HttpRequestValidationError):
            providers.update(identifier, request=OrganizationProviderUpdateV2(npi="1"))
        with pytest.raises(EntityNotFoundError):
            providers.update(NOBODY, request=OrganizationProviderUpdateV2())


def test_a_provider_has_one_file_of_each_type(own: Api, own_sdk: Any) -> None:
    from candid.core.api_error import ApiError

    providers = own_sdk.organization_providers.v_3
    identifier = own.rows(PROVIDERS)[0]["organization_provider_id"]
    file = ("w9.pdf", b"%PDF-1.4 w9", "application/pdf")
    made = providers.upload_attachment(identifier, attachment_file=file, file_type="W9")
    with pytest.raises(ApiError) as refused:
        providers.upload_attachment(identifier, attachment_file=file, file_type="W9")
    assert (refused.value.status_code, refused.value.body["errorName"]) == (409, "EntityConflictError")
    providers.upload_attachment(identifier, attachment_file=file, file_type="PECOS_RECORD")
    rows = providers.list_attachments(identifier)
    assert shape_faults(rows) == []
    assert [row.file_type for row in rows] == ["W9", "PECOS_RECORD"]
    answer = httpx.get(providers.download_attachment(attachment_id=made).signed_download_url)
    assert answer.content == file[1]
    providers.delete_attachment(made)
    assert [row.file_type for row in providers.list_attachments(identifier)] == ["PECOS_RECORD"]
    assert own.get(f"{PROVIDERS}/attachments/download", attachment_id=made).status_code == 404
    assert own.get(f"{PROVIDERS}/attachments/download").status_code == 422
    providers.upload_attachment(identifier, attachment_file=file, file_type="W9")


# --- service facilities


def test_sites_are_listed_and_filtered(own: Api, own_sdk: Any) -> None:
    rows = [
        row for page in pages(own_sdk.organization_service_facilities.v_2.get_multi, limit=3) for row in page.items
    ]
    assert shape_faults(rows) == []
    everything = own.rows(FACILITIES)
    assert own.rows(FACILITIES, name="SITE 2") == everything[1:2]
    assert own.rows(FACILITIES, external_ids=["facility-0001", "facility-0003"]) == everything[1::2]
    ids = [everything[3]["organization_service_facility_id"]]
    assert own.rows(FACILITIES, organization_service_facility_ids=ids) == everything[3:]
    assert own.rows(FACILITIES, place_of_service_code="02") == []
    assert own.get(FACILITIES, place_of_service_code="00").status_code == 422
    encounter = own.ok("/api/encounters/v4", limit=1)["items"][0]
    assert encounter["service_facility"]["service_facility_id"] in [
        row["organization_service_facility_id"] for row in everything
    ]


def test_a_site_is_created_found_by_its_external_id_changed_and_deleted(own: Api, own_sdk: Any) -> None:
    from candid.resources.commons.errors import EntityConflictError, EntityNotFoundError, HttpRequestValidationError

    types: Any = import_module("candid.resources.organization_service_facilities.resources.v_2")
    update: Any = types.OrganizationServiceFacilityUpdate
    sites = own_sdk.organization_service_facilities.v_2
    made = send(own, "POST", FACILITIES, FACILITY)
    identifier = made["organization_service_facility_id"]
    assert shape_faults(sites.get(identifier)) == []
    assert own.ok(f"{FACILITIES}/external-id/site%2F1") == made
    for taken in ("site/1", "facility-0002"):
        refused = send(own, "POST", FACILITIES, FACILITY | {"external_id": taken}, 409)
        assert refused["errorName"] == "EntityConflictError"
    with pytest.raises(EntityConflictError):
        sites.update(identifier, request=update(external_id="facility-0002"))
    with pytest.raises(HttpRequestValidationError):
        sites.update(identifier, request=update(npi="12"))
    changed = sites.update(identifier, request=update(external_id="site-2", mode="kind"))
    assert (sites.get_by_external_id("site-2"), changed.name) == (changed, "North clinic")
    sites.delete(identifier)
    with pytest.raises(EntityNotFoundError):
        sites.get(identifier)
    with pytest.raises(EntityNotFoundError):
        sites.get_by_external_id("site-2")
    with pytest.raises(EntityNotFoundError):
        sites.delete(NOBODY)
    again = send(own, "POST", FACILITIES, FACILITY | {"external_id": "site-2"})
    sites.delete(again["organization_service_facility_id"])


# --- schemas


def test_schemas_grow_and_their_names_and_keys_are_unique(own: Api, own_sdk: Any) -> None:
    from candid.resources.commons.errors import EntityNotFoundError
    from candid.resources.custom_schemas.resources.v_1.errors import SchemaValidationHttpFailure

    field: Any = import_module("candid.resources.custom_schemas.resources.v_1").SchemaField
    schemas = own_sdk.custom_schemas.v_1
    room = field(key="room", type="STRING")
    made = schemas.create(name="Lab", fields=[room])
    assert shape_faults(schemas.get_multi()) == []
    assert schemas.get(made.id) == made
    with pytest.raises(SchemaValidationHttpFailure) as refused:
        schemas.create(name="Lab", fields=[room, room])
    assert [problem.type for problem in refused.value.body.errors] == [
        "schema_name_already_exists",
        "key_name_already_exists",
    ]
    grown = schemas.update(made.id, name="Labs", fields_to_add=[field(key="age", type="INTEGER")])
    assert ([row.key for row in grown.fields], schemas.get(made.id)) == (["room", "age"], grown)
    with pytest.raises(SchemaValidationHttpFailure):
        schemas.update(made.id, fields_to_add=[room])
    with pytest.raises(EntityNotFoundError):
        schemas.get(NOBODY)
    assert schemas.get_multi(organization_id=NOBODY).schemas == []
    send(own, "POST", "/api/custom-schemas/v1", {"name": "x", "fields": [{"key": "k", "type": "DATE"}]}, 422)


# --- users and permissions


def test_a_machine_user_can_sign_in_until_there_are_too_many() -> None:
    from candid.resources.commons.errors import EntityConflictError
    from candid.resources.users.resources.v_2 import M2MUserCreateV2
    from candid.resources.users.resources.v_2.errors import M2MUserLimitReachedHttpError

    with running(SMALL) as emulator, client(emulator) as sdk, connected(emulator) as http:
        organization = Api(http).ok("/api/encounters/v4", limit=1)["items"][0]["organization_id"]

        def create(number: int) -> Any:
            order = M2MUserCreateV2(name=f"pipeline {number}", organization_id=organization)
            return sdk.users.v_2.create_m_2_m_user_v_2(request=order)

        made = create(0)
        assert shape_faults(made) == []
        with client(emulator, client_id=made.client_id, client_secret=made.client_secret) as other:
            assert shape_faults(other.enterprise_config.v_1.get()) == []
        with pytest.raises(EntityConflictError):
            create(0)
        for number in range(1, 10):
            create(number)
        with pytest.raises(M2MUserLimitReachedHttpError) as refused:
            create(10)
        assert refused.value.body.limit == 10
        body = {"name": "x", "organization_id": NOBODY}
        assert http.post("/api/users/v2/m2m/client", json=body).status_code == 404
        wrong = {"client_id": made.client_id, "client_secret": emulator.config.client_secret}
        assert http.post("/api/auth/v2/token", json=wrong).status_code == 401
        assert made.client_secret not in str(emulator.stats())


# --- superbills


def test_a_superbill_is_a_document_of_a_patients_encounters(own: Api, own_sdk: Any) -> None:
    from candid.resources.commons.errors import UnprocessableEntityError

    encounter = own.rows("/api/encounters/v4")[3]
    patient, day = encounter["patient"], encounter["date_of_service"]
    order = {"patient_external_id": patient["external_id"], "date_range_min": day, "date_range_max": day}
    made = own_sdk.superbills.v_1.create_superbill(**order)
    assert shape_faults(made) == []
    content = httpx.get(made.superbills[0].authed_url).content
    text = zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml").decode()
    assert patient["last_name"] in text
    assert encounter["claims"][0]["service_lines"][0]["procedure_code"] in text
    as_pdf = own_sdk.superbills.v_1.create_superbill(**order, output_format="PDF").superbills[0]
    answer = httpx.get(as_pdf.authed_url)
    assert (answer.headers["content-type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
    long_ago = {"date_range_min": "2001-01-01", "date_range_max": "2001-01-02"}
    assert own_sdk.superbills.v_1.create_superbill(**(order | long_ago)).superbills == []
    for wrong in ({"patient_external_id": "nobody"}, {"date_range_max": "2001-01-01"}):
        with pytest.raises(UnprocessableEntityError):
            own_sdk.superbills.v_1.create_superbill(**(order | wrong))


# --- dashboard


def test_every_figure_has_a_value_and_counts_have_one_of_yesterday(own: Api, own_sdk: Any) -> None:
    types: Any = import_module("candid.resources.dashboarding.resources.v_1")
    names = [name for name in types.MetricName if not name.name.startswith("_")]
    assert len(names) == 17
    today = own_sdk.dashboarding.v_1.query_metrics(request=[types.MetricQuery(metric=name) for name in names]).results
    assert shape_faults(today) == []
    values = {row.metric.value: row.value for row in today}
    assert all(value is not None for value in values.values())
    open_claims = [row for row in own.rows("/api/encounters/v4", limit=1000) if not row["claims"][0]["eras"]]
    assert 0 < values["pre_adjudication_claims_count_v1"] <= len(open_claims)
    assert values["kpi_net_collection_rate_v1"] < 1
    yesterday = [types.MetricQuery(metric=name, snapshot="yesterday") for name in names]
    rows = own_sdk.dashboarding.v_1.query_metrics(request=yesterday).results
    assert len([row for row in rows if row.error is None and row.value is not None]) == 4
    assert len([row for row in rows if row.error is not None and row.value is None]) == 13


def test_a_figure_over_nothing_is_null_and_one_of_millions_is_quick() -> None:
    body = [{"metric": name} for name in ("kpi_denial_rate_v1", "pre_adjudication_claims_count_v1")]
    path = "/api/dashboarding/v1/metrics"
    with running(EmulatorConfig(encounters=0)) as emulator, connected(emulator) as http:
        assert [row["value"] for row in http.post(path, json=body).json()["results"]] == [None, 0]
    with running(EmulatorConfig(encounters=5_000_000, as_of=SMALL.as_of)) as emulator, connected(emulator) as http:
        assert http.post(path, json=body).json()["results"][1]["value"] == pytest.approx(937_500, abs=5)


def test_metrics_that_are_not_known_are_refused(own: Api, own_sdk: Any) -> None:
    from candid.resources.commons.errors import BadRequestError, UnprocessableEntityError

    with pytest.raises(BadRequestError):
        own_sdk.dashboarding.v_1.query_metrics(request=[])
    with pytest.raises(UnprocessableEntityError):
        own_sdk.dashboarding.v_1.query_metrics(request=[{"metric": "weather_v1"}])
    send(own, "POST", "/api/dashboarding/v1/metrics", [{"metric": "kpi_denial_rate_v1", "snapshot": "now"}], 422)
