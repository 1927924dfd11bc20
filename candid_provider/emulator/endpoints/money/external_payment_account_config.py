"""Accounts with other payment systems (Candid: /api/external-payment-account-config/v1)."""

from __future__ import annotations

from typing import Final

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Kind, Record

_NAMES: Final = ("Emulated Clinic, cards", "Emulated Clinic, front desk", "Emulated Clinic, statements")

ACCOUNT_CONFIGS: Final = Kind(
    "payment_account_config",
    "id",
    count=lambda _: len(_NAMES),
    make=lambda state, index: {
        "id": state.world.ids.uuid("payment_account_config", index),
        "account_name": _NAMES[index],
    },
)


@answers("external_payment_account_config.v_1.get_multi")
def list_account_configs(asked: Asked) -> Record:
    rows = asked.state.of(ACCOUNT_CONFIGS)
    return page(asked, rows.by_creation(), rows.created_record)
