"""Exports: when a window's file is there, what is in it, and how its signed URL behaves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import httpx
import pytest

from candid_provider.emulator import Emulator, EmulatorConfig, running
from candid_provider.emulator.world.people import MARKERS
from tests.emulator.conftest import Api, connected
from tests.emulator.test_sdk import client, shape_faults

PATH = "/api/exports/v3"
# A Sunday: the world's clock starts on Monday 2026-03-16 at 00:00 UTC.
WORLD = EmulatorConfig(as_of=date(2026, 3, 15), encounters=600, patients=90, days=30)


class Watch:
    """The transport clock: seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def emulated(**settings: Any) -> Iterator[tuple[Api, Emulator, Watch]]:
    watch = Watch()
    with running(EmulatorConfig(**(vars(WORLD) | settings)), clock=watch) as emulator, connected(emulator) as http:
        yield Api(http), emulator, watch


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Api, Emulator, Watch]]:
    with emulated() as made:
        yield made


@pytest.fixture(scope="module")
def exported(world: tuple[Api, Emulator, Watch]) -> Any:
    return world[0].ok(PATH, start_date="2026-02-20", end_date="2026-03-10")


def refused(api: Api, start: str, end: str) -> tuple[int, str]:
    answer = api.get(PATH, start_date=start, end_date=end)
    body = answer.json()
    assert isinstance(body["content"], str) or body["errorName"] == "HttpRequestValidationsError"
    return answer.status_code, body["errorName"]


def advance(api: Api, hours: float) -> None:
    assert api.http.post("/_emulator/clock", json={"advance": hours * 3600}).status_code == 200


def test_a_window_that_is_not_offered_is_refused_by_its_reason(world: Any) -> None:
    api = world[0]
    assert refused(api, "2022-10-06", "2022-10-07") == (422, "ExportDateTooEarlyError")
    assert refused(api, "2025-12-15", "2025-12-20") == (422, "ExportDateTooEarlyError")
    assert refused(api, "2026-03-16", "2026-03-16") == (422, "UnsupportedExportWindowError")
    assert refused(api, "2026-02-01", "2026-03-04") == (422, "UnsupportedExportWindowError")
    assert refused(api, "2026-03-02", "2026-03-01") == (422, "HttpRequestValidationsError")
    assert refused(api, "2026-03-02", "tomorrow") == (422, "HttpRequestValidationsError")
    assert api.get(PATH, start_date="2026-03-02").status_code == 422
    assert api.get(PATH, start_date="2025-12-16", end_date="2026-01-15").status_code == 200


def test_a_file_is_there_on_the_third_business_day_and_just_before_answers_503() -> None:
    with emulated() as (api, _, _watch):
        window = ("2026-03-01", "2026-03-11")  # to a Wednesday: ready on the next Monday
        assert refused(api, *window) == (422, "ExportNotYetAvailableError")
        assert refused(api, "2026-03-15", "2026-03-20") == (422, "ExportNotYetAvailableError")
        advance(api, 4)
        assert refused(api, *window) == (503, "MissingDailyIncrementalExportFileError")
        advance(api, 1)
        assert refused(api, *window) == (503, "ExportFilesUnavailableError")
        advance(api, 1)
        assert api.ok(PATH, start_date=window[0], end_date=window[1])["created_at"] == "2026-03-16T06:00:00.000000Z"


def test_the_sdk_raises_its_own_exception_for_a_file_that_is_not_there_yet(world: Any) -> None:
    from candid.resources.exports.resources.v_3.errors import ExportNotYetAvailableError

    with client(world[1]) as sdk:
        row = sdk.exports.v_3.get_exports(start_date=date(2026, 2, 20), end_date=date(2026, 3, 10))
        assert shape_faults(row) == []
        with pytest.raises(ExportNotYetAvailableError):
            sdk.exports.v_3.get_exports(start_date=date(2026, 3, 1), end_date=date(2026, 3, 15))


def test_an_export_holds_the_versions_of_the_claims_of_its_days(world: Any, exported: Any) -> None:
    answer = httpx.get(exported["authenticated_download_url"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert exported["name"] == "export_2026-02-20_2026-03-10.csv"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert {row["claim_version"] for row in rows} == {"1", "2", "3", "4", "5", "6"}
    days = {row["claim_version_created_at"][:10] for row in rows}
    assert (min(days), max(days), len(days)) == ("2026-02-20", "2026-03-10", 19)
    assert len({(row["claim_id"], row["claim_version"]) for row in rows}) == len(rows)
    assert {row["claim_status"] for row in rows if row["claim_version"] == "1"} == {"biller_received"}
    assert all((row["paid_amount_cents"] == "") == (row["patient_responsibility_cents"] == "") for row in rows)
    assert all(MARKERS[0] in row["patient_name"] and MARKERS[0] in row["patient_preferred_name"] for row in rows)
    assert not answer.content.isascii()


def test_an_export_agrees_with_the_encounters(world: Any, exported: Any) -> None:
    text = httpx.get(exported["authenticated_download_url"]).content.decode()
    for row in list(csv.DictReader(io.StringIO(text)))[::30]:
        encounter = world[0].ok(f"/api/encounters/v4/{row['encounter_id']}")
        claim, patient = encounter["claims"][0], encounter["patient"]
        assert claim["claim_id"] == row["claim_id"]
        assert patient["external_id"] == row["patient_external_id"]
        assert f"{patient['last_name']}, {patient['first_name']}" == row["patient_name"]
        lines = claim["service_lines"]
        assert [len(lines), sum(line["charge_amount_cents"] for line in lines)] == [
            int(row["service_line_count"]),
            int(row["charge_amount_cents"]),
        ]
        assert encounter["subscriber_primary"]["insurance_card"]["payer_id"] == row["primary_payer_id"]
        if row["claim_version"] == "6":
            paid = sum(line["paid_amount_cents"] or 0 for line in lines)
            assert (claim["status"], paid) == (row["claim_status"], int(row["paid_amount_cents"] or 0))


def test_an_export_of_millions_of_claims_is_had_in_parts_at_once() -> None:
    with emulated(encounters=5_000_000) as (api, _, _watch):
        url = api.ok(PATH, start_date="2026-02-20", end_date="2026-03-10")["authenticated_download_url"]
        size = int(httpx.head(url).headers["content-length"])
        assert size > 5_000_000_000
        tail = httpx.get(url, headers={"range": f"bytes={size - 2048}-"})
        assert tail.status_code == 206
        assert tail.content.count(b"\n") == 4


def test_a_download_url_lives_two_minutes_and_leads_to_the_host_that_was_asked() -> None:
    with emulated() as (api, emulator, watch):
        port = emulator.url.rpartition(":")[2]
        query = {"start_date": "2026-03-01", "end_date": "2026-03-05"}
        answer = api.http.get(f"http://localhost:{port}{PATH}", params=query).json()
        url = answer["authenticated_download_url"]
        assert url.startswith(f"http://localhost:{port}/_files/")
        expiry = datetime.fromisoformat(answer["authenticated_download_url_expiration"]).timestamp()
        assert expiry == watch.now + 120
        watch.now += 119
        assert httpx.get(url).status_code == 200
        watch.now += 1
        late = httpx.get(url)
        assert (late.status_code, "ExpiredToken" in late.text) == (403, True)
        advance(api, 24)
        assert api.get(PATH, **query).status_code == 200


def test_a_download_url_refuses_a_bearer_and_what_was_not_signed(world: Any, exported: Any) -> None:
    url = exported["authenticated_download_url"]
    assert httpx.get(url, headers={"authorization": "Bearer x"}).status_code == 400
    assert httpx.get(url, headers={"authorization": "Basic eDp5"}).status_code == 400
    assert httpx.get(url.replace("expires=1", "expires=2")).status_code == 403
    assert httpx.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert httpx.get(url.replace("export_", "other_")).status_code == 403
    assert httpx.get(url.partition("?")[0]).status_code == 401
    assert httpx.put(url, content=b"x").status_code == 403
    assert httpx.delete(url).status_code == 405


def test_a_file_is_read_whole_in_parts_and_by_its_validator(world: Any, exported: Any) -> None:
    url = exported["authenticated_download_url"]
    whole = httpx.get(url)
    size, etag = len(whole.content), whole.headers["etag"]
    head = httpx.head(url)
    assert (head.headers["content-length"], head.headers["etag"], head.content) == (str(size), etag, b"")
    for text, part in [("0-99", slice(0, 100)), ("500-", slice(500, None)), ("-70", slice(-70, None))]:
        answer = httpx.get(url, headers={"range": f"bytes={text}"})
        assert (answer.status_code, answer.content) == (206, whole.content[part])
        assert answer.headers["content-range"].endswith(f"/{size}")
    assert httpx.get(url, headers={"range": f"bytes={size}-"}).status_code == 416
    assert httpx.get(url, headers={"range": "bytes=-0"}).status_code == 416
    assert httpx.get(url, headers={"range": "bytes=9-0"}).status_code == 200
    assert httpx.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'}).status_code == 200
    assert httpx.get(url, headers={"range": "bytes=0-9", "if-range": etag}).status_code == 206
    assert httpx.get(url, headers={"if-none-match": etag}).status_code == 304


def test_downloads_are_counted_with_their_bytes() -> None:
    with emulated() as (api, emulator, _watch):
        url = api.ok(PATH, start_date="2026-03-01", end_date="2026-03-05")["authenticated_download_url"]
        before = emulator.stats()["bytes_sent"]
        size = len(httpx.get(url).content)
        httpx.head(url)
        stats = emulator.stats()
        assert stats["bytes_sent"] - before == size
        assert (stats["requests"]["GET /_files/{file}"], stats["requests"]["HEAD /_files/{file}"]) == (1, 1)


def test_faults_strike_downloads_too() -> None:
    with emulated() as (api, _, _watch):
        url = api.ok(PATH, start_date="2026-03-01", end_date="2026-03-05")["authenticated_download_url"]
        whole = httpx.get(url).content
        rules = [
            {"kind": "status", "route": "GET /_files/*", "status": 503, "count": 1},
            {"kind": "truncated", "route": "GET /_files/{file}", "after": 1, "count": 1},
        ]
        assert api.http.post("/_emulator/faults", json=rules).status_code == 201
        assert httpx.get(url).status_code == 503
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url)
        assert httpx.get(url).content == whole
        assert httpx.get(url, headers={"range": "bytes=5-9"}).content == whole[5:10]
