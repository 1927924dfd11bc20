"""What is said of a file is what the file is."""

from __future__ import annotations

import csv
import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from candid_provider.transfers.download.tally import Tally

CELLS = st.text(alphabet="a ,\"\n\r'é🙂", max_size=6).map(lambda text: text.replace("\r", "\r\n"))


@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=12), size=st.integers(1, 40), ended=st.booleans()
)
def test_records_are_those_that_csv_reads(rows: list[list[str]], size: int, ended: bool) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    content = content if ended else content.removesuffix(b"\n")
    tally = Tally()
    for start in range(0, len(content), size):
        tally.add(content[start : start + size])
    records = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert tally.rows == max(0, len(records) - 1)
    assert (tally.nbytes, tally.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_rows_that_are_not_counted_are_not_known() -> None:
    tally = Tally(count=False)
    tally.add(b"a\nb\n")
    assert (tally.rows, tally.nbytes) == (None, 4)
