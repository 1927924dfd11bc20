"""The hold: however it was written, it keeps others away for a bounded time only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.oauth.hold import MINT_HOLD, RETRY_AFTER_CAP, Hold, Reason, read_hold, throttle_seconds

NOW = 1_800_000_000.0
LONGEST: dict[Reason, float] = {"refreshing": 20.0, "throttled": 3600.0, "refused": 60.0}
reasons = st.sampled_from(list(LONGEST))
numbers = st.floats(allow_nan=False, allow_infinity=False)
holds = st.builds(Hold, st.text(), st.text(), reasons, numbers, numbers, st.integers(-(2**63), 2**63 - 1))


def hold(seconds: float = MINT_HOLD, left: float = MINT_HOLD, reason: Reason = "refreshing") -> Hold:
    return Hold("host:1", "abc", reason, seconds, NOW + left)


@given(holds)
def test_a_hold_survives_the_store(hold: Hold) -> None:
    assert read_hold(hold.text()) == hold


@given(holds)
def test_no_hold_lives_longer_than_its_reason_allows(hold: Hold) -> None:
    assert 0 <= hold.life <= LONGEST[hold.reason]


@given(holds, numbers)
def test_what_is_left_is_bounded_too(hold: Hold, now: float) -> None:
    assert 0 <= hold.left(now) <= 1.5 * LONGEST[hold.reason]


@given(st.floats(0.1, 20), st.floats(0, 1))
def test_a_plausible_hold_counts_down_to_its_end(seconds: float, share: float) -> None:
    assert hold(seconds, seconds).left(NOW + share * seconds) == pytest.approx((1 - share) * seconds, abs=1e-5)


@pytest.mark.parametrize("left", [2.3e9, 31, -1, 0])
@pytest.mark.requirement(13)
def test_a_hold_dated_2099_or_over_blocks_nobody(left: float) -> None:
    assert hold(left=left).left(NOW) == 0


def test_a_hold_of_no_or_negative_length_blocks_nobody() -> None:
    assert [hold(seconds).left(NOW) for seconds in (0, -5)] == [0, 0]


@given(st.text())
@pytest.mark.requirement(13)
def test_garbage_is_no_hold(text: str) -> None:
    assert read_hold(text) is None


@pytest.mark.parametrize("text", [None, "", "***", "null", "[]", "\ud800", "[" * 50_000, '{"x":' * 50_000])
def test_what_is_no_record_is_no_hold(text: str | None) -> None:
    assert read_hold(text) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"reason": "tired"},
        {"until": "tomorrow"},
        {"until": None},
        {"seconds": []},
        {"owner": 1},
        {"throttles": 1.5},
        {"until": 10**400},
    ],
)
def test_a_record_of_another_shape_or_version_is_no_hold(changed: dict[str, Any]) -> None:
    assert read_hold(json.dumps(json.loads(hold().text()) | changed)) is None


@pytest.mark.parametrize("missing", ["owner", "nonce", "reason", "seconds", "until"])
def test_a_record_that_lacks_a_field_is_no_hold(missing: str) -> None:
    record = json.loads(hold().text())
    del record[missing]
    assert read_hold(json.dumps(record)) is None


def test_a_field_of_a_later_release_is_overlooked() -> None:
    assert read_hold(json.dumps(json.loads(hold().text()) | {"mood": "good"})) == hold()


@given(st.none() | st.floats(0, allow_infinity=True), st.integers(1, 2**63), st.floats(0, 1))
def test_a_pause_is_bounded_however_many_429_came(after: float | None, throttles: int, chance: float) -> None:
    assert 1 <= throttle_seconds(after, throttles, chance) <= RETRY_AFTER_CAP


@given(st.integers(-(2**63), 2**63), st.floats(0, 1))
def test_a_pause_is_never_negative_whatever_the_stored_count(throttles: int, chance: float) -> None:
    assert 0 <= throttle_seconds(None, throttles, chance) <= 900


@pytest.mark.parametrize(("throttles", "longest"), [(1, 60), (2, 120), (3, 240), (4, 480), (5, 900), (9, 900)])
def test_pauses_double_up_to_a_quarter_of_an_hour(throttles: int, longest: float) -> None:
    assert throttle_seconds(None, throttles, 1.0) == longest
    assert throttle_seconds(None, throttles, 0.0) == longest / 2


@pytest.mark.parametrize(("asked", "given"), [(0.0, 1.0), (7.0, 7.0), (9_999.0, 3600.0), (float("inf"), 3600.0)])
def test_retry_after_is_obeyed_within_reason(asked: float, given: float) -> None:
    assert throttle_seconds(asked, 3, 0.5) == given
