"""A digest that is worked out in a second thread is the digest."""

from __future__ import annotations

import hashlib
import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.transfers.output.digest import AT_ONCE, Digest

SIZES = st.lists(st.integers(0, AT_ONCE + 1), max_size=20)


@given(SIZES, st.sets(st.integers(0, 19)))
def test_it_is_sha256_whenever_it_is_asked_for(sizes: list[int], asked: set[int]) -> None:
    digest, plain = Digest(), hashlib.sha256()
    for number, size in enumerate(sizes):
        block = bytes([number]) * size
        digest.update(block)
        plain.update(block)
        if number in asked:
            assert digest.hex == plain.hexdigest()
    assert digest.hex == plain.hexdigest()


def test_many_at_once_do_not_get_mixed_up() -> None:
    digests = [Digest() for _ in range(8)]
    blocks = [os.urandom(AT_ONCE // 2 + 1) for _ in digests]

    def feed(number: int) -> None:
        for _ in range(9):
            digests[number].update(blocks[number])

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(len(digests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [digest.hex for digest in digests] == [hashlib.sha256(block * 9).hexdigest() for block in blocks]


def test_a_process_that_was_forked_has_a_thread_of_its_own() -> None:
    block = b"x" * AT_ONCE
    Digest().update(block)  # so that this process has one
    if (child := os.fork()) == 0:
        digest = Digest()
        digest.update(block)
        os._exit(digest.hex != hashlib.sha256(block).hexdigest())
    assert os.waitpid(child, 0)[1] == 0


class Alarm(Exception):
    pass


def test_an_exception_at_any_moment_hangs_nothing_and_leaves_no_wrong_digest() -> None:
    """A signal's handler may raise anywhere; what unwinds then may empty its buffers into the digest."""
    block = b"x" * (AT_ONCE // 2)

    def ring(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    broken = 0
    try:
        for attempt in range(300):
            digest, count = Digest(), 0
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + attempt % 7 * 0.0003)
                while True:
                    digest.update(block)
                    count += 1
            except Alarm:
                digest.update(block)
                count += 1
            try:
                assert digest.hex in {hashlib.sha256(block * number).hexdigest() for number in (count, count + 1)}
            except RuntimeError:
                broken += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 0 < broken <= 300


def test_what_goes_wrong_in_the_thread_is_told() -> None:
    digest = Digest()
    digest.update("no bytes" * AT_ONCE)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        digest.hex  # noqa: B018
    with pytest.raises(RuntimeError, match="lost"):
        digest.hex  # noqa: B018
