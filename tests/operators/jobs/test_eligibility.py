"""Eligibility batches: what is checked, sent, waited for and written."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from candid_provider.exceptions import CandidUnavailableError
from candid_provider.triggers.candid import CandidPollTrigger
from tests.conftest import Connect
from tests.operators.jobs.conftest import BATCH, Office, StateStore, request
from tests.triggers.test_candid import run as triggered

SLOW = request(7, payer_id="87726", subscriber={"first_name": "Jane", "last_name": "Late", "member_id": "UHCAAA42"})
"""A payer that does not answer, and is given up after eight hours."""
SUCCEEDED = {"status": "succeeded", "asked": 1, "statuses": {}}
TIMEOUT = {**SUCCEEDED, "status": "timeout"}
POLL = "GET /eligibility-checks/v1/batch/{batch_id}"


def test_results_are_written_in_the_order_of_the_requests(fast: Office) -> None:
    fast.write([request(number) for number in range(40)])
    fast.speed(100_000)
    summary = fast.run(fast.batch())
    assert fast.names() == [f"Ozmvik{number}" for number in range(40)]
    assert (summary["submitted"], summary["results"], summary["missing"]) == (40, 40, 0)
    assert sum(summary["statuses"].values()) + sum(summary["errors"].values()) == 40
    assert set(summary["statuses"]) <= {"ACTIVE", "INACTIVE", "UNKNOWN"}
    assert summary["path"] == str(fast.output)
    assert {row["batch_id"] for row in fast.rows()} == {summary["batch_id"]}
    assert [path.name for path in sorted(fast.output.parent.iterdir())] == [fast.record.name, fast.output.name]
    assert not any(marker in str(summary) + fast.record.read_text() for marker in fast.emulator.markers)


def test_each_request_has_an_identifier_of_its_own_and_the_same_in_each_run_of_a_task(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0), request(1, submitter_transaction_identifier="appointment-9"), b"", request(2)])
    fast.run(fast.batch())
    first = [row["request"]["submitter_transaction_identifier"] for row in fast.rows()]
    fast.record.unlink()
    fast.run(fast.batch())
    assert first == [row["request"]["submitter_transaction_identifier"] for row in fast.rows()]
    assert first[1] == "appointment-9"
    assert [name.rpartition("-")[2] for name in first] == ["1", "9", "4"]  # lines, as editors count
    fast.run(fast.batch(), "another run")
    assert not {*first} & {row["request"]["submitter_transaction_identifier"] for row in fast.rows()} - {first[1]}


def test_a_few_requests_are_given_as_a_list_which_is_not_shown(fast: Office) -> None:
    fast.speed(100_000)
    operator = fast.batch(requests=[request(0), request(1)])
    assert fast.run(operator)["results"] == 2
    assert operator.requests.serialize() == "not shown"


def test_nothing_to_ask_is_nothing_to_send(office: Office) -> None:
    office.write([])
    summary = office.run(office.batch())
    assert (summary["submitted"], summary["batch_id"], office.output.read_bytes()) == (0, None, b"")
    assert office.submits() == 0


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b'{"payer_id": ', "no JSON object"),
        (b'["Ozmvik"]', "no JSON object"),
        ({"payer_id": ""}, "payer_id"),
        ({"provider": {"organization_name": "Ozmvik"}}, "provider.npi"),
        ({"subscriber": {"first_name": "Ozmvik"}}, "subscriber.last_name"),
        ({"subscriber": None}, "subscriber"),
        ({"encounter": {"date_of_service": "Ozmvik"}}, "encounter.date_of_service"),
        ({"submitter_transaction_identifier": 7}, "submitter_transaction_identifier"),
    ],
)
def test_a_wrong_line_is_named_with_its_field_before_anything_is_sent(office: Office, line: Any, field: str) -> None:
    office.write([request(0), line if isinstance(line, bytes) else request(1, **line), request(2)])
    with pytest.raises(AirflowFailException, match=f"line 2 is not a request: {field}") as raised:
        office.run(office.batch())
    assert "Ozmvik" not in str(raised.value)
    assert office.submits() == 0


def test_two_lines_of_one_identifier_are_named(office: Office) -> None:
    office.write([request(number, submitter_transaction_identifier="Ozmvik") for number in (0, 1)])
    with pytest.raises(AirflowFailException, match="lines 1 and 2 have the same") as raised:
        office.run(office.batch())
    assert "Ozmvik" not in str(raised.value)


def test_more_than_a_batch_holds_is_refused(office: Office) -> None:
    office.write([json.dumps(request(0)).encode()] * 10_001)
    with pytest.raises(AirflowFailException, match="more than 10000 requests"):
        office.run(office.batch())


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"requests": "Ozmvik"}, "requests"),
        ({"path": None}, "path"),
        ({"timeout": 0}, "timeout"),
        ({"poll_interval": "often"}, "poll_interval"),
        ({"output_path": "relative.jsonl"}, "output_path"),
        ({"path": "/no/such/file.jsonl"}, "path"),
    ],
)
def test_a_wrong_argument_names_itself(office: Office, arguments: dict[str, Any], field: str) -> None:
    office.write([request(0)])
    with pytest.raises(AirflowFailException, match=f"^{field}"):
        office.run(office.batch(**arguments))
    assert office.submits() == 0


def test_what_has_arrived_when_time_is_up_is_kept_and_the_rest_is_named(fast: Office) -> None:
    fast.write([request(0), SLOW, request(1)])
    with pytest.raises(AirflowFailException, match="1 of 3 results") as raised:
        fast.run(fast.batch(timeout=3))
    assert fast.names() == ["Ozmvik0", "Ozmvik1"]
    (missing,) = map(json.loads, fast.output.with_name("results.missing.jsonl").read_text().splitlines())
    assert missing["line"] == 2
    assert missing["submitter_transaction_identifier"].endswith("-2")
    assert str(fast.output.with_name("results.missing.jsonl")) in str(raised.value)
    # Cleared, the task looks again.
    fast.speed(100_000)
    fast.emulator.advance(9 * 3600)
    assert fast.run(fast.batch(timeout=3))["results"] == 3
    assert (fast.submits(), fast.names()) == (1, ["Ozmvik0", "Late", "Ozmvik1"])


def test_missing_results_can_be_accepted(fast: Office) -> None:
    fast.write([request(0), SLOW])
    summary = fast.run(fast.batch(timeout=3, missing="accept"))
    assert (summary["results"], summary["missing"]) == (1, 1)
    assert summary["missing_path"] == str(fast.output.with_name("results.missing.jsonl"))


class Lane:
    """A task that is deferred: executed, waited for as a triggerer does, and gone on with in another process."""

    def __init__(self, office: Office, **context: Any) -> None:
        self.office, self.context = office, office.context(**context)
        self.deferred: TaskDeferred | None = None

    def begin(self) -> CandidPollTrigger:
        operator = self.office.batch(deferrable=True)
        operator.render_template_fields(self.context)
        return self.until_deferred(lambda: operator.execute(self.context))

    def go_on(self, event: dict[str, Any]) -> Any:
        assert self.deferred
        operator = self.office.batch(deferrable=True)
        operator.render_template_fields(self.context)
        kwargs = json.loads(json.dumps(self.deferred.kwargs))
        return operator.execute_complete(self.context, event=event, **kwargs)

    def until_deferred(self, act: Any) -> CandidPollTrigger:
        with pytest.raises(TaskDeferred) as raised:
            act()
        self.deferred = raised.value
        assert isinstance(raised.value.trigger, CandidPollTrigger)
        return raised.value.trigger


def test_it_waits_in_the_triggerer(fast: Office) -> None:
    fast.write([request(number) for number in range(12)])
    lane = Lane(fast)
    waiting = lane.begin()
    stored = str(waiting.serialize()) + str(lane.deferred and lane.deferred.kwargs)
    assert not any(marker in stored for marker in fast.emulator.markers)
    fast.speed(100_000)
    event = triggered(waiting)
    assert event["status"] == "succeeded"
    assert lane.go_on(event)["results"] == 12


def test_a_total_that_counts_what_was_submitted_leads_to_pauses_and_no_haste(office: Office) -> None:
    office.write([request(number) for number in range(12)])
    lane = Lane(office)
    lane.begin()
    again = lane.until_deferred(lambda: lane.go_on(SUCCEEDED))
    # Nothing has arrived although it was said; what is waited for now is only time.
    assert again.serialize()[1]["conditions"]["at_least"] == 2**31
    office.emulator.advance(6 * 3600)
    assert lane.go_on(TIMEOUT)["results"] == 12


def test_an_outage_while_results_are_collected_is_waited_out(office: Office) -> None:
    office.write([request(0)])
    lane = Lane(office)
    lane.begin()
    office.emulator.advance(6 * 3600)
    office.emulator.faults.add(kind="status", status=503, route=POLL, count=None)

    def impatient() -> Any:
        assert lane.deferred
        operator = office.batch(deferrable=True)
        operator.hook.get_conn().retry_deadline = 0.2
        return operator.execute_complete(lane.context, event=SUCCEEDED, **(lane.deferred.kwargs or {}))

    lane.until_deferred(impatient)
    office.emulator.faults.clear()
    assert lane.go_on(TIMEOUT)["results"] == 1


@pytest.mark.parametrize("event", [None, {}, {"status": "done"}])
def test_an_event_that_says_nothing_fails(office: Office, event: Any) -> None:
    office.write([request(0)])
    lane = Lane(office)
    lane.begin()
    with pytest.raises(AirflowFailException, match="without an event"):
        lane.go_on(event)


def test_a_wrong_secret_fails_at_once_and_nothing_is_sent(office: Office, connect: Connect) -> None:
    office.write([request(0)])
    connect(password="wrong")
    with pytest.raises(AirflowFailException, match="Client Secret"):
        office.run(office.batch())
    assert office.submits() == 0
    assert not office.record.exists()


def test_a_token_that_is_refused_is_replaced(fast: Office) -> None:
    fast.speed(100_000)
    fast.write([request(0)])
    fast.emulator.faults.add(kind="token_expired", route=BATCH)
    assert fast.run(fast.batch())["results"] == 1
    assert [each.status for each in fast.emulator.requests(route=BATCH)] == [401, 200]


def test_a_batch_that_candid_refuses_leaves_nothing(office: Office) -> None:
    office.write([request(0)])
    office.emulator.faults.add(kind="status", status=422, error_name="UnprocessableEntityError", route=BATCH)
    with pytest.raises(AirflowFailException, match="UnprocessableEntityError"):
        office.run(office.batch())
    assert not office.record.exists()


def test_nothing_is_sent_while_candid_is_down(office: Office) -> None:
    office.write([request(0)])
    office.emulator.faults.add(kind="status", status=503, count=None)
    operator = office.batch()
    operator.hook.get_conn().retry_deadline = 0.2
    with pytest.raises(CandidUnavailableError):
        office.run(operator)
    assert office.submits() == 0


def test_nothing_of_a_patient_is_logged(
    fast: Office, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    fast.speed(100_000)
    fast.write([request(number) for number in range(5)])
    with caplog.at_level(logging.DEBUG):
        fast.run(fast.batch(), store=StateStore())
    told = (caplog.text + capsys.readouterr().out).lower()
    assert "submitted" in told
    assert not [marker for marker in fast.emulator.markers if marker.lower() in told]
