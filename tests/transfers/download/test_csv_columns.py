"""Columns by their names, whatever their order, and whatever a cell holds."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.transfers.download.csv_columns import checked_columns, header_of, rewrite

SECRET = "Renée Marker"
CONTENT = f'id,name,note\n1,"{SECRET}","two\nlines, ""quoted"""\n2,שירה,\n'


class Kept(io.BytesIO):
    """Keep what was written after it is closed."""

    content = b""

    def close(self) -> None:
        self.content = self.content or self.getvalue()
        super().close()


def rewritten(path: Path, content: str | bytes, columns: dict[str, str]) -> tuple[list[str], list[list[str]]]:
    source, target = path / "source.csv", Kept()
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    sink: Any = target
    names = rewrite(source, sink, columns)
    return names, list(csv.reader(io.StringIO(target.content.decode(), newline="")))


def test_named_columns_come_first_and_the_others_follow(tmp_path: Path) -> None:
    names, rows = rewritten(tmp_path, CONTENT, {"note": "remark", "id": "id"})
    assert names == ["remark", "id", "name"]
    assert rows == [names, ['two\nlines, "quoted"', "1", SECRET], ["", "2", "שירה"]]


def test_columns_are_found_wherever_they_are(tmp_path: Path) -> None:
    before = rewritten(tmp_path, "a,b\n1,2\n", {"a": "x", "b": "y"})
    assert rewritten(tmp_path, "b,a\n2,1\n", {"a": "x", "b": "y"}) == before


def test_a_byte_order_mark_and_other_line_ends_are_no_part_of_a_name(tmp_path: Path) -> None:
    names, rows = rewritten(tmp_path, "\ufeffa,b\r\n1,2\r\n\r\n3,4", {"b": "b"})
    assert (names, rows) == (["b", "a"], [["b", "a"], ["2", "1"], ["4", "3"]])


def test_one_column_is_enough(tmp_path: Path) -> None:
    assert rewritten(tmp_path, "a\n1\n", {"a": "x"})[1] == [["x"], ["1"]]


@pytest.mark.parametrize(
    ("content", "columns", "says"),
    [
        (CONTENT, {"gone": "gone"}, "no column 'gone'. It has: id, name, note"),
        (f"{SECRET},1\nx,2\n", {"gone": "gone"}, "no column 'gone'.$"),
        ("", {"id": "id"}, "no column 'id'.$"),
        ("id,note\n1,2\n", {"id": "note"}, "also the name of another column"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, content: str, columns: dict[str, str], says: str
) -> None:
    with pytest.raises(CandidConfigError, match=says) as caught:
        rewritten(tmp_path, content, columns)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"id,name\n1,{SECRET}\n2,{SECRET},3\n", "record 3 has 3 cells, the header 2"),
        (f'id,name\n1,"{SECRET}"x\n', "expected after"),
        (f'id,name\n1,"{SECRET}', "unexpected end"),
        (f"id,name\n1,{SECRET}".encode("latin-1"), "not UTF-8"),
        (f"id,name,name\n1,{SECRET},2\n", "two columns have one name"),
    ],
)
def test_a_broken_file_says_where_and_not_what(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(CandidUnavailableError, match=says) as caught:
        rewritten(tmp_path, content, {"id": "id"})
    error = caught.value
    assert (error.retryable, error.__cause__, error.__context__) == (False, None, None)
    assert "Marker" not in repr(error)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (CONTENT, ["id", "name", "note"]),
        ("7b0d,2026-03-01\n", None),
        ("Ann Marker,Ann Marker\n", None),
        ("id,,x\n", None),
        ("", None),
        ('id,"', None),
    ],
)
def test_only_what_looks_like_names_is_taken_for_names(
    tmp_path: Path, content: str, header: list[str] | None
) -> None:
    (tmp_path / "file").write_text(content)
    assert header_of(tmp_path / "file") == header


@pytest.mark.parametrize("columns", ["id", 5, {"a": 1}, [1], ["a", "a"], {"a": "x", "b": "x"}])
def test_columns_are_names(columns: Any) -> None:
    with pytest.raises(CandidConfigError, match="columns"):
        checked_columns(columns)


def test_a_list_keeps_the_names() -> None:
    assert checked_columns(["b", "a"]) == {"b": "b", "a": "a"}
    assert checked_columns(None) == {}
