"""How Candid pages its listings, as its documentation has it, and the loops a caller would write for each style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import httpx

from candid_provider.emulator.catalogue import Endpoint, Paging, endpoints
from candid_provider.emulator.endpoints import HANDLERS

from .office import Request

LISTINGS: Final = [
    endpoint for name, endpoint in endpoints().items() if name in HANDLERS and endpoint.paging is not None
]
# Default and largest page where they are not 100 and 1000.
_SIZES: Final[Mapping[str, tuple[int, int]]] = {
    "events.v_1.scan": (10, 100),
    "patient_ar.v_1.list_inventory": (100, 100),
    "contracts.v_2.get_multi": (1000, 1000),
    "contracts.v_3.get_multi": (1000, 1000),
    "fee_schedules.v_3.get_multi": (100, 100),
    "fee_schedules.v_3.get_unique_values_for_dimension": (1000, 1000),
    "patient_payments.v_4.get_multi": (100, 999),
    "patient_refunds.v_1.get_multi": (100, 999),
    "insurance_refunds.v_1.get_multi": (100, 999),
    "non_insurance_payer_payments.v_1.get_multi": (100, 999),
    "non_insurance_payer_refunds.v_1.get_multi": (100, 999),
    "write_offs.v_1.get_multi": (100, 999),
    "pre_encounter.tags.v_1.get_all": (1000, 1000),
    "pre_encounter.metadata_schemas.v_1.get_all": (100, 100),
}


def paging_of(endpoint: Endpoint) -> Paging:
    assert endpoint.paging is not None
    return endpoint.paging


def listings(*styles: str) -> list[str]:
    """The emulated listings of some paging styles."""
    return [endpoint.id for endpoint in LISTINGS if paging_of(endpoint).style in styles]


PAGED: Final = listings("page_token")
SIZED: Final = [name for name in PAGED if paging_of(endpoints()[name]).limit_param]


def sizes_of(endpoint_id: str) -> tuple[int, int]:
    """Default and largest page."""
    return _SIZES.get(endpoint_id, (100, 1000))


class Listing:
    """One listing, asked for again and again."""

    def __init__(self, http: httpx.Client, request: Request) -> None:
        self.request, self.http = request, http
        self.endpoint = request.endpoint
        self.paging = paging_of(request.endpoint)

    def ask(self, size: int | None = None, **more: Any) -> httpx.Response:
        if size is not None and self.paging.limit_param is not None:
            more[self.paging.limit_param] = size
        if self.paging.token_in == "body":
            return replace(self.request, body=(self.request.body or {}) | more).send(self.http)
        return replace(self.request, query=self.request.query | more).send(self.http)

    def page(self, size: int | None = None, **more: Any) -> dict[str, Any]:
        answer = self.ask(size, **more)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def rows(self, page: dict[str, Any]) -> list[Any]:
        rows: list[Any] = page[self.paging.items_key or "items"]
        return rows

    def pages(self, size: int) -> Iterator[dict[str, Any]]:
        page = self.page(size)
        yield page
        while page["next_page_token"] is not None:
            page = self.page(size, page_token=page["next_page_token"])
            yield page
