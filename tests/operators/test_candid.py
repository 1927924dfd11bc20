"""One API call as a task."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from candid_provider.emulator import Emulator
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.operators.candid import CandidOperator
from tests.conftest import Connect


def run(**arguments: Any) -> Any:
    """Render and execute an operator, as a task would."""
    operator = CandidOperator(task_id="call", **arguments)
    context: Any = {"ds": "2026-03-15"}
    operator.render_template_fields(context)
    return operator.execute(context)


def test_the_task_returns_a_summary_without_a_record(candid: Emulator, connect: Connect) -> None:
    summary = run(path="/api/encounters/v4", query={"limit": 5})
    assert summary["route"] == "GET /api/encounters/v4"
    assert summary["bytes"] > 10_000
    assert not any(marker in str(summary) for marker in candid.markers)


def test_the_answer_goes_to_a_file(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    target = tmp_path / "new" / "payers.json"
    summary = run(path="/api/payers/v4", query={"limit": 2}, output_path=str(target))
    assert len(json.loads(target.read_text())["items"]) == 2
    assert summary["path"] == str(target)
    assert summary["bytes"] == target.stat().st_size


def test_a_filter_says_what_is_returned(connect: Connect) -> None:
    def count(answer: Any) -> int:
        return len(answer["items"])

    assert run(path="/api/payers/v4", query={"limit": 4}, response_filter=count) == 4


def test_arguments_are_templates(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    target = tmp_path / "{{ ds }}.json"
    run(path="/api/encounters/v4", query={"date_of_service_min": "{{ ds }}"}, output_path=str(target))
    rows = json.loads((tmp_path / "2026-03-15.json").read_text())["items"]
    assert rows
    assert {row["date_of_service"] for row in rows} == {"2026-03-15"}


def test_an_id_in_path_params_stays_an_id(connect: Connect) -> None:
    with pytest.raises(AirflowFailException, match=r"GET /patients/v1/{id}: Candid answered HTTP 404"):
        run(path="/patients/v1/{id}", path_params={"id": "updates?since=1970-01-01#"})


def test_what_is_rendered_is_not_what_airflow_keeps(connect: Connect) -> None:
    from airflow.serialization.helpers import serialize_template_field

    operator = CandidOperator(
        task_id="call",
        path="/patient-merge/v1/all/{mrn}",
        path_params={"mrn": "MRN-{{ ds }}"},
        query={"search_term": "Doe", "limit": 5},
        json={"name": "Doe"},
    )
    operator.render_template_fields({"ds": "2026-03-15"})
    kept = {name: serialize_template_field(getattr(operator, name), name) for name in operator.template_fields}
    assert operator.path_params.value == {"mrn": "MRN-2026-03-15"}
    assert kept["path"] == "/patient-merge/v1/all/{mrn}"
    assert kept["query"] == "limit, search_term (values not shown)"
    assert "Doe" not in str(kept)
    assert "MRN-" not in str(kept)


def test_one_run_leaves_nothing_to_the_next() -> None:
    operator = CandidOperator(task_id="call", path="/api/payers/v4", query={"search_term": "{{ ds }}"})
    days = []
    for day in ("2026-03-14", "2026-03-15"):
        running = copy.copy(operator)  # what Airflow renders and executes
        context: Any = {"ds": day}
        running.render_template_fields(context)
        days.append(running.query.value["search_term"])
    assert days == ["2026-03-14", "2026-03-15"]


@pytest.mark.parametrize("query", ["search_term=Doe", ["Doe"], 7])
def test_a_query_of_another_shape_is_not_shown_at_all(query: Any) -> None:
    assert CandidOperator(task_id="call", path="/x", query=query).query.serialize() == "not shown"


def test_a_path_written_with_an_id_is_kept_as_its_route() -> None:
    operator = CandidOperator(task_id="call", path="/patient-merge/v1/all/MRN-77")
    assert "MRN-77" not in operator.path.serialize()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"path": "https://elsewhere.example/api/payers/v4"}, "path"),
        ({"path": "//elsewhere.example/x"}, "path"),
        ({"path": "/api/../admin"}, "path"),
        ({"path": "/api/payers/v4?limit=1"}, "path"),
        ({"path": "/api/payers/v4", "method": "FETCH"}, "method"),
        ({"path": "/api/payers/v4/{payer_uuid}"}, "path_params"),
        ({"path": "/api/payers/v4", "output_path": "relative/file.json"}, "path"),
        ({"path": "/api/payers/v4", "output_path": "/tmp/../etc/file.json"}, "path"),
        ({"path": "/api/payers/v4", "output_path": "/proc/no/such/file.json"}, "path"),
        ({"path": "/api/payers/v4", "json": {}, "body_path": "/dev/null"}, "body_path"),
        ({"path": "/api/payers/v4", "body_path": "/no/such/file"}, "body_path"),
    ],
)
def test_a_wrong_argument_names_itself_before_anything_is_sent(
    candid: Emulator, connect: Connect, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=field):
        run(**arguments)
    assert sum(candid.stats()["requests"].values()) == 0


def test_a_wrong_secret_burns_no_retries(candid: Emulator, connect: Connect) -> None:
    connect(password="wrong-for-the-operator")
    with pytest.raises(AirflowFailException, match="Client Secret"):
        run(path="/api/payers/v4")
    assert candid.stats()["token"]["refused"] == 1


def test_an_answer_not_given_leaves_the_old_file(candid: Emulator, connect: Connect, tmp_path: Path) -> None:
    target = tmp_path / "kept.json"
    target.write_text("old")
    with pytest.raises(AirflowFailException):
        run(path="/api/encounters/v4", query={"limit": "many"}, output_path=str(target))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_unreachable_host_is_worth_a_retry(connect: Connect) -> None:
    connect(host="http://127.0.0.1:1", extra={"store": "memory", "timeout": 1})
    operator = CandidOperator(task_id="call", path="/api/payers/v4")
    operator.hook.get_conn().retry_deadline = 0.1
    with pytest.raises(CandidUnavailableError, match="connection's host"):
        operator.execute({})


def test_a_write_that_may_have_been_carried_out_is_not_repeated(candid: Emulator, connect: Connect) -> None:
    candid.faults.add(kind="status", status=503, count=None, route="POST /patients/v1")
    with pytest.raises(AirflowFailException, match=r"HTTP 503.*It may have been carried out: look it up at Candid"):
        run(path="/patients/v1", method="POST", json={})
    assert candid.stats()["requests"]["POST /patients/v1"] == 1


def test_a_post_that_only_reads_is_sent_again(candid: Emulator, connect: Connect) -> None:
    search: dict[str, Any] = {"path": "/patient-merge/v1/search", "method": "POST", "json": {"mrns": ["none"]}}
    candid.faults.add(kind="status", status=503, count=2, route="POST /patient-merge/v1/search")
    with pytest.raises(AirflowFailException, match="HTTP 503"):
        run(**search)
    assert run(**search, read_only=True)["bytes"] > 0
    assert candid.stats()["requests"]["POST /patient-merge/v1/search"] == 3
