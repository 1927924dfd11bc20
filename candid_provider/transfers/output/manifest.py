"""The manifest: what an extract or an export consists of, written last."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from candid_provider.exceptions import CandidConfigError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.transfers.output.directory import Directory
from candid_provider.transfers.output.owner import Owner

FILE = "manifest.json"
VERSION = 1
OURS = re.compile(r"(part-|failures-|export_)[\w.-]+")
"""What names of parts look like; a manifest that names anything else gets nothing removed."""


class Part(msgspec.Struct, frozen=True):
    """Describe a finished file.

    :param rows: None if they were not counted.
    :param bytes: of the file as it lies there.
    :param sha256: digest of these bytes, in hex.
    """

    name: str
    rows: int | None
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, kw_only=True):
    """Describe an output without a word of its records.

    :param resource: name of the resource, or the route of a call.
    :param route: method and route template of the listing.
    :param parameters: names of the parameters that were sent; their values may name patients.
    :param interval: the span that was asked for, if it was one: from (inclusive), to (exclusive); times or days.
    :param rows: None if they were not counted.
    :param bytes: of all parts.
    :param parts: in output order.
    """

    version: int = VERSION
    resource: str
    route: str
    parameters: list[str]
    interval: tuple[str, str] | None = None
    format: str
    compression: str | None = None
    rows: int | None
    bytes: int
    parts: list[Part]
    owner: Owner

    @property
    def files(self) -> set[str]:
        """Names of the files that it is about."""
        return {part.name for part in self.parts}


class _Name(msgspec.Struct):
    name: str


class _Earlier(msgspec.Struct):
    owner: Owner
    parts: list[_Name]
    failure_parts: list[_Name] = msgspec.field(default_factory=list)


def replaced_by(directory: Directory, owner: Owner) -> list[str]:
    """Name the files that a new output of an owner makes superfluous.

    :raises CandidConfigError: what lies there is not the owner's.
    """
    content = directory.read(FILE)
    if content is None:
        return []
    try:
        earlier = msgspec.json.decode(content, type=_Earlier)
    except UNREADABLE:
        earlier = None
    if earlier is None:
        raise CandidConfigError(
            f"{directory.field} holds a {FILE} of something else. Give the task a directory of its own",
            field=directory.field,
        )
    owner.check(earlier.owner, directory.field)
    return [part.name for part in (*earlier.parts, *earlier.failure_parts) if OURS.fullmatch(part.name)]


def write(directory: Directory, manifest: Manifest, replaced: Iterable[str]) -> str:
    """Put a manifest in its place, then remove the files that only the earlier one named.

    :param replaced: these, as :func:`replaced_by` gave them before the first of the new files was written.
    :returns: where it is.
    """
    directory.write(FILE, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    directory.remove(name for name in replaced if name not in manifest.files)
    return directory.url(FILE)
