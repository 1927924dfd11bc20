"""What endpoints about money, and about what was agreed with payers, need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from candid_provider.emulator.catalogue import endpoints

from .values import DATE

if TYPE_CHECKING:
    from .office import Office

Row = dict[str, Any]
Recipe = Callable[["Office"], Row]
_FEES: Final = "fee_schedules.v_3"


def _era(office: Office) -> str:
    rows = office.rows("encounters.v_4.get_all", limit=200, sort="created_at:asc")
    return str(next(era["era_id"] for row in rows for claim in row["claims"] for era in claim["eras"]))


def _consolidated_remit(office: Office) -> Row:
    return {"consolidated_remit_id": _era(office)}


# --- money


def _split(office: Office) -> list[Row]:
    return [{"amount_cents": 2500, "target": {"type": "claim_by_id", "value": office.value("claim_id")}}]


def _money(office: Office) -> Row:
    return {"allocations": _split(office)}


def _patients_money(office: Office) -> Row:
    encounter = office.made("encounters.v_4.create")
    target = {"type": "service_line_by_id", "value": encounter["claims"][0]["service_lines"][0]["service_line_id"]}
    allocations = [{"amount_cents": 2500, "target": target}]
    return {"patient_external_id": encounter["patient"]["external_id"], "allocations": allocations}


def _payer_money(office: Office) -> Row:
    payer = {"type": "payer_uuid", "value": office.value("payer_uuid")}
    return {"allocations": _split(office), "payer_identifier": payer}


def _invoice(_: Office) -> Row:
    return {"items": [{"attribution": {"type": "unattributed"}, "amount_cents": 2500}]}


def _written_off(office: Office) -> Row:
    made = office.made("write_offs.v_1.create")["write_offs"]
    return {"write_off_id": made[0]["write_off_id"]}


def _adjusted(office: Office) -> Row:
    target = {"type": "service_line_id", "value": office.value("service_line_id")}
    order = {
        "type": "insurance",
        "payer_identifier": {"type": "payer_uuid", "value": office.value("payer_uuid")},
        "write_off_target": target,
        "write_off_timestamp": f"{DATE}T00:00:00Z",
        "write_off_reason": "SMALL_BALANCE",
        "amount_cents": 25,
    }
    made = office.made("write_offs.v_1.create", write_offs=[order])["write_offs"]
    return {"adjustment_id": made[0]["write_off_id"]}


def _adjusted_by_an_era(office: Office) -> Row:
    rows = office.rows("encounters.v_4.get_all", limit=200, sort="created_at:asc")
    for era in [era["era_id"] for row in rows for claim in row["claims"] for era in claim["eras"]]:
        found = office.rows(
            "external_consolidated_remit.v_1.get_transactions",
            consolidated_remit_id=era,
            transaction_type="insurance_adjustment",
        )
        for row in found:
            if not row["is_void"] and office.is_new(row["id"]):
                return {"adjustment_id": row["id"]}
    raise AssertionError("no era has an adjustment")


# --- what was agreed with payers


def _contract(office: Office) -> Row:
    # With a payer with whom no rates were agreed: other contracts cannot be deleted.
    payers = [row["payer_uuid"] for row in office.rows("payers.v_4.get_all")]
    return {"payer_uuid": next(payer for payer in payers if not office.rows(f"{_FEES}.get_multi", payer_uuid=payer))}


def _of_contract(version: int) -> Recipe:
    return lambda office: {"contract_id": office.made(f"contracts.v_{version}.create")["contract_id"]}


def _institutional(office: Office) -> Row:
    made = office.made(
        "contracts.v_3.create",
        type="institutional",
        contract_type="institutional",
        contract_service_facilities=[],
    )
    return {"contract_id": made["contract_id"]}


def _contract_facility(office: Office) -> Row:
    contract = _institutional(office)["contract_id"]
    made = office.made("contracts.v_3.create_contract_service_facility", contract_id=contract)
    return {"contract_id": contract, "contract_service_facility_id": made["contract_service_facility_id"]}


def _dimensions(office: Office) -> Row:
    known: Row = office.first(f"{_FEES}.get_multi")["dimensions"]
    return known | {"cpt_code": str(10_000 + office.number())}


def _rates(office: Office) -> Row:
    entry = {"start_date": "2026-01-01", "rate_cents": 5000, "is_deactivated": False}
    return {"rates": [{"type": "new_rate", "dimensions": _dimensions(office), "entries": [entry]}]}


def _seeded_line(office: Office) -> Row:
    rows = office.rows("encounters.v_4.get_all", limit=20, sort="created_at:asc")
    insured = next(row for row in rows if row["subscriber_primary"])
    return {"service_line_id": insured["claims"][0]["service_lines"][0]["service_line_id"]}


def _rate(office: Office) -> Row:
    made = office.made(f"{_FEES}.upload_fee_schedule")
    row = made[0] if isinstance(made, list) else made
    return {"rate_id": row["rate_id"]}


def _about_contracts() -> Iterator[tuple[str, Recipe]]:
    for endpoint in endpoints().values():
        if "{contract_id}" in endpoint.path:
            yield endpoint.id, _of_contract(int(endpoint.id.split("_")[1][0]))


def _old_contract(office: Office) -> Row:
    return {"contract_id": office.rows("contracts.v_2.get_multi", limit=100)[-1]["contract_id"]}


MONEY: Final[Mapping[str, Recipe]] = {
    **dict(_about_contracts()),
    "patient_payments.v_4.create": _patients_money,
    "patient_refunds.v_1.create": _patients_money,
    "insurance_refunds.v_1.create": _payer_money,
    "non_insurance_payer_payments.v_1.create": _money,
    "non_insurance_payer_refunds.v_1.create": _money,
    "import_invoice.v_1.import_invoice": _invoice,
    "write_offs.v_1.get": _written_off,
    "write_offs.v_1.revert": _written_off,
    "write_offs.v_1.revert_insurance_balance_adjustment": _adjusted,
    "write_offs.v_1.revert_era_originated_insurance_balance_adjustment": _adjusted_by_an_era,
    "external_consolidated_remit.v_1.get_era_payments": _consolidated_remit,
    "external_consolidated_remit.v_1.get_transactions": _consolidated_remit,
    "insurance_adjudications.v_1.get": lambda office: {"insurance_adjudication_id": _era(office)},
    "contracts.v_2.create": _contract,
    "contracts.v_3.create": _contract,
    "contracts.v_3.create_contract_service_facility": _institutional,
    "contracts.v_3.update_contract_service_facility": _contract_facility,
    f"{_FEES}.upload_fee_schedule": _rates,
    "contracts.v_3.get_contract_providers": _old_contract,
    "contracts.v_3.get_contract_provider_credentialing_spans": _old_contract,
    "fee_schedules.v_3.get_match": _seeded_line,
    "fee_schedules.v_3.test_match": _seeded_line,
    "fee_schedules.v_3.get_payer_thresholds": lambda office: {"payer_uuids": [office.value("payer_uuid")]},
    "fee_schedules.v_3.get_unique_values_for_dimension": lambda _: {"pivot_dimension": "cpt_code"},
    "fee_schedules.v_3.hard_delete_rates": lambda office: {"cpt_code": str(10_000 + office.number())},
    "fee_schedules.v_3.hard_delete_rates_by_ids": lambda office: {"rate_ids": [_rate(office)["rate_id"]]},
    "fee_schedules.v_3.delete_rate": lambda office: {**_rate(office), "version": "1"},
}
