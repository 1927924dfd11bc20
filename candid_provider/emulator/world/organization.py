"""The invented organization that owns the data, and the payers it bills: few parts, all fixed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from candid_provider.emulator.world.identifiers import Identifiers, npi

_PAYER_STEMS: Final = (
    "Harborline",
    "Summit Ridge",
    "Bluewater",
    "Prairie Mutual",
    "Cedarstone",
    "Northgate",
    "Alder",
)
_PAYER_KINDS: Final = ("Health Plan", "Medicare Advantage", "Community Care", "Benefit Trust")
_SUPPORTED: Final = "SUPPORTED_ENROLLMENT_NOT_REQUIRED"
_CLINICIANS: Final = (
    *(("Ada", "Marlow"), ("Bruno", "Sefton"), ("Clara", "Winslow"), ("David", "Okoro"), ("Elena", "Vargas")),
    *(("Farid", "Nasser"), ("Grace", "Lindqvist"), ("Hugo", "Tanaka")),
)
# Family medicine, internal medicine, psychiatry, physical therapy.
_TAXONOMIES: Final = ("207Q00000X", "207R00000X", "2084P0800X", "225100000X")
CLINICIANS: Final = len(_CLINICIANS)
FACILITIES: Final = 4


def _address(number: int) -> dict[str, Any]:
    return {
        "address1": f"{100 + number} Clinic Way",
        "address2": None,
        "city": "Springfield",
        "state": "IL",
        "zip_code": "62701",
        "zip_plus_four_code": f"{number:04d}",
    }


def _raw(fragment: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fragment))


class Organization:
    """Fixed parts of an encounter as ready-made JSON, not to be encoded again for each of them."""

    def __init__(self, ids: Identifiers) -> None:
        self._ids = ids
        self.id = ids.uuid("organization", 0)
        self.user_id = ids.uuid("user", 0)
        self.billing_provider = _raw(self._provider(CLINICIANS, None))
        self.clinicians = [_raw(self._provider(number, name)) for number, name in enumerate(_CLINICIANS)]
        self.facilities = [_raw(self._facility(number)) for number in range(FACILITIES)]

    def npi(self, number: int) -> str:
        return npi(self._ids.draw("npi", number))

    def _provider(self, number: int, name: tuple[str, str] | None) -> dict[str, Any]:
        return {
            "first_name": name and name[0],
            "last_name": name and name[1],
            "organization_name": None if name else "Emulated Clinic",
            "provider_id": self._ids.uuid("provider", number),
            "address": _address(number),
            "tax_id": f"{900_000_000 + number}",
            "npi": self.npi(number),
            "taxonomy_code": _TAXONOMIES[number % len(_TAXONOMIES)],
            "qualifier": None,
            "provider_commercial_license_type": None,
            "secondary_identification": None,
        }

    def _facility(self, number: int) -> dict[str, Any]:
        return {
            "service_facility_id": self._ids.uuid("facility", number),
            "organization_name": f"Emulated Clinic, site {number + 1}",
            "npi": self.npi(CLINICIANS + 1 + number),
            "address": _address(number),
            "secondary_identification": None,
            "mammography_certification_number": None,
        }


@lru_cache(maxsize=256)
def payer_name(number: int) -> str:
    """Name of a payer; like Candid's, told apart from its namesakes by the payer id."""
    stem = _PAYER_STEMS[number % len(_PAYER_STEMS)]
    return f"{stem} {_PAYER_KINDS[number // len(_PAYER_STEMS) % len(_PAYER_KINDS)]}"


def payer_id(number: int) -> str:
    """The five-digit id that goes on claims."""
    return f"{10_000 + number:05d}"


def payer(ids: Identifiers, number: int) -> dict[str, Any]:
    """A payer (Candid: GET /api/payers/v4)."""
    routing = {
        "claims_payer_id": payer_id(number),
        "eligibility_payer_id": payer_id(number),
        "remittance_payer_id": None,
    }
    return {
        "payer_uuid": ids.uuid("payer", number),
        "payer_ids": routing,
        "payer_name": payer_name(number),
        "payer_category": None,
        "alternate_payer_names": [],
        "clearinghouse_payer_info": {"STEDI": _clearinghouse(payer_name(number), routing)},
        "street_address": None,
        "alternate_payer_addresses": [],
    }


def _clearinghouse(name: str, routing: dict[str, Any]) -> dict[str, Any]:
    return {
        "payer_name": name,
        "professional_payer_ids": routing,
        "institutional_payer_ids": routing,
        "professional_claims_support": _SUPPORTED,
        "institutional_claims_support": _SUPPORTED,
        "eligibility_support": _SUPPORTED,
        "remittance_support": _SUPPORTED,
        "claim_attachment_support": "NOT_SUPPORTED",
    }
