"""Answers, and what they mean to who waits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.api.outcome import Conditions, Outcome, Verdict
from candid_provider.exceptions import (
    CandidAuthError,
    CandidConfigError,
    CandidError,
    CandidRateLimitError,
    CandidRequestError,
    CandidUnavailableError,
)

LATER = CandidRequestError("later", status_code=422, error_name="NotYet")
NEVER = CandidUnavailableError("never", status_code=503, error_name="Gone")
CONDITIONS = Conditions(not_yet=("NotYet", 404), failed=("Gone",))
CLAIMS: dict[str, Any] = {
    "status_path": "claims.*.status",
    "succeeded": ["paid"],
    "needs_person": ["rejected"],
    "failed": ["void"],
    "not_yet": ["coded"],
}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (LATER, Outcome.PENDING),
        (CandidRequestError("x", status_code=404), Outcome.PENDING),
        (CandidRequestError("x", status_code=422, error_name="Odd"), Outcome.FAILED),
        (NEVER, Outcome.FAILED),
        (CandidUnavailableError("x", status_code=503), Outcome.PENDING),
        (CandidUnavailableError("x"), Outcome.PENDING),
        (CandidUnavailableError("x", retryable=False), Outcome.FAILED),
        (CandidRateLimitError("x"), Outcome.PENDING),
        (CandidAuthError("x"), Outcome.FAILED),
        (CandidConfigError("x"), Outcome.FAILED),
    ],
)
def test_an_error_means_later_or_never(error: CandidError, outcome: Outcome) -> None:
    assert CONDITIONS.verdict(error) == Verdict(outcome, error=error)


@pytest.mark.parametrize("answer", [None, {}, [], {"status": "void"}])
def test_without_a_path_any_good_answer_is_a_success(answer: object) -> None:
    assert CONDITIONS.verdict(answer) == Verdict(Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("statuses", "all_", "any_"),
    [
        ([], "pending", "pending"),
        (["paid"], "succeeded", "succeeded"),
        (["paid", "paid"], "succeeded", "succeeded"),
        (["paid", "coded"], "pending", "succeeded"),
        (["paid", "odd"], "pending", "succeeded"),
        (["paid", "rejected"], "needs_person", "succeeded"),
        (["coded", "rejected"], "needs_person", "pending"),
        (["void", "rejected"], "failed", "needs_person"),
        (["void", "coded"], "failed", "pending"),
        (["void", "void"], "failed", "failed"),
        (["odd", "rejected"], "needs_person", "pending"),
    ],
)
def test_several_statuses_are_judged_together(statuses: list[str], all_: str, any_: str) -> None:
    answer: dict[str, Any] = {"claims": [{"status": status} for status in statuses]}
    verdicts = [Conditions(**CLAIMS, match=match).verdict(answer) for match in ("all", "any")]
    assert [verdict.outcome for verdict in verdicts] == [all_, any_]
    counts = {status if status != "odd" else "other": statuses.count(status) for status in statuses}
    assert [dict(verdict.statuses) for verdict in verdicts] == [counts, counts]


def test_an_answer_without_the_path_is_pending() -> None:
    conditions = Conditions(**CLAIMS)
    answers: list[Any] = [
        None,
        [],
        "paid",
        {"claims": None},
        {"claims": "paid"},
        {"claims": [None, {"status": None}]},
    ]
    for answer in answers:
        assert conditions.verdict(answer) == Verdict(Outcome.PENDING)


@pytest.mark.parametrize(
    ("value", "outcome"), [("anything", "succeeded"), ([{}], "succeeded"), ([], "pending"), (None, "pending")]
)
def test_a_star_is_whatever_is_there(value: object, outcome: str) -> None:
    verdict = Conditions(status_path="actions", succeeded=["*"]).verdict({"actions": value})
    assert verdict.outcome == outcome
    assert "anything" not in str(verdict)


@pytest.mark.parametrize(
    ("path", "answer", "outcome"),
    [
        ("total", {"total": 3}, "succeeded"),
        ("total", {"total": 2}, "pending"),
        ("total", {"total": None}, "pending"),
        ("total", {"total": True}, "pending"),
        ("items.*", {"items": [{"a": 1}, {"b": 2}, {"c": 3}]}, "succeeded"),
        ("items.*", {"items": [{"a": 1}]}, "pending"),
    ],
)
def test_a_number_can_be_waited_for(path: str, answer: object, outcome: str) -> None:
    assert Conditions(status_path=path, at_least=3).verdict(answer).outcome == outcome


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"succeeded": "paid"}, "succeeded is not a list"),
        ({"status_path": "status", "succeeded": [None]}, "succeeded holds something"),
        ({"status_path": "status"}, "status_path and succeeded"),
        ({"succeeded": ["paid"]}, "status_path and succeeded"),
        ({"status_path": "a b", "succeeded": ["paid"]}, "status_path is not names"),
        ({"status_path": "a..b", "succeeded": ["paid"]}, "status_path is not names"),
        ({**CLAIMS, "match": "some"}, "match is neither"),
        ({**CLAIMS, "failed": ["paid"]}, "'paid' is named by two conditions"),
    ],
)
def test_wrong_conditions_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(CandidConfigError, match=says):
        Conditions(**given)


SIGNS = st.sets(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1)


@given(succeeded=SIGNS, failed=SIGNS, match=st.sampled_from(["all", "any"]))
def test_conditions_are_the_same_after_json(succeeded: set[str], failed: set[str], match: Any) -> None:
    first = Conditions(status_path="x.*", succeeded=sorted(succeeded), failed=failed - succeeded, match=match)
    assert Conditions(**json.loads(json.dumps(first.plain()))) == first


def test_only_what_was_given_is_stored() -> None:
    assert Conditions().plain() == {}
    assert Conditions(failed=(404,)).plain() == {"failed": [404]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"error": None, "edits": None, "actions": []}, "pending"),
        ({"error": None, "edits": {}, "actions": []}, "succeeded"),
        ({"error": {"message": "stopped"}, "edits": None, "actions": []}, "succeeded"),
        ({"error": None, "edits": None, "actions": [{"type": "hold"}]}, "succeeded"),
    ],
)
def test_one_of_several_places_is_enough(answer: dict[str, Any], outcome: str) -> None:
    conditions = Conditions(status_path="error|edits|actions.*", succeeded=["*"], match="any")
    assert conditions.verdict(answer).outcome == outcome
