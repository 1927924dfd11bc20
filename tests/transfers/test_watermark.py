"""Where marks are kept: never lost to an outage, never taken for another extract's."""

from __future__ import annotations

import datetime
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

# The real channel between a task and its supervisor; ours is a supervisor that hangs up.
from airflow.sdk.execution_time import task_runner  # noqa: TID251 - as above
from airflow.sdk.execution_time.comms import CommsDecoder  # noqa: TID251 - as above
from airflow.sdk.execution_time.context import AssetStateStoreAccessor  # noqa: TID251 - as above

from candid_provider.api.call import Call
from candid_provider.api.event_feeds import ServiceDates
from candid_provider.api.feeds import Mark, Scan
from candid_provider.api.resources import RESOURCES
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.transfers.mark_stores import AssetMarks, FileMarks, VariableMarks
from candid_provider.transfers.watermark import Subject, Watermark, interval_of, subject_of, watermark_for

EARLY, LATE = Mark("2026-03-14T00:00:00.000000Z", ("a", "b")), Mark("2026-03-15T00:00:00.000000Z", ("c",))
PATIENTS = Subject("patients", "scan", "0000")


def context(**fields: Any) -> Any:
    instance = {"dag_id": "extract", "task_id": "group.patients", "map_index": -1, **fields.pop("ti", {})}
    return {"ti": SimpleNamespace(**instance), "task": SimpleNamespace(outlets=[]), **fields}


def in_file(path: Path, subject: Subject = PATIENTS) -> Watermark:
    return watermark_for(context(), subject, place=str(path))


# --- what is kept


def test_a_mark_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "marks" / "patients.json"
    assert in_file(path).load() is None
    in_file(path).save(EARLY)
    assert in_file(path).load() == EARLY
    in_file(path).save(LATE)
    assert in_file(path).load() == LATE
    assert [file.name for file in path.parent.iterdir()] == ["patients.json"]
    assert in_file(path).name == f"file {path}"


def test_a_mark_does_not_go_back(tmp_path: Path) -> None:
    path = tmp_path / "mark.json"
    in_file(path).save(LATE)
    in_file(path).save(EARLY)
    assert in_file(path).load() == LATE


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Subject("coverages", "scan", "0000"), "other resources"),
        (Subject("patients", "since", "0000"), "other change feeds"),
        (Subject("patients", "scan", "0001"), "other parameters"),
        (Subject("patients", "scan", "0000", "elsewhere.example.org"), "other environments"),
    ],
)
def test_another_extracts_mark_is_refused(tmp_path: Path, other: Subject, what: str) -> None:
    path = tmp_path / "mark.json"
    in_file(path).save(EARLY)
    before = path.read_bytes()
    with pytest.raises(CandidConfigError, match=f"{what}.*remove this one") as failure:
        in_file(path, other).load()
    assert failure.value.field == "watermark"
    with pytest.raises(CandidConfigError, match=what):
        in_file(path, other).save(LATE)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "***",
        "Jane",
        "{}",
        "[" * 20_000,
        '{"version":2,"subject":{"resource":"","feed":"","parameters":""}}',
        "\xff",
    ],
)
def test_what_is_no_mark_is_not_taken_for_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mark.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CandidConfigError, match=r"holds no mark\. Remove it to begin anew") as failure:
        in_file(path).load()
    assert "Jane" not in str(failure.value)


@pytest.mark.parametrize("mark", ['{"at": "Jane"}', '{"at": 7}', '{"at": "2026-03-14T00:00:00Z", "seen": 7}'])
def test_a_mark_that_is_none_is_not_shown(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "mark.json"
    subject = json.dumps({"resource": "patients", "feed": "scan", "parameters": "0000"})
    path.write_text(f'{{"version":1,"subject":{subject},"mark":{mark}}}')
    with pytest.raises(CandidConfigError, match="holds no mark") as failure:
        in_file(path).load()
    assert "Jane" not in str(failure.value)


def test_a_mark_is_looked_for_where_it_was_kept_before(tmp_path: Path) -> None:
    now, before = (FileMarks(str(tmp_path / f"{name}.json")) for name in ("now", "before"))
    Watermark([before], PATIENTS).save(EARLY)
    both = Watermark([now, before], PATIENTS)
    assert both.load() == EARLY
    both.save(LATE)
    assert (both.load(), Watermark([before], PATIENTS).load()) == (LATE, EARLY)


# --- what it is of


def patients(**params: Any) -> Call:
    return RESOURCES["patients"].call(params)


def test_the_size_of_a_page_does_not_change_what_is_extracted() -> None:
    assert subject_of("patients", Scan(), patients()) == subject_of("patients", Scan(), patients(maxResults=5))


@pytest.mark.parametrize("params", [{"since": "2026-01-01T00:00:00Z"}, {"other": "x"}])
def test_any_other_parameter_does(params: dict[str, Any]) -> None:
    assert subject_of("patients", Scan(), patients()) != subject_of("patients", Scan(), patients(**params))


def test_ids_in_the_path_and_filters_in_the_body_count() -> None:
    view = RESOURCES["claim_dynamic_view"]
    calls = [
        view.call(path_params={"claim_dynamic_view_id": "a"}),
        view.call(path_params={"claim_dynamic_view_id": "b"}),
        view.call(path_params={"claim_dynamic_view_id": "b"}, json={"filters": {"claim_status": {"values": ["x"]}}}),
    ]
    assert len({subject_of("claim_dynamic_view", view.changes(), call) for call in calls}) == 3


def test_a_subject_holds_no_value() -> None:
    subject = subject_of("encounters", ServiceDates(), RESOURCES["encounters"].call({"search_term": "Jane"}))
    assert (subject.resource, subject.feed, len(subject.parameters)) == ("encounters", "service_dates", 4)


# --- names


def test_each_task_has_a_watermark_of_its_own() -> None:
    names = [
        watermark_for(context(), PATIENTS).name,
        watermark_for(context(ti={"map_index": 3}), PATIENTS).name,
        watermark_for(context(ti={"task_id": "t" * 250}), PATIENTS).name,
        watermark_for(context(ti={"task_id": "t" * 249 + "u"}), PATIENTS).name,
    ]
    assert names[:2] == [
        "Variable candid_watermark__extract__group.patients",
        "Variable candid_watermark__extract__group.patients__3",
    ]
    assert len(set(names)) == 4
    assert all(len(name.removeprefix("Variable ")) <= 250 for name in names)


# --- stores that cannot be reached


@pytest.fixture
def hung_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", CommsDecoder(socket=ours), raising=False)
        ours.close()
        yield


@pytest.mark.usefixtures("hung_up")
@pytest.mark.parametrize(
    "store",
    [
        VariableMarks("candid_watermark__x"),
        AssetMarks(AssetStateStoreAccessor(name="patients"), "candid_watermark__x", "patients"),
    ],
    ids=lambda store: type(store).__name__,
)
def test_a_store_that_cannot_be_reached_is_no_missing_mark(store: Any) -> None:
    for use in (store.read, lambda: store.write("{}")):
        with pytest.raises(CandidUnavailableError, match=f"watermark: the {store.name} could not be") as failure:
            use()
        assert failure.value.retryable


def test_a_file_that_cannot_be_read_is_no_missing_mark(tmp_path: Path) -> None:
    with pytest.raises(CandidUnavailableError, match="could not be read"):
        in_file(tmp_path).load()


# --- intervals

DAY = (datetime.datetime(2026, 3, 14, tzinfo=datetime.UTC), datetime.datetime(2026, 3, 15, tzinfo=datetime.UTC))
EMPTY = (DAY[0], DAY[0])


def run_of(kind: str, interval: tuple[Any, Any], catchup: bool = False) -> Any:
    run = SimpleNamespace(run_type=kind, data_interval_start=interval[0], data_interval_end=interval[1])
    return context(dag_run=run, dag=SimpleNamespace(catchup=catchup))


@pytest.mark.parametrize(
    ("kind", "catchup", "interval", "expected"),
    [
        ("backfill", False, DAY, DAY),
        ("backfill", True, DAY, DAY),
        ("scheduled", True, DAY, DAY),
        ("scheduled", False, DAY, None),
        ("manual", True, DAY, None),
        ("asset_triggered", False, DAY, None),
        ("scheduled", True, EMPTY, None),
        ("scheduled", True, (None, None), None),
    ],
)
def test_backfills_and_catching_up_go_by_the_interval(
    kind: str, catchup: bool, interval: tuple[Any, Any], expected: Any
) -> None:
    assert interval_of(run_of(kind, interval, catchup)) == expected


def test_without_a_run_there_is_no_interval() -> None:
    assert interval_of(context()) is None


@pytest.mark.parametrize("interval", [EMPTY, (None, None)])
def test_a_backfill_without_intervals_is_refused(interval: tuple[Any, Any]) -> None:
    with pytest.raises(CandidConfigError, match="CronDataIntervalTimetable"):
        interval_of(run_of("backfill", interval))
