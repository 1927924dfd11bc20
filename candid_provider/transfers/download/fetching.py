"""Files behind signed URLs onto object storage: whole or not at all, and gone on with by a retry of the task."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

import msgspec

from candid_provider.transfers.download.csv_columns import header_of, rewrite
from candid_provider.transfers.download.spool import spooled
from candid_provider.transfers.download.tally import Tally
from candid_provider.transfers.output.whole_file import put_in_place, whole_file

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from candid_provider.api.storage_client import StorageClient


class Fetched(msgspec.Struct, frozen=True):
    """Describe a file that has been put in place.

    :param rows: number of records, without the header; None if they were not counted.
    :param bytes: its length.
    :param sha256: digest in hex.
    :param columns: names of its columns; None if its first line does not look like names.
    """

    rows: int | None
    bytes: int
    sha256: str
    columns: list[str] | None


def fetch(
    client: StorageClient,
    ask: Callable[[], str],
    path: str | ObjectStoragePath,
    *,
    columns: Mapping[str, str] | None = None,
    count: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Fetched:
    """Fetch a CSV file from a signed URL and put it in place.

    :param client: an ``api.download.StorageClient``.
    :param ask: gives a fresh signed URL.
    :param path: where to; what is there is replaced when the file is whole.
    :param columns: as ``csv_columns.rewrite`` takes them; None or empty: the bytes stay as they are.
    :param count: whether to count records.
    :param progress: is told the number of bytes.
    :raises CandidError: the file cannot be had, or a column is not in it.
    """
    from candid_provider.api.download import download

    with spooled(path, progress, count and not columns) as spool:
        download(client, ask, spool)
        if not columns:
            tally, names = spool.tally, header_of(spool.path)
            put_in_place(spool.path, path)
        else:
            tally = Tally(count)
            with whole_file(path) as file:
                names = rewrite(spool.path, _Counted(file, tally), columns)
    return Fetched(tally.rows, tally.nbytes, tally.sha256, names)


class _Counted(io.RawIOBase):
    """Tally what is written through it."""

    def __init__(self, file: IO[bytes], tally: Tally) -> None:
        self._file, self._tally = file, tally

    def writable(self) -> bool:
        return True

    def write(self, block: Any, /) -> int:
        content = bytes(block)
        self._tally.add(content)
        return self._file.write(content)
