"""Looking at the whole input before anything is sent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from candid_provider.api.creation import Creation
from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.loading.outcomes import INVALID, Outcome, Outcomes
from candid_provider.transfers.loading.source import Line, Source

BOM = b"\xef\xbb\xbf"
Key = tuple[str, ...]


def record_of(content: bytes) -> Mapping[str, Any] | None:
    """Read a line; None if it is not a JSON object."""
    try:
        record = msgspec.json.decode(content.removeprefix(BOM))
    except UNREADABLE:
        return None
    return record if isinstance(record, dict) else None


def survey(source: Source, creation: Creation, outcomes: Outcomes) -> tuple[int, str]:
    """Read all lines, note those that cannot be right, and give the number of records and the input's SHA-256.

    Two lines of one key are both left out: nothing says which is meant. Keys are compared by eight bytes of
    their digest, about 70 bytes of memory a line, and in full where these agree.

    :raises CandidConfigError: not one line is right.
    """
    digest, keys, twice, count = hashlib.sha256(), set[int](), set[int](), 0
    for line in source:
        digest.update(line.content + b"\n")
        if line.blank:
            continue
        count += 1
        key = _checked(line, creation, outcomes)
        if key:
            (twice if (brief := _brief(key)) in keys else keys).add(brief)
    keys.clear()
    if twice:
        _note_repeated(source, creation, outcomes, twice)
    if count and count == outcomes.counts[INVALID]:
        raise CandidConfigError(
            f"path: not one of {count} lines can be loaded ({', '.join(sorted(outcomes.errors))}). Give JSON Lines,"
            f" one record a line{_with(creation)}",
            field="path",
        )
    return count, digest.hexdigest()


def _with(creation: Creation) -> str:
    return f", each with {' and '.join(creation.key)} of its own" if creation.key else ""


def _checked(line: Line, creation: Creation, outcomes: Outcomes) -> Key | None:
    record = record_of(line.content)
    if record is None:
        outcomes.put(line.number, invalid(line, "NotAJsonObject"))
        return None
    key = creation.key_of(record)
    if creation.key and not key:
        outcomes.put(line.number, invalid(line, "MissingKey", fields=creation.key))
    return key


def _note_repeated(source: Source, creation: Creation, outcomes: Outcomes, twice: set[int]) -> None:
    candidates: Counter[Key] = Counter()
    for _, key in _keyed(source, creation, outcomes, twice):
        candidates[key] += 1
    for line, key in list(_keyed(source, creation, outcomes, twice)):
        if candidates[key] > 1:
            name = creation.external_id(key)
            outcomes.put(line.number, invalid(line, "RepeatedKey", external_id=name, fields=creation.key))


def _keyed(source: Source, creation: Creation, outcomes: Outcomes, briefs: set[int]) -> Any:
    for line in source:
        if not line.blank and line.number not in outcomes:
            key = creation.key_of(record_of(line.content))
            if key and _brief(key) in briefs:
                yield line._replace(content=b""), key


def _brief(key: Key) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(key).encode(), digest_size=8).digest(), "big")


def invalid(line: Line, error: str, *, external_id: str | None = None, fields: tuple[str, ...] = ()) -> Outcome:
    """Say why a line is not sent."""
    return Outcome(
        file=line.file, line=line.line, outcome=INVALID, external_id=external_id, error=error, fields=fields
    )
