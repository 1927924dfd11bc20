"""An access token as a value: what it shows, and which part of its life it is in."""

from __future__ import annotations

import copy
import hashlib
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.oauth.token import AccessToken, Window

NOW = 1_800_000_000.0
ORDER = list(Window)
shares = st.floats(0, 1)
lives = st.floats(1, 86_400)


def living(seconds: float) -> AccessToken:
    return AccessToken("the-bearer", NOW, NOW + seconds, "host:1")


@pytest.mark.parametrize(
    ("left", "window"),
    [
        (18_000, Window.FRESH),
        (3_601, Window.FRESH),
        (3_599, Window.ADVISORY),
        (301, Window.ADVISORY),
        (300, Window.MANDATORY),
        (0.001, Window.MANDATORY),
        (0, Window.EXPIRED),
        (-1, Window.EXPIRED),
    ],
)
def test_the_windows_of_five_hours_for_the_earliest_process(left: float, window: Window) -> None:
    assert living(18_000).window(NOW + 18_000 - left, earliness=1.0) is window


@pytest.mark.parametrize(("left", "window"), [(1_801, Window.FRESH), (1_799, Window.ADVISORY)])
def test_the_latest_process_renews_half_an_hour_before_the_end(left: float, window: Window) -> None:
    assert living(18_000).window(NOW + 18_000 - left, earliness=0.0) is window


@pytest.mark.parametrize(
    ("left", "window"), [(13, Window.FRESH), (11, Window.ADVISORY), (3.1, Window.ADVISORY), (2.9, Window.MANDATORY)]
)
def test_the_windows_of_a_minute_are_scaled_down(left: float, window: Window) -> None:
    assert living(60).window(NOW + 60 - left, earliness=1.0) is window


@given(lives, shares, st.lists(st.floats(-10, 90_000), min_size=2))
def test_a_token_only_ever_grows_older(life: float, earliness: float, moments: list[float]) -> None:
    seen = [ORDER.index(living(life).window(NOW + moment, earliness)) for moment in sorted(moments)]
    assert seen == sorted(seen)


@given(lives, shares)
def test_a_new_token_is_fresh_however_short_it_lives(life: float, earliness: float) -> None:
    assert living(life).window(NOW, earliness) is Window.FRESH


@given(lives, shares)
def test_a_token_is_expired_from_its_end_on(life: float, earliness: float) -> None:
    token = living(life)
    assert token.window(token.expires_at, earliness) is Window.EXPIRED


def test_expired_goes_by_this_hosts_clock() -> None:
    now = time.time()
    assert AccessToken("x", now - 10, now - 1).expired
    assert not AccessToken("x", now - 10, now + 100).expired


@pytest.mark.requirement(5)
def test_no_printout_shows_the_value() -> None:
    token = living(60)
    assert "the-bearer" not in f"{token} {token!r} {[token]} {token.hash}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.requirement(5)
def test_a_token_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="pass the connection id") as refused:
        pickle.dumps(living(60), protocol)
    assert "the-bearer" not in str(refused.value)


def test_a_token_cannot_be_copied_by_way_of_pickle() -> None:
    with pytest.raises(TypeError):
        copy.deepcopy([living(60)])


def test_the_hash_is_the_first_eight_digits_of_sha256() -> None:
    assert living(60).hash == hashlib.sha256(b"the-bearer").hexdigest()[:8]


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_hash_tells_bearers_apart(one: str, other: str) -> None:
    same = AccessToken(one, NOW, NOW + 1).hash == AccessToken(other, NOW, NOW + 9).hash
    assert same == (one == other)
