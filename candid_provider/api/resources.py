"""The table of listable resources; adding one is adding a row."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from candid_provider.api.call import Call
from candid_provider.api.paging import Paging, ScanPaging, TokenPaging
from candid_provider.exceptions import CandidConfigError

LARGEST_SCAN_PAGE = 1000
"""What ``maxResults`` may ask for (candidhealth 1.37.0); a page that a server cuts shorter would not look full."""
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Resource:
    """Describe something of Candid's that can be listed.

    :param name: what users call it.
    :param path: where it is listed, by GET.
    :param paging: its paging style.
    :param key: field that names a record.
    :param cursor: field by which it can be read from a point in time on, if any.
    :param defaults: query parameters sent unless others are given.
    """

    name: str
    path: str
    paging: Paging
    key: str
    cursor: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def call(self, params: Mapping[str, Any] | None = None) -> Call:
        """Make the call for the first page.

        :param params: query parameters, over the defaults.
        :raises CandidConfigError: ``maxResults`` of a scan is not a number, or not known to it.
        """
        merged = {**self.defaults, **(params or {})}
        paging = self.paging
        if isinstance(paging, ScanPaging) and merged.get("maxResults") is not None:
            paging = ScanPaging(self._page_size(merged["maxResults"]))
        return Call(method="GET", path=self.path, params=merged, paging=paging)

    def _page_size(self, value: object) -> int:
        """Read maxResults: what a full page is has to be known, or the end of a scan is taken for its middle."""
        if "maxResults" not in self.defaults:
            raise CandidConfigError(
                f"params: maxResults is not known; pages of {self.name} are fixed", field="params"
            )
        try:
            size = int(value) if isinstance(value, int | str) else 0
        except ValueError:
            size = 0
        if not 1 <= size <= LARGEST_SCAN_PAGE:
            raise CandidConfigError(
                f"params: maxResults is not a whole number from 1 to {LARGEST_SCAN_PAGE}", field="params"
            )
        return size


_BY_TOKEN = TokenPaging()
_SCAN = ScanPaging()

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource("encounters", "/api/encounters/v4", _BY_TOKEN, "encounter_id", None, {"limit": 100}),
        Resource("events", "/api/events/v1/", _BY_TOKEN, "id", "created_at", {"limit": 100}),
        Resource("payers", "/api/payers/v4", _BY_TOKEN, "payer_uuid", None, {"limit": 100}),
        Resource(
            "patient_ar_inventory",
            "/api/patient-ar/v1/inventory",
            TokenPaging(items_key="records"),
            "claim_id",
            "timestamp",
            {"limit": 100},
        ),
        Resource(
            "patients",
            "/patients/v1/updates/scan",
            _SCAN,
            "id",
            "updated_at",
            {"since": EPOCH, "maxResults": 1000},
        ),
        Resource("appointments", "/appointments/v1/updates/scan", _SCAN, "id", "updated_at", {"since": EPOCH}),
        Resource("coverages", "/coverages/v1/updates/scan", _SCAN, "id", "updated_at", {"since": EPOCH}),
    )
}


def resource_named(name: str) -> Resource:
    """Look a resource up by name.

    :raises CandidConfigError: there is none; the message suggests the nearest and lists all.
    """
    if name in RESOURCES:
        return RESOURCES[name]
    near = difflib.get_close_matches(name, RESOURCES, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise CandidConfigError(
        f"resource is not known.{hint} Known resources: {', '.join(sorted(RESOURCES))}", field="resource"
    )
