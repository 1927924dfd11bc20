"""A request, understood: the endpoint, and what its path, query and body hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from candid_provider.emulator.catalogue import Endpoint
from candid_provider.emulator.exchange.query import Query

if TYPE_CHECKING:
    from candid_provider.emulator.records.state import State


@dataclass(frozen=True)
class Upload:
    """A file of a multipart body."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Asked:
    """One request. `body` is the decoded JSON, or the fields (text and `Upload`) of a multipart form."""

    state: State
    endpoint: Endpoint
    path: dict[str, str]
    query: Query
    body: Any = None

    @property
    def id(self) -> str:
        """The first path parameter."""
        return next(iter(self.path.values()))

    @property
    def listing(self) -> Query:
        """Where page size and token are: the query, or the body of the listings that are asked for with POST."""
        paging = self.endpoint.paging
        return Query.of_body(self.body) if paging and paging.token_in == "body" else self.query

    def filters(self) -> list[tuple[str, str]]:
        """What selects the rows of a listing: all but page size and token."""
        paging = self.endpoint.paging
        own = {"page_token", paging.limit_param if paging else None}
        return sorted(pair for pair in self.listing.pairs if pair[0] not in own)
