"""Search for payers that can be asked for eligibility (Candid: /eligibility-checks/v1/payer/search)."""

from __future__ import annotations

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.exchange.paging import page
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.records.feed import Feed
from candid_provider.emulator.records.state import State
from candid_provider.emulator.world.eligibility import SANDBOX_PAYERS
from candid_provider.emulator.world.organization import payer_id, payer_name


@answers("pre_encounter.eligibility_checks.v_1.payer_search")
def search_payers(asked: Asked) -> Record:
    words = (asked.query.text("query") or "").strip().casefold()
    scored = [(_score(words, number, name), number, name) for number, name in _payers(asked.state)]
    found = sorted((row for row in scored if row[0]), key=lambda row: (-row[0], row[1]))
    rows = Feed(range(len(found)), int)
    answer = page(asked, rows, lambda key: _item(*found[key.number]))
    return {**answer, "stats": {"total": len(found)}}


def _payers(state: State) -> list[tuple[str, str]]:
    return [*SANDBOX_PAYERS.items(), *((payer_id(n), payer_name(n)) for n in range(state.config.payers))]


def _score(words: str, number: str, name: str) -> int:
    """How well a payer fits what was asked for, 0 to 100."""
    if words in ("", number, name.casefold()):
        return 100
    parts = words.split()
    hits = sum(part in name.casefold() or number.startswith(part) for part in parts)
    return 90 * hits // len(parts)


def _item(score: int, number: str, name: str) -> Record:
    support = dict.fromkeys(("eligibilityCheck", "claimStatus", "coordinationOfBenefits"), "SUPPORTED")
    return {
        "score": score,
        "payer": {
            "stedi_id": "".join(chr(65 + int(digit)) for digit in number),
            "display_name": name,
            "primary_payer_id": number,
            "aliases": [number],
            "names": [name],
            "transaction_support": support,
            "employer_identification_numbers": None,
            "payer_enrollment": None,
            "parent_payer_group": None,
            "coverage_types": ["medical"],
        },
    }
