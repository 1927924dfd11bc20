"""What endpoints of pre-encounter need: versions, above all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from candid_provider.emulator.catalogue import endpoints

if TYPE_CHECKING:
    from .office import Office

Row = dict[str, Any]
Recipe = Callable[["Office"], Row]
# By how much the version in a path goes beyond the record's, where it is not the record's own.
_NEXT_VERSION: Final = {
    "appointments": ("update",),
    "coverages": ("update",),
    "organization_external_providers": ("update", "deactivate"),
    "patient_merges": ("deactivate",),
    "patients": ("update", "deactivate", "reactivate"),
}
_TO_BE_REACTIVATED: Final = "reactivate"


def _versioned(endpoint_id: str) -> Recipe:
    _, resource, _, method = endpoint_id.split(".")
    ahead = method in _NEXT_VERSION.get(resource, ())

    def recipe(office: Office) -> Row:
        row = office.made(f"pre_encounter.{resource}.v_1.create")
        version = row["version"]
        if method == _TO_BE_REACTIVATED:
            gone = f"pre_encounter.{resource}.v_1.deactivate"
            office.made(gone, id=row["id"], version=str(version + ahead))
            version += 1
        return {"id": row["id"]} | ({"version": str(version + ahead)} if _has_version(endpoint_id) else {})

    return recipe


def _has_version(endpoint_id: str) -> bool:
    return "{version}" in endpoints()[endpoint_id].path


def _versions() -> Iterator[tuple[str, Recipe]]:
    for endpoint in endpoints().values():
        if endpoint.host == "pre_encounter" and "{id}" in endpoint.path:
            yield endpoint.id, _versioned(endpoint.id)


def _merged(office: Office) -> Row:
    return {"mrn": office.made("pre_encounter.patient_merges.v_1.create")["primary_patient_mrn"]}


def _searched(office: Office) -> Row:
    merges = [office.made("pre_encounter.patient_merges.v_1.create") for _ in range(4)]
    return {"mrns": [merge["primary_patient_mrn"] for merge in merges]}


def _with_history(office: Office) -> Row:
    return {"id": office.first("pre_encounter.appointments.v_1.scan")["patient_id"]}


def _person(_: Office) -> Row:
    return {"filing_order": {"coverages": []}}


def _person_with_mrn(office: Office) -> Row:
    return _person(office) | {"mrn": f"MRNQZX-{office.number()}"}


def _visits(_: Office) -> Row:
    return {"filters": "appointment.startTimestamp|gt|2026-01-01"}


_VERSIONS: Final = dict(_versions())
PRE_ENCOUNTER: Final[Mapping[str, Recipe]] = {
    **_VERSIONS,
    "pre_encounter.patients.v_1.create": _person,
    "pre_encounter.patients.v_1.create_with_mrn": _person_with_mrn,
    "pre_encounter.patients.v_1.update": lambda office: (
        _VERSIONS["pre_encounter.patients.v_1.update"](office) | _person(office)
    ),
    "pre_encounter.patient_merges.v_1.get_all_by_mrn": _merged,
    "pre_encounter.patient_merges.v_1.search": _searched,
    "pre_encounter.patients.v_1.get_eligibility_timeline": _with_history,
    "pre_encounter.appointments.v_1.get_visits": _visits,
    "pre_encounter.appointments.v_1.get_counts": _visits,
}
