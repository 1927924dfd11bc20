"""Which providers and facilities a payer has admitted, and when (Candid: /api/provider-credentialing-span/v2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, missing, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Kind, Record
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.organization import CLINICIANS, FACILITIES

_DATES: Final = ("start_date", "end_date", "submitted_date", "payer_loaded_date")
# Start and end of the seeded spans, in turn: most go on, some have ended, some are not decided.
_SPANS: Final = (("2020-01-01", None), ("2021-07-01", None), ("2020-01-01", "2022-12-31"), (None, None))


def _payers(state: State) -> int:
    return min(5, state.config.payers)


def _dates(index: int) -> Record:
    start, end = _SPANS[index % len(_SPANS)]
    loaded = start and f"{start[:4]}-{start[5:7]}-15"
    return {"start_date": start, "end_date": end, "submitted_date": "2019-11-01", "payer_loaded_date": loaded}


def _with_status(state: State, record: Record) -> Record:
    today, start, end = state.now()[:10], record["start_date"], record["end_date"]
    if end is not None and end < today:
        status = "expired"
    elif start is not None and start <= today:
        status = "effective"
    else:
        status = "pending" if record["submitted_date"] else "work_in_progress"
    return record | {"credentialing_status": status}


def _shared(state: State, index: int) -> Record:
    return {
        "contracting_provider": references.seeded_provider(state, CLINICIANS),
        "payer": references.seeded_payer(state, index % _payers(state)),
        **_dates(index),
        "is_enabled": True,
    }


def _make_provider_span(state: State, index: int) -> Record:
    return _shared(state, index) | {
        "provider_credentialing_span_id": state.world.ids.uuid("provider_credentialing_span", index),
        "rendering_provider": references.seeded_provider(state, index // _payers(state)),
        "regions": {"type": "states", "states": ["IL"]} if index % 3 else {"type": "national"},
        "medallion_payer_enrollment_id": None,
        "source": "CANDID",
    }


def _make_facility_span(state: State, index: int) -> Record:
    return _shared(state, index) | {
        "facility_credentialing_span_id": state.world.ids.uuid("facility_credentialing_span", index),
        "service_facility": references.seeded_facility(state, index // _payers(state)),
    }


PROVIDER_SPANS: Final = Kind(
    "provider_credentialing_span",
    "provider_credentialing_span_id",
    count=lambda state: CLINICIANS * _payers(state),
    make=_make_provider_span,
    view=_with_status,
)
FACILITY_SPANS: Final = Kind(
    "facility_credentialing_span",
    "facility_credentialing_span_id",
    count=lambda state: FACILITIES * _payers(state),
    make=_make_facility_span,
    view=_with_status,
)


# --- what the two have in common


def _register(kind: Kind, suffix: str) -> None:
    @answers(f"credentialing.v_2.get{suffix}")
    def get_span(asked: Asked) -> Record:
        record = asked.state.of(kind).get(asked.id)
        if record is None:
            raise missing(asked.endpoint, asked.id)
        return record

    @answers(f"credentialing.v_2.delete{suffix}")
    def delete_span(asked: Asked) -> None:
        asked.state.of(kind).remove(get_span(asked)[kind.id_field])

    @answers(f"credentialing.v_2.update{suffix}")
    def update_span(asked: Asked) -> Record:
        record = get_span(asked)
        record |= _given(asked, record)
        if not suffix and asked.body.get("regions") is not None:
            record["regions"] = asked.body["regions"]
        if record["start_date"] and record["end_date"] and record["end_date"] < record["start_date"]:
            message = "end_date: must not be before start_date"
            raise declared(asked.endpoint, "UnprocessableEntityError", {"message": message})
        return _with_status(asked.state, asked.state.of(kind).put(record))


def _given(asked: Asked, record: Record) -> Record:
    body = asked.body
    changes: Record = {name: body[name] for name in _DATES if name in body}
    if body.get("contracting_provider_id") is not None:
        changes["contracting_provider"] = _provider(asked, "contracting_provider_id")
    if body.get("payer_uuid") is not None:
        changes["payer"] = _payer(asked)
    return changes


_register(PROVIDER_SPANS, "")
_register(FACILITY_SPANS, "_facility")


def _provider(asked: Asked, name: str) -> Record:
    known = references.provider(asked, asked.body[name])
    if known is None:
        raise unprocessable(asked.endpoint, name, "is not a provider of the organization")
    return known


def _payer(asked: Asked) -> Record:
    known = references.payer_v3(asked.state, asked.body["payer_uuid"])
    if known is None:
        raise unprocessable(asked.endpoint, "payer_uuid", "is not a known payer")
    return known


def _new_span(asked: Asked) -> Record:
    span: Record = dict.fromkeys(_DATES) | _given(asked, {})
    if span["start_date"] and span["end_date"] and span["end_date"] < span["start_date"]:
        raise unprocessable(asked.endpoint, "end_date", "must not be before start_date")
    return span | {"is_enabled": True}


# --- providers


@answers("credentialing.v_2.get_all")
def list_provider_spans(asked: Asked) -> Record:
    query = asked.query
    payer, provider = query.uuid("payer_uuid"), query.uuid("provider_id")
    rendering, contracting = query.boolean("as_rendering_provider"), query.boolean("as_contracting_provider")
    if provider is None and (rendering or contracting):
        raise unprocessable(asked.endpoint, "provider_id", "is required to tell as what it is meant")
    roles = [
        role
        for role, wanted in (("rendering_provider", rendering), ("contracting_provider", contracting))
        if wanted or not (rendering or contracting)
    ]

    def keep(row: Record) -> bool:
        return (payer is None or row["payer"]["payer_uuid"] == payer) and (
            provider is None or any(row[role]["organization_provider_id"] == provider for role in roles)
        )

    return _page(asked, PROVIDER_SPANS, keep)


def _page(asked: Asked, kind: Kind, keep: Callable[[Record], bool]) -> Record:
    rows = asked.state.of(kind)
    return page(asked, rows.by_creation(), rows.created_record, keep=keep)


@answers("credentialing.v_2.create")
def create_provider_span(asked: Asked) -> Any:
    rows = asked.state.of(PROVIDER_SPANS)
    record = _new_span(asked) | {
        "provider_credentialing_span_id": rows.new_id(),
        "rendering_provider": _provider(asked, "rendering_provider_id"),
        "regions": asked.body["regions"],
        "medallion_payer_enrollment_id": None,
        "source": "CANDID",
    }
    return _with_status(asked.state, rows.add(record))


# --- facilities


@answers("credentialing.v_2.get_all_facilities")
def list_facility_spans(asked: Asked) -> Record:
    query = asked.query
    payer, provider = query.uuid("payer_uuid"), query.uuid("contracting_provider_id")
    facility = query.uuid("service_facility_id")

    def keep(row: Record) -> bool:
        return (
            (payer is None or row["payer"]["payer_uuid"] == payer)
            and (provider is None or row["contracting_provider"]["organization_provider_id"] == provider)
            and (facility is None or row["service_facility"]["organization_service_facility_id"] == facility)
        )

    return _page(asked, FACILITY_SPANS, keep)


@answers("credentialing.v_2.create_facility")
def create_facility_span(asked: Asked) -> Any:
    rows, facility = (
        asked.state.of(FACILITY_SPANS),
        references.facility(asked, str(asked.body["service_facility_id"])),
    )
    if facility is None:
        raise unprocessable(asked.endpoint, "service_facility_id", "is not a facility of the organization")
    record = _new_span(asked) | {"facility_credentialing_span_id": rows.new_id(), "service_facility": facility}
    return _with_status(asked.state, rows.add(record))
