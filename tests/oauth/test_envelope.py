"""The sealed envelope: opened by the same credentials only, and whatever cannot be opened is absent."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.oauth.credentials import MAX_LIFE, ClientCredentials
from candid_provider.oauth.envelope import Envelope
from candid_provider.oauth.token import CLOCK_SKEW, AccessToken

NOW = 1_800_000_000.0
CREDENTIALS = ClientCredentials("some-client", "some-secret", "https://api.invalid/token")
ENVELOPE = Envelope(CREDENTIALS)
BEARER = "head.payload-of-the-token.signature"
tokens = st.builds(
    lambda value, age, left, owner: AccessToken(value, NOW - age, NOW + left, owner),
    st.text(min_size=1),
    st.floats(0, 40_000),
    st.floats(0.001, 40_000),
    st.text(),
)


def token(issued_at: float = NOW, expires_at: float = NOW + 600) -> AccessToken:
    return AccessToken(BEARER, issued_at, expires_at, "host:1")


@given(tokens)
def test_what_was_sealed_can_be_opened(token: AccessToken) -> None:
    assert ENVELOPE.open(ENVELOPE.seal(token), NOW) == token


def test_another_process_with_the_same_credentials_opens_it() -> None:
    twin = ClientCredentials("some-client", "some-secret", "https://api.invalid/token")
    assert Envelope(twin).open(ENVELOPE.seal(token()), NOW) == token()


@pytest.mark.parametrize(
    "others",
    [
        ClientCredentials("other-client", "some-secret", "https://api.invalid/token"),
        ClientCredentials("some-client", "other-secret", "https://api.invalid/token"),
        ClientCredentials("some-client", "some-secret", "https://api-staging.invalid/token"),
    ],
    ids=["client", "secret", "environment"],
)
@pytest.mark.requirement(11)
def test_other_credentials_cannot_open_it(others: ClientCredentials) -> None:
    assert Envelope(others).open(ENVELOPE.seal(token()), NOW) is None


@pytest.mark.parametrize("text", [None, "", "***", "{}", "null", "gAAAAA", "\u00e9", "\ud800", "\x00"])
def test_what_is_no_envelope_is_absent(text: str | None) -> None:
    assert ENVELOPE.open(text, NOW) is None


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_absent(text: str) -> None:
    assert ENVELOPE.open(text, NOW) is None


@given(st.data())
def test_a_truncated_envelope_is_absent(data: st.DataObject) -> None:
    sealed = ENVELOPE.seal(token())
    assert ENVELOPE.open(sealed[: data.draw(st.integers(0, len(sealed) - 5))], NOW) is None


@given(st.data())
def test_a_single_flipped_bit_makes_it_absent(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(ENVELOPE.seal(token())))
    place = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[place // 8] ^= 1 << place % 8
    assert ENVELOPE.open(base64.urlsafe_b64encode(raw).decode(), NOW) is None


@pytest.mark.parametrize(
    ("issued_at", "expires_at"),
    [
        (NOW + CLOCK_SKEW + 1, NOW + CLOCK_SKEW + 600),
        (NOW - MAX_LIFE - 1, NOW + 600),
        (NOW, NOW),
        (NOW, NOW - 1),
        (NOW, NOW + MAX_LIFE + 1),
        (0.0, 1e300),
        (4_070_908_800.0, 4_070_909_000.0),
    ],
    ids=["from the future", "ancient", "no life", "negative life", "long life", "endless", "2099"],
)
def test_implausible_dates_are_absent(issued_at: float, expires_at: float) -> None:
    assert ENVELOPE.open(ENVELOPE.seal(token(issued_at, expires_at)), NOW) is None


@pytest.mark.parametrize("skew", [-600, 600, CLOCK_SKEW])
@pytest.mark.requirement(16)
def test_a_host_whose_clock_is_off_by_minutes_is_believed(skew: float) -> None:
    assert ENVELOPE.open(ENVELOPE.seal(token(NOW + skew, NOW + skew + 18_000)), NOW)


def test_an_expired_token_opens_so_that_it_can_be_compared() -> None:
    assert ENVELOPE.open(ENVELOPE.seal(token(NOW - 700, NOW - 100)), NOW)


@pytest.mark.requirement(21)
def test_the_sealed_text_shows_no_part_of_the_token() -> None:
    sealed = ENVELOPE.seal(token())
    raw = base64.urlsafe_b64decode(sealed)
    parts = [BEARER, *BEARER.split("."), "access_token", "host:1", "some-secret", "some-client"]
    assert not [part for part in parts if part in sealed or part.encode() in raw]


def test_the_same_token_never_looks_the_same_twice() -> None:
    assert ENVELOPE.seal(token()) != ENVELOPE.seal(token())
