"""The official SDK writes and reads pre-encounter: nothing that is answered is unknown to it, nothing is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from candid_provider.emulator import running

from .pre_encounter import NOBODY, SMALL
from .test_sdk import client, shape_faults

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SINCE = "appointment.startTimestamp|gt|2026-01-01"


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    with running(SMALL) as emulator, client(emulator) as sdk:
        yield sdk.pre_encounter


def new(resource: str, model: str, **fields: Any) -> Any:
    from importlib import import_module

    module = import_module(f"candid.resources.pre_encounter.resources.{resource}.resources.v_1")
    return getattr(module, model)(**fields)


def name(family: str) -> Any:
    from candid.resources.pre_encounter.resources.common import HumanName

    return HumanName(family=family, given=["Ada"], use="USUAL")  # type: ignore[arg-type]  # as users write it


def patient(family: str, **fields: Any) -> Any:
    from candid.resources.pre_encounter.resources.common import Address

    home = Address(use="HOME", line=["1 Main"], city="Salem", state="OR", postal_code="97301", country="US")  # type: ignore[arg-type]
    empty: dict[str, Any] = {
        field: []
        for field in ("other_names", "other_addresses", "other_telecoms", "contacts", "general_practitioners")
    }
    known = {
        "name": name(family),
        "birth_date": date(1990, 1, 1),
        "biological_sex": "FEMALE",
        "primary_address": home,
    }
    model = "MutablePatientWithMrn" if "mrn" in fields else "MutablePatient"
    return new("patients", model, **empty, **known, filing_order={"coverages": []}, **fields)


def coverage(patient_id: str) -> Any:
    plan = {"member_id": "MEMQZX1", "payer_id": "60054", "payer_name": "Alder"}
    subscriber = {"name": name("Qvexzo"), "biological_sex": "FEMALE"}
    known = {"status": "ACTIVE", "relationship": "SELF", "verified": True}
    return new(
        "coverages", "MutableCoverage", **known, patient=patient_id, subscriber=subscriber, insurance_plan=plan
    )


def fits(*answers: Any) -> None:
    for answer in answers:
        assert answer is not None
        assert shape_faults(answer) == []


def test_patients(sdk: Any) -> None:
    api = sdk.patients.v_1
    made = api.create(request=patient("Qvexzoone"), skip_duplicate_check=True)
    brought = api.create_with_mrn(request=patient("Qvexzotwo", mrn="mine"))
    changed = api.update(made.id, str(made.version + 1), request=patient("Qvexzothree"))
    assert api.deactivate(made.id, "3") is None
    assert api.reactivate(made.id, "4") is None
    fits(made, brought, changed, api.get(made.id), api.get_by_mrn("mine"), api.get_history(made.id))
    fits(
        api.search(mrn="mine"), api.search(similar_name_ordering="Qvexzo"), api.scan(since=LONG_AGO, max_results=1000)
    )
    fits(api.get_multi(sort_field="name.family", sort_direction="desc", redirect_to_primary=True))
    fits(api.search_providers(search_criteria="mar"), api.get_coverage_snapshot(api.get_multi(limit=1).items[0].id))


def test_coverages(sdk: Any) -> None:
    api, who = sdk.coverages.v_1, sdk.patients.v_1.create(request=patient("Qvexzofour")).id
    made = api.create(request=coverage(who))
    fits(made, api.update(made.id, "2", request=coverage(who)), api.get(made.id), api.scan(since=LONG_AGO))
    fits(api.get_history(made.id, start=date(2026, 1, 1), sort_direction="desc"), api.get_multi(patient_id=who))
    fits(api.get_multi_paginated(limit=500), api.get_multi_paginated(patient_id=who))
    fields = new(
        "coverages", "PayerPlanGroupFields", payer_plan_group_id=NOBODY, payer_id="1", payer_name="A", plan_type="12"
    )
    assert api.batch_update_ppg(NOBODY, request=fields) is None


def test_appointments_and_lists(sdk: Any) -> None:
    api, who = sdk.appointments.v_1, sdk.patients.v_1.create(request=patient("Qvexzofive")).id
    start = datetime(2026, 4, 1, 9, tzinfo=UTC)
    body = new(
        "appointments", "MutableAppointment", patient_id=who, start_timestamp=start, service_duration=30, services=[]
    )
    made = api.create(request=body)
    fits(made, api.update(made.id, "2", request=body), api.get(made.id), api.get_history(made.id))
    fits(api.get_visits(filters=SINCE), api.get_counts(filters=SINCE), api.scan(since=LONG_AGO))
    fits(sdk.lists.v_1.get_appointment_list(filters=f"patient.mrn|ne|1,{SINCE}"), sdk.lists.v_1.get_patient_list())
    assert api.deactivate(made.id, "2", cancellation_reason="snow") is None


def test_what_is_small(sdk: Any) -> None:
    note = new("notes", "MutableNote", value="Qvexzo called")
    tag, image = (
        new("tags", "MutableTag", value="new"),
        {"display_name": "A", "file_type": "pdf", "status": "PENDING"},
    )
    picture = new("images", "MutableImage", file_name="a", **image)
    schema = new("metadata_schemas", "MutableMetadataSchema", name="S", fields=[{"key": "k", "type": "STRING"}])
    for api, body in ((sdk.notes, note), (sdk.tags, tag), (sdk.images, picture), (sdk.metadata_schemas, schema)):
        made = api.v_1.create(request=body)
        fits(made, api.v_1.update(made.id, "1", request=body), api.v_1.get(made.id))
        assert api.v_1.deactivate(made.id, "2") is None
    assert sdk.metadata_schemas.v_1.reactivate(made.id, "3") is None
    fits(sdk.tags.v_1.get_all(), sdk.images.v_1.get_multi(sort_field="fileName"), sdk.metadata_schemas.v_1.get_all())


def test_external_providers(sdk: Any) -> None:
    api = sdk.organization_external_providers.v_1
    body = new(
        "organization_external_providers",
        "MutableOrganizationExternalProvider",
        name=name("Okoye"),
        types=["PRIMARY"],
    )
    made = api.create(request=body)
    fits(
        made,
        api.update(made.id, "2", request=body),
        api.get(made.id),
        api.scan(since=LONG_AGO),
        api.get_multi(type="PRIMARY"),
    )
    assert api.deactivate(made.id, "3") is None


def test_merges(sdk: Any) -> None:
    api, people = sdk.patient_merges.v_1, [sdk.patients.v_1.create(request=patient(f"Qvexzom{n}")) for n in range(2)]
    one, other = (person.mrn for person in people)
    body = new("patient_merges", "MutablePatientMerge", alternative_patient_mrn=other, primary_patient_mrn=one)
    made = api.create(request=body)
    search = new("patient_merges", "PatientMergeSearchRequest", mrns=[one])
    fits(made, api.get_all_by_mrn(one), api.search(request=search), api.scan(since=LONG_AGO))
    assert [api.get_status(mrn).merge_status for mrn in (one, other)] == ["primary", "alternative"]
    assert api.deactivate(made.id, "2") is None
    assert api.get_status(people[0].id).merge_status == "none"


def test_declared_errors_arrive_as_the_sdks_own_exceptions(sdk: Any) -> None:
    from candid.resources.pre_encounter.resources.common.errors import (
        BadRequestError,
        NotFoundError,
        VersionConflictError,
    )

    someone = sdk.patients.v_1.get_multi(limit=1).items[0]
    with pytest.raises(NotFoundError):
        sdk.coverages.v_1.get_history(NOBODY)
    with pytest.raises(BadRequestError):
        sdk.appointments.v_1.get_visits()
    with pytest.raises(BadRequestError):
        sdk.patients.v_1.create_with_mrn(request=patient("Qvexzosix", mrn="x" * 21))
    with pytest.raises(VersionConflictError) as stale:
        sdk.patients.v_1.update(someone.id, "99", request=patient("Qvexzoseven"))
    assert stale.value.body.latest_version == someone.version
    sdk.patients.v_1.create(request=patient("Qvexzoeight"))
    with pytest.raises(VersionConflictError) as twice:
        sdk.patients.v_1.create(request=patient("Qvexzoeight"))
    assert twice.value.body.data[0]["existing_patient_mrn"].startswith("MRNQZX")
