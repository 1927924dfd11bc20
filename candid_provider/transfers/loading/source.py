"""The lines to load: from one file, a directory or a glob, on any object storage, plain or gzip."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from airflow.providers.common.compat.sdk import ObjectStoragePath

from candid_provider.exceptions import CandidConfigError
from candid_provider.transfers.output.directory import buffered
from candid_provider.transfers.output.path import checked_path

ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""What is loaded from a directory; anything else in it, such as a manifest, is left alone."""
LONGEST = 16 * 2**20
"""Bytes of the longest line that is read; a longer one is most likely not JSON Lines."""


class Line(NamedTuple):
    """One line of the input, without its line break.

    :param number: its place among all lines of all files, from 0.
    :param file: name of its file, relative to the directory that all files are in.
    :param line: its place in the file, from 1, as editors count.
    """

    number: int
    file: str
    line: int
    content: bytes

    @property
    def blank(self) -> bool:
        """Whether there is nothing to load in it."""
        return not self.content or self.content.isspace()


class Source:
    """Read the lines of an input as often as they are asked for, a line in memory at a time.

    :param path: a file, a directory of JSON Lines (``.jsonl``, ``.ndjson``, and ``.gz`` of these), or a glob.
    :raises CandidConfigError: there is no such file, or none of its kind.
    """

    def __init__(self, path: str | ObjectStoragePath) -> None:
        target = checked_path(path)
        self._fs: Any = target.fs
        self.files = _files(self._fs, target)
        self.folders = {os.path.dirname(file) for file in self.files}
        self._top = os.path.commonpath(self.folders)
        self.firsts: dict[str, int] = {}

    def __iter__(self) -> Iterator[Line]:
        """Read all lines, and note the number of each file's first one (``firsts``)."""
        number = 0
        for path in self.files:
            name = os.path.relpath(path, self._top)
            self.firsts[name] = number
            for place, content in enumerate(self._contents(path, name), 1):
                yield Line(number, name, place, content)
                number += 1

    def _contents(self, path: str, name: str) -> Iterator[bytes]:
        problem = ""
        try:
            with buffered(self._fs.open(path, "rb")) as raw:
                file: Any = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
                while content := file.readline(LONGEST + 1):
                    if len(content) > LONGEST:
                        problem = f"has a line of more than {LONGEST} bytes. Give JSON Lines, one record a line"
                        break
                    yield content.removesuffix(b"\n")
        except FileNotFoundError:
            problem = "is gone. Load files that stay where they are"
        except PermissionError:
            problem = "cannot be read. Let the worker read it"
        except (EOFError, gzip.BadGzipFile, zlib.error):
            problem = "is not a whole gzip file. Write it anew"
        if problem:
            raise CandidConfigError(f"path: the file {name} {problem}", field="path")

    def number_of(self, file: str, line: int) -> int | None:
        """Say which number a line has, once all have been read; None for a file that is not there."""
        first = self.firsts.get(file)
        return None if first is None else first + line - 1


def _files(fs: Any, target: ObjectStoragePath) -> Sequence[str]:
    fs.invalidate_cache()
    place = target.path
    if any(letter in place for letter in "*?["):
        found = [path for path in fs.glob(place) if fs.isfile(path)]
    elif fs.isdir(place):
        listed = fs.ls(place, detail=True)
        found = [entry["name"] for entry in listed if entry["type"] == "file" and _loadable(entry["name"])]
    else:
        found = [place] if fs.isfile(place) else []
    if not found:
        raise CandidConfigError(
            f"path: there is no file to load. Give a file, a glob, or a directory with {', '.join(ENDINGS)}",
            field="path",
        )
    return sorted(found)


def _loadable(path: str) -> bool:
    name = os.path.basename(path)
    return name.endswith(ENDINGS) and not name.startswith((".", "_"))
