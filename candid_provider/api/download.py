"""Files behind signed URLs: fetched without the bearer, gone on with where a cut or a stall has ended them.

A range is only ever added to what came of the same file: the storage is asked for "the rest, if it is still this
file" (If-Range, RFC 9110, section 13.1.5), and its answer is compared with what is there.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from candid_provider.api.storage_client import ROUTE, StorageClient
from candid_provider.exceptions import CandidUnavailableError
from candid_provider.oauth.quiet import quiet
from candid_provider.oauth.retry_after import retry_after_seconds
from candid_provider.oauth.unanswered import explain

log = logging.getLogger("candid_provider.api")

PATIENCE = 300.0
"""Seconds without a new byte after which a download gives up; a retry of the task goes on."""

_DENIED = frozenset({400, 401, 403, 404, 410})
"""What storages answer to a signature that has expired; a new URL mends it."""
_DENIALS = 3
_WAIT_LATER = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Version:
    """Name the file that bytes are of.

    :param size: its length in bytes, None if the storage does not say.
    :param validator: a strong ETag, else the time of its last change; None if the storage gives neither.
    """

    size: int | None
    validator: str | None


class Sink(Protocol):
    """Where the bytes go."""

    @property
    def version(self) -> Version | None:
        """Which file the bytes here are of."""

    @property
    def size(self) -> int:
        """How many bytes are here."""

    def begin(self, version: Version) -> None:
        """Drop what is here; what follows is of this version."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""


def download(
    client: StorageClient,
    ask: Callable[[], str],
    sink: Sink,
    *,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file to its last byte.

    :param client: a client without the bearer.
    :param ask: gives a fresh signed URL; called before each attempt, because URLs live for minutes.
    :param sink: what it holds already of the same version is not fetched again.
    :param patience: seconds without a new byte after which to give up.
    :raises CandidUnavailableError: the storage refuses, or gives no whole file in time; retryable if a later try
        may go on. Whatever ``ask`` raises.
    """
    began, farthest, failures, denials = clock(), sink.size, 0, 0
    while failure := _attempt(client, ask(), sink):
        if sink.size > farthest:
            began, farthest, failures = clock(), sink.size, 0
        failures += 1
        denials = denials + 1 if failure.status_code in _DENIED else 0
        pause = max(failure.retry_after or 0.0, _backoff(failures))
        if denials == _DENIALS or not failure.retryable or clock() - began + pause > patience:
            raise failure
        log.warning("%s; going on at byte %d in %.1f s", failure, sink.size, pause)
        sleep(pause)


def _backoff(failures: int) -> float:
    return random.uniform(0.1, min(30.0, 0.5 * 2 ** min(failures, 10)))


def _attempt(client: StorageClient, url: str, sink: Sink) -> CandidUnavailableError | None:
    failure, had = None, sink.size
    with quiet():
        try:
            with client.stream("GET", url, headers=_rest_of(sink)) as answer:
                failure = _take(answer, sink)
        except httpx.HTTPError as error:
            failure = _unavailable(f"cut off: {explain(error)}")
        except httpx.InvalidURL:
            failure = _unavailable("Candid gave no URL that can be read", retryable=False)
    # A connection that breaks after the last byte has done its work.
    return failure if failure and not (_is_whole(sink) and sink.size > had) else _short(sink)


def _is_whole(sink: Sink) -> bool:
    return sink.version is not None and sink.version.size == sink.size


def _rest_of(sink: Sink) -> dict[str, str]:
    if not sink.size or sink.version is None or sink.version.validator is None:
        return {}
    return {"Range": f"bytes={sink.size}-", "If-Range": sink.version.validator}


def _take(answer: httpx.Response, sink: Sink) -> CandidUnavailableError | None:
    if answer.status_code not in (200, 206):
        return _refusal(answer, sink)
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        return _unavailable("the storage sends the file compressed, though asked not to", retryable=False)
    if answer.status_code == 206 and not _continues(answer, sink):
        sink.begin(Version(None, None))
        return _unavailable("the file has changed on the way")
    if answer.status_code == 200:
        version = _version(answer)
        if version.size is None and "transfer-encoding" not in answer.headers:
            return _unavailable("the storage does not say where the file ends", retryable=False)
        sink.begin(version)
    for chunk in answer.iter_raw():
        sink.write(chunk)
    return None


def _continues(answer: httpx.Response, sink: Sink) -> bool:
    """Say whether a part goes on exactly where the sink ends, with the same file."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", "").strip())
    if match is None or sink.version is None or int(match[1]) != sink.size:
        return False
    same = _validator(answer) in (sink.version.validator, None)
    return same and match[2] in ("*", str(sink.version.size))


def _version(answer: httpx.Response) -> Version:
    length = answer.headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        return Version(int(length), _validator(answer))
    return Version(None, None)  # a rest could not be told from a part of the rest


def _validator(answer: httpx.Response) -> str | None:
    etag: str | None = answer.headers.get("etag")
    if etag and not etag.startswith("W/"):  # a weak one does not promise equal bytes
        return etag
    changed: str | None = answer.headers.get("last-modified")
    return changed


def _refusal(answer: httpx.Response, sink: Sink) -> CandidUnavailableError | None:
    status = answer.status_code
    if status == 416:
        if _is_whole(sink) and answer.headers.get("content-range") == f"bytes */{sink.size}":
            return None  # "If-Range" held: it is this file, and nothing is missing of it
        sink.begin(Version(None, None))
        return _unavailable("the file has changed on the way", status)
    found = re.search(rb"<Code>(\w{1,60})</Code>", next(answer.iter_bytes(2048), b""))
    name = found[1].decode() if found else None
    return _unavailable(
        f"the file storage answered HTTP {status}{f' {name}' if name else ''}",
        status,
        name=name,
        after=retry_after_seconds(answer.headers.get("retry-after"), time.time()),
        retryable=status >= 500 or status in _WAIT_LATER or status in _DENIED,
    )


def _short(sink: Sink) -> CandidUnavailableError | None:
    version = sink.version
    if version is None:
        return _unavailable("no file came")
    if version.size is None or _is_whole(sink):
        return None  # without a size it was sent in chunks, of which the last one came
    return _unavailable(f"the storage sent {sink.size} of {version.size} bytes")


def _unavailable(
    problem: str,
    status: int | None = None,
    *,
    name: str | None = None,
    after: float | None = None,
    retryable: bool = True,
) -> CandidUnavailableError:
    return CandidUnavailableError(
        f"{ROUTE}: {problem}",
        route=ROUTE,
        status_code=status,
        error_name=name,
        retry_after=after,
        retryable=retryable,
    )
