"""The official SDK reads all answers about money: nothing unknown to it is sent, nothing it knows left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from candid_provider.emulator import Emulator, running

from .conftest import SMALL
from .test_sdk import client, pages, shape_faults

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:candid[.]"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydantic"),
    pytest.mark.filterwarnings("ignore:Valid config keys have changed:UserWarning:pydantic"),
]
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def sdk(emulator: Emulator) -> Iterator[Any]:
    with client(emulator) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def own() -> Iterator[Any]:
    """The client of an emulator that is written to."""
    with running(SMALL) as emulator, client(emulator) as sdk:
        yield sdk


LISTINGS = {
    "patient_payments.v_4": "patient_payment_id",
    "patient_refunds.v_1": "patient_refund_id",
    "insurance_refunds.v_1": "insurance_refund_id",
    "non_insurance_payers.v_1": "non_insurance_payer_id",
    "non_insurance_payer_payments.v_1": "non_insurance_payer_payment_id",
    "non_insurance_payer_refunds.v_1": "non_insurance_payer_refund_id",
    "write_offs.v_1": "write_off_id",
    "import_invoice.v_1": "id",
    "payer_plan_groups.v_1": "payer_plan_group_id",
}


def area(sdk: Any, name: str) -> Any:
    for part in name.split("."):
        sdk = getattr(sdk, part)
    return sdk


@pytest.mark.parametrize(("name", "identifier"), list(LISTINGS.items()))
def test_every_row_of_a_listing_parses_and_is_found_by_its_id(sdk: Any, name: str, identifier: str) -> None:
    rows = [row for page in pages(area(sdk, name).get_multi, limit=50) for row in page.items]
    assert rows
    assert shape_faults(rows) == []
    assert area(sdk, name).get(getattr(rows[-1], identifier)) == rows[-1]


@pytest.mark.parametrize(
    "listing",
    [
        "payers.v_3.get_all",
        "external_payment_account_config.v_1.get_multi",
        "non_insurance_payers.v_1.get_categories",
        "contracts.v_2.get_multi",
        "contracts.v_3.get_multi",
        "credentialing.v_2.get_all",
        "credentialing.v_2.get_all_facilities",
    ],
)
def test_every_row_of_other_listings_parses(sdk: Any, listing: str) -> None:
    rows = [row for page in pages(area(sdk, listing), limit=20) for row in page.items]
    assert rows
    assert shape_faults(rows) == []


def test_an_itemization_parses(sdk: Any) -> None:
    for row in sdk.patient_ar.v_1.list_inventory(limit=20).records:
        assert shape_faults(sdk.patient_ar.v_1.itemize(row.claim_id)) == []


def test_contracts_parse_with_their_providers_and_facilities(sdk: Any) -> None:
    for row in sdk.contracts.v_3.get_multi().items:
        assert shape_faults(sdk.contracts.v_3.get(row.contract_id)) == []
        assert shape_faults(sdk.contracts.v_3.get_contract_providers(row.contract_id).items) == []
        spans = sdk.contracts.v_3.get_contract_provider_credentialing_spans(row.contract_id).items
        assert shape_faults(spans) == []
    row = sdk.contracts.v_2.get_multi().items[0]
    assert shape_faults(sdk.contracts.v_2.get(row.contract_id)) == []


def test_remits_and_adjudications_parse(sdk: Any) -> None:
    encounters = sdk.encounters.v_4.get_all(limit=300).items
    eras = [era.era_id for row in encounters for era in row.claims[0].eras][:20]
    assert eras
    for era in eras:
        assert shape_faults(sdk.external_consolidated_remit.v_1.get_era_payments(era)) == []
        assert shape_faults(sdk.external_consolidated_remit.v_1.get_transactions(era).items) == []
        found = sdk.insurance_adjudications.v_1.get(era)
        assert shape_faults(found) == []
        assert shape_faults([row for rows in found.claims.values() for row in rows]) == []


def test_fees_parse(sdk: Any) -> None:
    fees = sdk.fee_schedules.v_3
    rows = fees.get_multi().rates
    assert shape_faults(rows) == []
    assert fees.get_rate_history(rows[0].rate_id) == rows[:1]
    values = fees.get_unique_values_for_dimension(pivot_dimension="cpt_code").dimensions
    assert shape_faults(values) == []
    assert shape_faults(fees.get_payer_thresholds_default()) == []
    payer = rows[0].dimensions.payer_uuid
    assert shape_faults(fees.get_payer_thresholds(payer_uuids=[payer]).payer_thresholds[payer]) == []
    lines = [line for row in sdk.encounters.v_4.get_all(limit=100).items for line in row.claims[0].service_lines]
    matches = [match for line in lines if (match := fees.get_match(line.service_line_id)) is not None]
    assert matches
    assert shape_faults(matches) == []
    assert shape_faults(fees.test_match(lines[0].service_line_id, rows[0].rate_id)) == []


# --- written through the SDK


def test_money_is_written_as_the_sdk_writes_it(own: Any) -> None:
    from candid.resources.financials import (
        AllocationCreate,
        AllocationTargetCreate_ClaimById,
        AllocationTargetCreate_Unattributed,
        NoteUpdate_Set,
    )
    from candid.resources.payers.resources.v_3 import PayerIdentifier_PayerUuid
    from candid.resources.write_offs.resources.v_1 import PatientWriteOffReason, WriteOffCreate_Patient

    encounter = own.encounters.v_4.get_all(limit=1).items[0]
    claim = encounter.claims[0]
    split = [
        AllocationCreate(amount_cents=60, target=AllocationTargetCreate_ClaimById(value=claim.claim_id)),
        AllocationCreate(amount_cents=40, target=AllocationTargetCreate_Unattributed()),
    ]
    money: dict[str, Any] = {"amount_cents": 100, "allocations": split}
    patient = encounter.patient.external_id
    paid = own.patient_payments.v_4.create(**money, patient_external_id=patient, payment_note="cash")
    noted = own.patient_payments.v_4.update(paid.patient_payment_id, payment_note=NoteUpdate_Set(value="card"))
    assert noted == own.patient_payments.v_4.get(paid.patient_payment_id)
    assert noted.payment_note == "card"
    refund = own.patient_refunds.v_1.create(**money, patient_external_id=patient, raise_on_overdraft=True)
    own.patient_refunds.v_1.delete(refund.patient_refund_id)
    payer = PayerIdentifier_PayerUuid(value=encounter.subscriber_primary.insurance_card.payer_uuid)
    from candid.resources.insurance_refunds.resources.v_1 import InsuranceRefundCreate

    returned = own.insurance_refunds.v_1.create(request=InsuranceRefundCreate(payer_identifier=payer, **money))
    own.insurance_refunds.v_1.delete(returned.insurance_refund_id)
    reason: Any = PatientWriteOffReason.BAD_DEBT
    off = WriteOffCreate_Patient(
        write_off_timestamp=datetime(2026, 3, 16, tzinfo=UTC),
        write_off_reason=reason,
        service_line_id=claim.service_lines[0].service_line_id,
        amount_cents=5,
    )
    made = own.write_offs.v_1.create(write_offs=[off]).write_offs
    assert shape_faults([*made, own.write_offs.v_1.revert(made[0].write_off_id), noted, refund, returned]) == []


def test_third_parties_and_invoices_are_written_as_the_sdk_writes_them(own: Any) -> None:
    from candid.resources.import_invoice.resources.v_1 import CreateImportInvoiceRequest, ImportInvoiceUpdateRequest
    from candid.resources.invoices.resources.v_2 import InvoiceStatus
    from candid.resources.non_insurance_payers.resources.v_1 import (
        CreateNonInsurancePayerRequest,
        NonInsurancePayerUpdateRequest,
        ToggleNonInsurancePayerEnablementRequest,
    )

    statuses: Any = InvoiceStatus
    payers = own.non_insurance_payers.v_1
    payer = payers.create(request=CreateNonInsurancePayerRequest(name="Guild"))
    payers.update(payer.non_insurance_payer_id, request=NonInsurancePayerUpdateRequest(name="Union"))
    toggle = ToggleNonInsurancePayerEnablementRequest(enabled=False)
    payer = payers.toggle_enablement(payer.non_insurance_payer_id, request=toggle)
    assert (payer.name, payer.enabled) == ("Union", False)
    invoice = own.import_invoice.v_1.import_invoice(
        request=CreateImportInvoiceRequest(
            external_payment_account_config_id=own.external_payment_account_config.v_1.get_multi().items[0].id,
            patient_external_id="somebody",
            external_customer_identifier="cus-1",
            items=[],
            status=statuses.DRAFT,
            external_identifier="sdk-1",
            due_date=date(2026, 5, 1),
        )
    )
    paid = own.import_invoice.v_1.update(invoice.id, request=ImportInvoiceUpdateRequest(status=statuses.PAID))
    assert shape_faults([payer, invoice, paid]) == []
    payers.delete(payer.non_insurance_payer_id)


def test_declared_errors_are_the_sdks_own_exceptions(own: Any) -> None:
    from candid.resources.commons.errors import EntityNotFoundError, UnauthorizedError, UnprocessableEntityError
    from candid.resources.contracts.resources.v_2.errors import ContractIsLinkedToFeeScheduleHttpError
    from candid.resources.fee_schedules.resources.v_3 import RateUpload_NewRate
    from candid.resources.fee_schedules.resources.v_3.errors import FeeScheduleValidationHttpError
    from candid.resources.financials import AllocationCreate, AllocationTargetCreate_Unattributed
    from candid.resources.financials.errors import ReallocationWouldOverdraftError
    from candid.resources.patient_ar.resources.v_1.errors import InvalidFiltersError
    from candid.resources.payer_plan_groups.resources.v_1 import MutablePayerPlanGroup
    from candid.resources.payer_plan_groups.resources.v_1.errors import PayerPlanGroupAlreadyExistsHttpError

    with pytest.raises(InvalidFiltersError):
        own.patient_ar.v_1.list_inventory(limit=101)
    with pytest.raises(EntityNotFoundError):
        own.patient_ar.v_1.itemize(NOWHERE)
    with pytest.raises(UnauthorizedError):
        own.insurance_adjudications.v_1.get(NOWHERE)
    part = AllocationCreate(amount_cents=1, target=AllocationTargetCreate_Unattributed())
    with pytest.raises(UnprocessableEntityError):
        own.patient_payments.v_4.create(amount_cents=2, patient_external_id="somebody", allocations=[part])
    with pytest.raises(ReallocationWouldOverdraftError) as overdraft:
        own.patient_refunds.v_1.create(
            amount_cents=1, patient_external_id="somebody", allocations=[part], raise_on_overdraft=True
        )
    assert overdraft.value.body.allocation_details[0].overage_amount_cents == 1
    contract = own.contracts.v_2.get_multi(sort_direction="asc").items[0]
    with pytest.raises(ContractIsLinkedToFeeScheduleHttpError):
        own.contracts.v_2.delete(contract.contract_id)
    known = own.fee_schedules.v_3.get_multi().rates[0]
    again = RateUpload_NewRate(dimensions=known.dimensions, entries=known.entries)
    with pytest.raises(FeeScheduleValidationHttpError) as refused:
        own.fee_schedules.v_3.upload_fee_schedule(dry_run=True, rates=[again])
    assert refused.value.body[0].existing_rate == known
    group = own.payer_plan_groups.v_1.get_multi().items[0]
    same = MutablePayerPlanGroup(
        plan_group_name=group.plan_group_name, payer_uuid=group.payer_uuid, plan_type=group.plan_type
    )
    with pytest.raises(PayerPlanGroupAlreadyExistsHttpError):
        own.payer_plan_groups.v_1.create(request=same)
