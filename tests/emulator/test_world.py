from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.world.identifiers import Identifiers, mix, unmix

from .conftest import SMALL, Api, connected

PATHS = (
    "/api/encounters/v4?limit=30",
    "/api/events/v1/",
    "/api/payers/v4",
    "/api/patient-ar/v1/inventory",
    "/patients/v1/updates/scan?since=2000-01-01T00:00:00Z",
    "/appointments/v1/updates/scan?since=2000-01-01T00:00:00Z",
    "/coverages/v1/updates/scan?since=2000-01-01T00:00:00Z",
)


def everything(config: EmulatorConfig) -> list[bytes]:
    with running(config) as emulator, connected(emulator) as http:
        return [http.get(path).content for path in PATHS]


def test_the_same_settings_give_the_same_bytes() -> None:
    assert everything(SMALL) == everything(replace(SMALL))


@pytest.mark.parametrize("change", [{"seed": 2}, {"as_of": date(2026, 3, 16)}])
def test_another_seed_or_day_gives_another_world(change: dict[str, Any]) -> None:
    pairs = zip(everything(SMALL), everything(replace(SMALL, **change)), strict=True)
    # Payers do not depend on the day.
    assert [mine != other for mine, other in pairs] == [True, True, "seed" in change, True, True, True, True]


@pytest.mark.parametrize("config", [{"encounters": 0}, {"encounters": 1, "patients": 1, "days": 1, "payers": 1}])
def test_the_smallest_worlds_can_be_listed_to_the_end(config: dict[str, Any]) -> None:
    with running(EmulatorConfig(**config)) as emulator, connected(emulator) as http:
        api, counts = Api(http), emulator.stats()["records"]
        for path, kind in (("/api/encounters/v4", "encounters"), ("/api/events/v1/", "events")):
            assert len(api.rows(path)) == counts[kind]
        for kind in ("patients", "appointments", "coverages"):
            assert len(api.scan(f"/{kind}/v1/updates/scan")) == counts[kind]


def test_events_older_than_thirty_days_are_gone() -> None:
    config = replace(SMALL, days=90, encounters=90)
    with running(config) as emulator, connected(emulator) as http:
        rows = Api(http).rows("/api/events/v1/", limit=100)
        assert len(rows) == emulator.stats()["records"]["events"]
        assert "2026-02-14T00:00:00" <= rows[-1]["created_at"] < "2026-02-15"
        assert sum(row["event_type"].endswith(".Created") for row in rows) == 30


# --- identifiers


@given(st.integers(0, 2**64 - 1))
def test_mixing_can_be_undone(number: int) -> None:
    assert unmix(mix(number)) == number


@given(seed=st.integers(0, 2**63), index=st.integers(0, 10**9), other=st.integers(0, 2**63))
def test_a_uuid_names_one_record_of_one_kind_and_seed(seed: int, index: int, other: int) -> None:
    identifiers = Identifiers(seed)
    text = identifiers.uuid("claim", index)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", text)
    assert identifiers.index("claim", text.upper(), index + 1) == index
    assert identifiers.index("claim", text, index) is None
    assert identifiers.index("patient", text, 10**10) is None
    assert other == seed or Identifiers(other).index("claim", text, 10**10) is None


@given(st.text())
def test_no_other_text_is_an_id(text: str) -> None:
    assert Identifiers(1).index("claim", text, 10**10) is None


def test_npis_pass_the_luhn_check(encounters: list[dict[str, Any]]) -> None:
    npis = set(re.findall(r'"npi": "(\d+)"', json.dumps(encounters)))
    assert len(npis) > 10
    for npi in npis:
        assert re.fullmatch(r"[12]\d{9}", npi)
        digits = [int(digit) for digit in reversed("80840" + npi)]
        assert sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2]) in range(0, 999, 10)


# --- claims


def test_money_adds_up(encounters: list[dict[str, Any]]) -> None:
    lines = [line for row in encounters for line in row["claims"][0]["service_lines"]]
    assert {len(row["claims"][0]["service_lines"]) for row in encounters} == {1, 2, 3, 4}
    adjudicated = [line for line in lines if line["allowed_amount_cents"] is not None]
    assert len(adjudicated) > len(lines) / 2
    for line in adjudicated:
        charge, allowed, paid = (line[f"{name}_amount_cents"] for name in ("charge", "allowed", "paid"))
        owed = line["patient_responsibility_cents"]
        assert charge >= allowed == paid + owed
        assert owed == line["copay_cents"] + line["coinsurance_cents"] + line["deductible_cents"]
        adjustments = line["service_line_era_data"]["service_line_adjustments"]
        assert charge - paid == sum(item["adjustment_amount_cents"] for item in adjustments)


def test_every_claim_status_occurs_and_only_adjudicated_claims_have_an_era(encounters: list[dict[str, Any]]) -> None:
    claims = [row["claims"][0] for row in encounters]
    assert len({claim["status"] for claim in claims}) == 15
    for claim in claims:
        adjudicated = claim["service_lines"][0]["allowed_amount_cents"] is not None
        assert bool(claim["eras"]) == adjudicated
        dates = [era["check_date"] for era in claim["eras"]]
        assert dates == sorted(dates)
        assert all(day <= SMALL.as_of.isoformat() for day in dates)
        assert all(re.fullmatch(r"\d+\.\d", line["quantity"]) for line in claim["service_lines"])


def test_codes_have_their_forms(encounters: list[dict[str, Any]]) -> None:
    for row in encounters:
        for provider in (row["billing_provider"], row["rendering_provider"]):
            assert re.fullmatch(r"[0-9]{3}[0-9A-Z]{6}X", provider["taxonomy_code"])
            # An employer identification number, by one of the prefixes that are given out.
            assert re.fullmatch(r"9[0-58-9]\d{7}", provider["tax_id"])
        assert all(re.fullmatch(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?", item["code"]) for item in row["diagnoses"])
        own = {item["diagnosis_id"] for item in row["diagnoses"]}
        for line in row["claims"][0]["service_lines"]:
            assert re.fullmatch(r"\d{5}", line["procedure_code"])
            assert {line["diagnosis_id_zero"], line["diagnosis_id_one"]} - {None} <= own


# --- invented patients can be searched for


def marked(emulator: Emulator, text: str) -> bool:
    return any(marker in text for marker in emulator.markers)


def test_everything_that_identifies_a_patient_carries_a_marker(
    api: Api, emulator: Emulator, encounters: list[dict[str, Any]]
) -> None:
    assert api.ok("/_emulator/markers") == {"markers": list(emulator.markers)}
    for row in encounters:
        patient, subscriber = row["patient"], row["subscriber_primary"]
        for person in (patient, subscriber):
            assert marked(emulator, person["first_name"])
            assert marked(emulator, person["last_name"])
            assert marked(emulator, person["address"]["address1"])
        assert marked(emulator, patient["email"])
        assert marked(emulator, patient["phone_numbers"][0]["number"])
        assert marked(emulator, subscriber["insurance_card"]["member_id"])
    for row in api.scan("/patients/v1/updates/scan"):
        texts = (row["mrn"], row["name"]["family"], row["primary_address"]["line"][0], row["email"])
        assert all(
            marked(emulator, text) for text in (*texts, row["name"]["given"][0], row["primary_telecom"]["value"])
        )
    for row in api.scan("/coverages/v1/updates/scan"):
        assert marked(emulator, row["insurance_plan"]["member_id"])
        assert marked(emulator, row["subscriber"]["name"]["family"])


def test_nothing_else_carries_a_marker(api: Api, emulator: Emulator, encounters: list[dict[str, Any]]) -> None:
    for row in encounters:
        ids = {
            name: value
            for name, value in row.items()
            if name not in ("patient", "subscriber_primary", "subscriber_secondary")
        }
        assert not marked(emulator, json.dumps(ids))
        assert not marked(emulator, row["patient"]["external_id"])
    for path in ("/api/events/v1/", "/api/payers/v4", "/api/patient-ar/v1/inventory"):
        assert not marked(emulator, json.dumps(api.pages(path)))
    assert not marked(emulator, json.dumps(api.scan("/appointments/v1/updates/scan")))


def test_markers_are_no_accident_of_encodings(emulator: Emulator) -> None:
    for marker in emulator.markers:
        assert len(marker) >= 5
        assert marker.isalpha()
        assert not set(marker.lower()) <= set("abcdef")


# --- five million encounters


@pytest.fixture(scope="module")
def large() -> Iterator[Emulator]:
    with running(EmulatorConfig(encounters=5_000_000, patients=1_000_000, as_of=date(2026, 3, 15))) as emulator:
        yield emulator


def test_the_last_of_five_million_encounters_is_a_page_like_any_other(large: Emulator) -> None:
    with connected(large) as http:
        api = Api(http)
        page = api.ok("/api/encounters/v4", date_of_service_max="2026-02-14", limit=1000)
        assert page["items"][0]["date_of_service"] == "2026-02-14"
        oldest = api.ok("/api/encounters/v4", sort="created_at:asc", limit=1)["items"][0]
        assert oldest["external_id"] == "enc-00000000"
        assert api.ok("/api/encounters/v4", external_id="enc-04999999")["items"][0]["date_of_service"] == "2026-03-15"
        last = api.ok("/patients/v1/updates/scan", since="2026-03-15T23:59:30Z")
        assert 0 < len(last) < 100
        assert len(api.ok("/api/encounters/v4", patient_external_id=last[-1]["id"])["items"]) == 5


@pytest.mark.parametrize("status", ["coded", "finalized_denied", "era_requires_review"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_status_is_found_at_once_among_five_million(large: Emulator, status: str, order: str) -> None:
    with connected(large) as http:
        page = Api(http).ok("/api/encounters/v4", claim_status=status, sort=f"created_at:{order}", limit=20)
        assert {row["claims"][0]["status"] for row in page["items"]} == {status}


def test_counts_of_a_large_world_need_no_counting(large: Emulator) -> None:
    counts = httpx.get(f"{large.url}/_emulator/stats").json()["records"]
    assert counts == {
        "encounters": 5_000_000,
        "patients": 1_000_000,
        "appointments": 5_625_000,
        "coverages": 1_333_334,
        "events": 26_249_999,
        "payers": 40,
        "patient_ar_inventory": 1_354_167,
    }
