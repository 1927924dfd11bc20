"""Every change makes a version, names the one it is based on, and shows wherever the record does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from .pre_encounter import LONG_AGO, NOBODY, Desk, appointment, coverage, desk, image, name, patient

EXTERNAL = {"name": name("Okoye", "Ngozi"), "types": ["REFERRING"]}
NOTE, TAG = {"value": "call first"}, {"value": "VIP"}
SCHEMA = {"name": "Referral", "fields": [{"key": "source", "type": "STRING"}]}


@pytest.fixture(scope="module")
def api() -> Iterator[Desk]:
    with desk() as api:
        yield api


@pytest.fixture(scope="module")
def somebody(api: Desk) -> str:
    return str(api.patient()["id"])


Make = Callable[[str], dict[str, Any]]
NEXT: dict[str, Make] = {
    "/patients/v1": lambda _: patient(),
    "/appointments/v1": appointment,
    "/coverages/v1": coverage,
    "/organization-external-providers/v1": lambda _: EXTERNAL,
}
LATEST: dict[str, Make] = {
    "/images/v1": lambda _: image(),
    "/notes/v1": lambda _: NOTE,
    "/tags/v1": lambda _: TAG,
    "/metadata-schemas/v1": lambda _: SCHEMA,
}


@pytest.mark.parametrize(("path", "step"), [(path, 1) for path in NEXT] + [(path, 0) for path in LATEST])
def test_an_update_names_the_version_that_its_route_wants(api: Desk, somebody: str, path: str, step: int) -> None:
    body = (NEXT | LATEST)[path](somebody)
    first = api.done("POST", path, body)
    assert (first["version"], first["deactivated"]) == (1, False)
    for wrong in {0, 1, 2, 3} - {1 + step}:
        conflict = api.fails(409, "PUT", f"{path}/{first['id']}/{wrong}", body)
        assert conflict["latest_version"] == 1
    second = api.done("PUT", f"{path}/{first['id']}/{1 + step}", body)
    assert second["version"] == 2
    assert second["updated_at"] > first["updated_at"]
    # An image's URL is signed anew each time.
    assert api.ok(f"{path}/{first['id']}") | {"signed_url": None} == second | {"signed_url": None}
    api.fails(404, "PUT", f"{path}/{NOBODY}/1", body)
    assert api.send("PUT", f"{path}/{first['id']}/next", body).status_code in (400, 422)


@pytest.mark.parametrize(
    ("path", "step"),
    [("/patients/v1", 1), ("/organization-external-providers/v1", 1), ("/appointments/v1", 0)]
    + [(path, 0) for path in LATEST],
)
def test_deactivation_marks_the_record_and_keeps_it(api: Desk, somebody: str, path: str, step: int) -> None:
    body = (NEXT | LATEST)[path](somebody) | ({"name": "Other"} if "metadata" in path else {})
    first = api.done("POST", path, body | ({"value": "another"} if "tags" in path else {}))
    at = f"{path}/{first['id']}"
    assert api.fails(409, "DELETE", f"{at}/{first['version'] + 1 - step}")["latest_version"] == first["version"]
    assert api.done("DELETE", f"{at}/{first['version'] + step}") is None
    kept = api.ok(at)
    assert (kept["deactivated"], kept["version"]) == (True, first["version"] + 1)
    api.fails(404, "DELETE", f"{path}/{NOBODY}/1")


@pytest.mark.parametrize(("path", "step"), [("/patients/v1", 1), ("/metadata-schemas/v1", 0)])
def test_what_was_deactivated_can_be_reactivated(api: Desk, path: str, step: int) -> None:
    body = patient() if step else SCHEMA | {"name": "Comes back"}
    at = f"{path}/{api.done('POST', path, body)['id']}"
    api.done("DELETE", f"{at}/{1 + step}")
    api.fails(409, "PATCH", f"{at}/{3 - step}")
    api.done("PATCH", f"{at}/{2 + step}")
    assert (api.ok(at)["deactivated"], api.ok(at)["version"]) == (False, 3)


@pytest.mark.parametrize("path", ["/patients/v1", "/appointments/v1", "/coverages/v1"])
def test_the_history_has_every_version_of_a_seeded_record_too(api: Desk, path: str) -> None:
    seeded = next(row for row in api.ok(f"{path}/updates/scan", since=LONG_AGO) if row["version"] == 3)
    fields = {field: value for field, value in seeded.items() if field != "id"}
    changed = api.done("PUT", f"{path}/{seeded['id']}/4", fields)
    history = api.ok(f"{path}/{seeded['id']}/history")
    assert [row["version"] for row in history] == [1, 2, 3, 4]
    assert history[2:] == [seeded, changed]
    assert [row["updated_at"] for row in history] == sorted({row["updated_at"] for row in history})
    api.fails(404, "GET", f"{path}/{NOBODY}/history")


def test_a_change_is_signed_by_the_caller_and_moves_the_row_to_the_end_of_the_scan(api: Desk) -> None:
    seeded = api.first("/coverages/v1")
    changed = api.done("PUT", f"/coverages/v1/{seeded['id']}/{seeded['version'] + 1}", seeded | {"verified": False})
    assert changed["updating_user_id"] != seeded["updating_user_id"]
    assert api.ok("/coverages/v1/updates/scan", since=changed["updated_at"]) == [changed]
    assert seeded["id"] not in [row["id"] for row in api.ok("/coverages/v1/updates/scan", since=LONG_AGO)]


def test_answers_name_every_field_and_write_instants_in_milliseconds(api: Desk, somebody: str) -> None:
    made = api.done("POST", "/appointments/v1", appointment(somebody, "2026-04-01T09:00:00-05:00"))
    assert made["start_timestamp"] == "2026-04-01T14:00:00.000Z"
    assert made.keys() == api.first("/appointments/v1").keys()
    assert made["services"] == [{"universal_service_identifier": None, "start_timestamp": None}]
    assert api.patient().keys() == api.first("/patients/v1").keys()
    assert api.coverage(somebody).keys() == api.first("/coverages/v1").keys()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_date", "01/02/1990"),
        ("biological_sex", "F"),
        ("name", {"family": "Qvexzo", "given": "Ada", "use": "USUAL"}),
        ("deceased", "2026-01-15T12:00:00"),
        ("filing_order", {"coverages": ["first"]}),
        ("multiple_birth", True),
    ],
)
def test_a_value_that_the_sdk_could_not_read_again_is_refused(api: Desk, field: str, value: Any) -> None:
    answer = api.send("POST", "/patients/v1", patient(**{field: value}))
    assert answer.status_code == 422
    assert field in answer.text


# --- what else may not be


def test_a_patient_has_an_external_id_of_its_own(api: Desk) -> None:
    origin = {"external_id": "p-1", "system_name": "ehr"}
    holder, other = api.patient(external_provenance=origin), api.patient()
    api.fails(409, "POST", "/patients/v1", patient(external_provenance=origin))
    api.fails(409, "POST", "/patients/v1", patient(external_provenance=origin), skip_duplicate_check="true")
    api.fails(409, "PUT", f"/patients/v1/{other['id']}/2", patient(external_provenance=origin))
    api.done("PUT", f"/patients/v1/{holder['id']}/2", patient(external_provenance=origin))
    api.done("PUT", f"/patients/v1/{holder['id']}/3", patient())
    api.patient(external_provenance=origin)


@pytest.mark.parametrize("written", [False, True])
def test_a_likely_duplicate_is_refused_unless_the_check_is_skipped(api: Desk, written: bool) -> None:
    known = api.patient() if written else api.first("/patients/v1")
    alike = patient(name=known["name"], birth_date=known["birth_date"])
    conflict = api.fails(409, "POST", "/patients/v1", alike)
    assert {"existing_patient_id": known["id"], "existing_patient_mrn": known["mrn"]} in conflict["data"]
    assert api.done("POST", "/patients/v1", alike, skip_duplicate_check="true")["mrn"] != known["mrn"]
    api.patient(name=known["name"], birth_date="1991-01-01")


def test_an_mrn_is_given_or_brought_along_and_belongs_to_one_patient(api: Desk) -> None:
    brought = api.done("POST", "/patients/v1/with_mrn", patient(mrn="a/b?c"))
    assert api.ok("/patients/v1/mrn/a%2Fb%3Fc") == brought
    api.fails(409, "POST", "/patients/v1/with_mrn", patient(mrn="a/b?c"))
    api.fails(409, "POST", "/patients/v1/with_mrn", patient(mrn=api.first("/patients/v1")["mrn"]))
    api.fails(400, "POST", "/patients/v1/with_mrn", patient(mrn="x" * 21))
    api.fails(404, "GET", "/patients/v1/mrn/nobody")
    given = [api.patient()["mrn"] for _ in range(3)]
    assert len({*given}) == 3
    assert all(api.ok(f"/patients/v1/mrn/{number}")["mrn"] == number for number in given)
    assert all(number.startswith("MRNQZX") for number in given)
    assert api.done("PUT", f"/patients/v1/{brought['id']}/2", patient(mrn="other"))["mrn"] == "a/b?c"


def test_an_appointment_needs_a_patient_and_an_id_of_its_own(api: Desk, somebody: str) -> None:
    seeded = api.first("/appointments/v1")
    api.fails(404, "POST", "/appointments/v1", appointment(NOBODY))
    taken = appointment(somebody, placer_appointment_id=seeded["placer_appointment_id"])
    api.fails(409, "POST", "/appointments/v1", taken)
    mine = api.done("POST", "/appointments/v1", appointment(somebody, placer_appointment_id="mine"))
    api.fails(409, "POST", "/appointments/v1", appointment(somebody, placer_appointment_id="mine"))
    api.fails(409, "PUT", f"/appointments/v1/{mine['id']}/2", taken)
    api.done("PUT", f"/appointments/v1/{mine['id']}/2", appointment(somebody, placer_appointment_id="mine"))


def test_a_cancelled_appointment_takes_place_after_an_update(api: Desk, somebody: str) -> None:
    path = f"/appointments/v1/{api.done('POST', '/appointments/v1', appointment(somebody))['id']}"
    api.done("DELETE", f"{path}/1", cancellation_reason="snow")
    assert (api.ok(path)["deactivated"], api.ok(path)["cancellation_reason"]) == (True, "snow")
    api.done("PUT", f"{path}/3", appointment(somebody, cancellation_reason="snow"))
    assert (api.ok(path)["deactivated"], api.ok(path)["cancellation_reason"]) == (False, None)


def test_an_external_provider_has_an_npi_of_its_own(api: Desk) -> None:
    path = "/organization-external-providers/v1"
    seeded, mine = api.ok(path)["items"][0], api.done("POST", path, EXTERNAL)
    api.fails(400, "POST", path, EXTERNAL | {"npi": seeded["npi"]})
    api.fails(400, "PUT", f"{path}/{mine['id']}/2", EXTERNAL | {"npi": seeded["npi"]})
    api.done("PUT", f"{path}/{seeded['id']}/2", EXTERNAL | {"npi": seeded["npi"]})


def test_a_tag_that_exists_is_answered_again(api: Desk) -> None:
    tag = api.done("POST", "/tags/v1", {"value": "twice", "alert": True})
    assert api.done("POST", "/tags/v1", {"value": "twice"}) == tag


def test_a_schema_grows_only(api: Desk) -> None:
    schema = next(row for row in api.ok("/metadata-schemas/v1")["items"] if row["name"] == "Intake")
    path, fields = f"/metadata-schemas/v1/{schema['id']}/1", schema["fields"]
    for lost in (fields[1:], [fields[0] | {"enum_values": ["web"]}, fields[1]]):
        assert api.send("PUT", path, {"name": "Intake", "fields": lost}).status_code == 422
    more = [
        fields[0] | {"enum_values": [*fields[0]["enum_values"], "fax"]},
        fields[1],
        {"key": "x", "type": "DOUBLE"},
    ]
    assert api.done("PUT", path, {"name": "Intake", "fields": more})["fields"][2]["key"] == "x"
    assert api.send("POST", "/metadata-schemas/v1", {"name": "Intake", "fields": []}).status_code == 422
    right, wrong = ({"metadata_schema_id": schema["id"], "key_value_pairs": {"x": value}} for value in (1.5, "much"))
    assert api.patient(custom_metadata=[right])["custom_metadata"] == [right]
    assert api.send("POST", "/patients/v1", patient(custom_metadata=[wrong])).status_code == 422


def test_a_card_has_one_image_on_each_side_and_its_file_is_put_behind_a_signed_url(api: Desk, somebody: str) -> None:
    card = {"coverage": {"id": api.coverage(somebody)["id"], "side": "FRONT"}}
    made = api.done("POST", "/images/v1", image(**card))
    assert (made["status"], made["signed_url"].startswith("http")) == ("PENDING", True)
    api.fails(409, "POST", "/images/v1", image(**card))
    seeded = next(row for row in api.ok("/images/v1") if row["coverage"] and row["version"] == 2)
    api.fails(409, "POST", "/images/v1", image(coverage=seeded["coverage"]))
    assert httpx.put(made["signed_url"], content=b"dots", headers={"content-type": "image/jpeg"}).is_success
    uploaded = api.ok(f"/images/v1/{made['id']}")
    assert (uploaded["status"], uploaded["version"], uploaded["file_type"]) == ("UPLOADED", 2, "image/jpeg")
    assert httpx.get(uploaded["signed_url"]).content == b"dots"
    assert httpx.get(seeded["signed_url"]).content.startswith(b"\x89PNG")
    assert [row["id"] for row in api.ok("/images/v1", coverage_id=card["coverage"]["id"])] == [made["id"]]
    api.done("DELETE", f"/images/v1/{made['id']}/2")
    assert api.ok("/images/v1", coverage_id=card["coverage"]["id"]) == []
    api.done("POST", "/images/v1", image(**card))
    api.fails(404, "POST", "/images/v1", image(coverage={"id": NOBODY, "side": "BACK"}))
    api.fails(404, "POST", "/images/v1", image(patient={"id": NOBODY}))


def test_what_happens_to_patients_coverages_and_tags_is_told_as_events(api: Desk) -> None:
    who = api.patient()
    cover, tag = api.coverage(who["id"]), api.done("POST", "/tags/v1", {"value": "told"})
    api.done("DELETE", f"/patients/v1/{who['id']}/2")
    told = [(row["event_type"], row["payload"]) for row in api.ok("/api/events/v1", limit=4)["items"]]
    assert told == [
        ("PreEncounter.Patient.Updated", {"patient_id": who["id"]}),
        ("PreEncounter.Tag.Created", {"tag_id": tag["id"]}),
        ("PreEncounter.Coverage.Created", {"coverage_id": cover["id"], "patient_id": who["id"]}),
        ("PreEncounter.Patient.Created", {"patient_id": who["id"]}),
    ]


# --- merges


def test_a_merge_leads_from_the_alternative_patient_to_the_primary_one(api: Desk) -> None:
    one, other = api.patient(), api.patient()
    status = "/patient-merge/v1/status"
    assert api.ok(f"{status}/{one['mrn']}") == {"merge_status": "none"}
    pair = {"alternative_patient_mrn": other["mrn"], "primary_patient_mrn": one["mrn"]}
    merge = api.done("POST", "/patient-merge/v1", pair)
    assert api.ok(f"{status}/{other['id']}") == {"merge_status": "alternative", "primary_mrn": one["mrn"]}
    assert api.ok(f"{status}/{one['id']}") == {"merge_status": "primary", "alternative_mrns": [other["mrn"]]}
    assert api.ok(f"/patient-merge/v1/all/{one['mrn']}") == [merge]
    assert api.ok("/patients/v1/get_multi", mrn=other["mrn"], redirect_to_primary="true")["items"] == [one]
    for wrong in (pair, {**pair, "alternative_patient_mrn": one["mrn"]}, {**pair, "primary_patient_mrn": "nobody"}):
        api.fails(400, "POST", "/patient-merge/v1", wrong)
    api.fails(404, "GET", f"{status}/nobody")
    api.fails(404, "GET", f"{status}/{NOBODY}")
    api.fails(404, "GET", "/patient-merge/v1/all/nobody")
    assert api.fails(409, "DELETE", f"/patient-merge/v1/{merge['id']}/1")["latest_version"] == 1
    api.done("DELETE", f"/patient-merge/v1/{merge['id']}/2")
    api.fails(404, "DELETE", f"/patient-merge/v1/{NOBODY}/2")
    assert api.ok(f"{status}/{other['mrn']}") == {"merge_status": "none"}
    assert api.ok("/patient-merge/v1/updates/scan", since=LONG_AGO)[-1] == merge | {
        "deactivated": True,
        "version": 2,
        "updated_at": api.ok(f"/patient-merge/v1/all/{one['mrn']}")[0]["updated_at"],
    }


def test_merges_are_searched_with_the_token_in_the_body(api: Desk) -> None:
    seeded = api.ok("/patient-merge/v1/updates/scan", since=LONG_AGO)[:2]
    wanted: dict[str, Any] = {"mrns": [row["primary_patient_mrn"] for row in seeded], "limit": 1}
    first = api.done("POST", "/patient-merge/v1/search", wanted)
    second = api.done("POST", "/patient-merge/v1/search", wanted | {"page_token": first["next_page_token"]})
    assert first["items"] + second["items"] == seeded
    assert (first["total"], second["next_page_token"]) == (2, None)
    api.fails(400, "POST", "/patient-merge/v1/search", wanted | {"page_token": "made up"})
