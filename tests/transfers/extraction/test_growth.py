"""A spool is read by a second thread while the first one writes it, and no byte that may be cut off again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candid_provider.transfers.extraction.growth import AbandonedError, Growth
from candid_provider.transfers.extraction.spool import Spool


def read_all(growth: Growth, size: int) -> bytes:
    return b"".join(iter(lambda: growth.read(size), b""))


@given(pieces=st.lists(st.binary(min_size=1, max_size=50)), size=st.integers(1, 60))
def test_all_that_is_written_is_read_in_order_and_once(pieces: list[bytes], size: int) -> None:
    spool = Spool()
    growth = Growth(spool.file)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(read_all, growth, size)
        for piece in pieces:
            spool.write(piece)
            growth.reach(spool.length)
        growth.end(spool.length)
        assert read.result(10) == b"".join(pieces)
    spool.close()


def test_what_may_be_cut_off_again_is_not_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    growth = Growth(spool.file)
    spool.write(b"stays")
    growth.reach(spool.length)
    spool.write(b" or not")
    assert growth.read(100) == b"stays"
    spool.cut(len(b"stays"))
    spool.write(b" and more")
    growth.end(spool.length)
    assert growth.read(100) == b" and more"
    assert growth.read(100) == b""
    spool.close()


def test_who_reads_what_is_given_up_hears_of_it() -> None:
    spool = Spool()
    growth = Growth(spool.file)
    threading.Timer(0.05, growth.abandon).start()
    with pytest.raises(AbandonedError):
        growth.read(100)
    spool.close()


def test_one_without_a_byte_is_known_to_be_empty_at_its_end() -> None:
    spool = Spool()
    growth = Growth(spool.file)
    growth.end(0)
    assert not growth.begun_behind(0)
    spool.close()
