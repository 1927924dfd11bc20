"""Creating one record at Candid, and finding it again by the key its creator gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from candid_provider.api.call import Call, apages, asend
from candid_provider.api.client import CandidAsyncClient, aexchange
from candid_provider.api.paging import TokenPaging
from candid_provider.exceptions import CandidNotFoundError, CandidUnavailableError

MOST_PAGES = 10
"""Pages of a lookup that are read before it is given up: an exact filter leaves one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Say how a record is found by its key, by GET.

    What is found is compared with the key, because no filter is documented to be exact.

    :param path: a listing, or a record if there are placeholders.
    :param key: fields of what is found that have to equal the key.
    :param id: field of what is found that holds Candid's id.
    :param given: query parameters or placeholders, and the fields of the record that go there.
    :param filter: field of a pre-encounter filter, and the field of the record that it has to equal.
    :param params: query parameters sent as they are.
    """

    path: str
    key: tuple[str, ...]
    id: str
    given: Mapping[str, str] = field(default_factory=dict)
    filter: tuple[str, str] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def call(self, record: Mapping[str, Any]) -> Call | None:
        """Make the call that finds a record; None if its key cannot be asked for."""
        given = {name: value_at(record, where) for name, where in self.given.items()}
        if "{" in self.path:
            return Call(method="GET", path=self.path, path_params=given)
        if self.filter:
            name, where = self.filter
            value = value_at(record, where)
            if not isinstance(value, str) or {",", "|"} & set(value):  # the filter's own punctuation
                return None
            given["filters"] = f"{name}|eq|{value}"
        return Call(method="GET", path=self.path, params={**self.params, **given}, paging=TokenPaging())

    def fits(self, found: Mapping[str, Any], key: tuple[str, ...]) -> bool:
        """Say whether a record that was found is the one with a key."""
        return tuple(value_at(found, where) for where in self.key) == key


@dataclass(frozen=True, slots=True)
class Sought:
    """Say what a lookup brought.

    :param found: whether there is such a record; None where Candid cannot be asked for its key.
    :param id: Candid's id of it.
    """

    found: bool | None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """Describe something that can be created at Candid by one POST a record.

    :param name: what users call it.
    :param endpoint: its name in the official SDK.
    :param path: where it is created.
    :param id: field of the answer that holds the new record's id, if any.
    :param key: fields of the record that name it; empty if nothing does, and then a creation whose fate is
        unknown is never repeated.
    :param lookup: how it is found by its key.
    :param taken: error names that refuse a record because its key is in use.
    :param vague: these error names are used for other refusals, too, so that the lookup has to tell.
    :param private: the key identifies a patient and is not written to results.
    :param params: query parameters that may be given.
    """

    name: str
    endpoint: str
    path: str
    id: str | None
    key: tuple[str, ...] = ()
    lookup: Lookup | None = None
    taken: frozenset[str] = frozenset()
    vague: bool = False
    private: bool = False
    params: tuple[str, ...] = ()

    def call(self, content: bytes, params: Mapping[str, Any] | None = None) -> Call:
        """Make the call that creates a record.

        :param content: the record as JSON; it is sent as it is.
        :param params: query parameters.
        """
        return _Posted(method="POST", path=self.path, params=params or {}, content=content)

    def key_of(self, record: object) -> tuple[str, ...] | None:
        """Read a record's key; None if it has none, or one that is not text."""
        values = tuple(value_at(record, where) for where in self.key)
        return values if all(isinstance(value, str) and value.strip() for value in values) else None

    def external_id(self, key: tuple[str, ...] | None) -> str | None:
        """Say by which key a record may be named in results and states."""
        return key[-1] if key and not self.private else None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Posted(Call):
    """Send a body as it came: decoding and encoding it again could change its numbers."""

    content: bytes = b""

    @property
    def body(self) -> bytes:
        """The body as it is sent."""
        return self.content


def value_at(record: object, where: str) -> Any:
    """Read a field, given as its name or as the names on the way to it: ``external_provenance.external_id``."""
    value = record
    for name in where.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


async def acreate(
    client: CandidAsyncClient, creation: Creation, content: bytes, params: Mapping[str, Any] | None = None
) -> str | None:
    """Create a record and give Candid's id of it, where the answer tells.

    It is sent again only while it cannot have been processed.

    :param content: the record as JSON.
    :param params: query parameters.
    :raises CandidError: what went wrong; ``outcome_unknown`` if the record may have been created.
    """
    made = _made(creation.id)
    found: Any = await aexchange(client, creation.call(content, params), lambda _, answer: made.decode(answer))
    return getattr(found, "id", None)


async def afind(client: CandidAsyncClient, creation: Creation, record: Mapping[str, Any]) -> Sought:
    """Look a record up by its key.

    :param record: what was, or may have been, sent.
    :raises CandidError: Candid does not answer, or not with what was asked for.
    """
    key, lookup = creation.key_of(record), creation.lookup
    call = lookup.call(record) if lookup and key else None
    if lookup is None or key is None or call is None:
        return Sought(None)
    if call.paging is None:
        return await _fetched(client, call, lookup, key)
    count = 0
    async for page in apages(client, call):
        for found in page.items:
            if lookup.fits(found, key):
                return Sought(True, value_at(found, lookup.id))
        if (count := count + 1) >= MOST_PAGES and page.next:
            raise CandidUnavailableError(
                f"{call.route}: the filter lets through too much to find one record",
                route=call.route,
                retryable=False,
            )
    return Sought(False)


async def _fetched(client: CandidAsyncClient, call: Call, lookup: Lookup, key: tuple[str, ...]) -> Sought:
    try:
        found = await asend(client, call)
    except CandidNotFoundError:
        return Sought(False)
    return Sought(True, value_at(found, lookup.id)) if lookup.fits(found or {}, key) else Sought(False)


@lru_cache
def _made(name: str | None) -> msgspec.json.Decoder[Any]:
    # One field, so that an answer is not decoded for the sake of its id; none checks that it is an object.
    fields: list[Any] = [("id", str | None, msgspec.field(name=name, default=None))] if name else []
    return msgspec.json.Decoder(msgspec.defstruct("Made", fields))
