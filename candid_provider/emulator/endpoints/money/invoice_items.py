"""What an invoice is made of: amounts for claims, for their service lines, or for neither."""

from __future__ import annotations

from collections.abc import Iterator

from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.exchange.answers import unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record


def claim_items(claim_id: str, cents: int | None, lines: dict[str, int]) -> Record:
    whole = None if cents is None else {"claim_id": claim_id, "amount_cents": cents}
    parts = {name: {"service_line_id": name, "amount_cents": amount} for name, amount in lines.items()}
    return {"claim_invoice_item": whole, "service_line_invoice_items": parts}


def updated_items(asked: Asked, before: Record, order: Record) -> list[Record]:
    kept = list(_unrolled(before["items"])) if order["update_type"] == "APPEND" else []
    return kept + new_items(asked, order["items"])


def new_items(asked: Asked, items: list[Record]) -> list[Record]:
    return [_attributed(asked, f"items.{number}", item) for number, item in enumerate(items)]


def _attributed(asked: Asked, where: str, item: Record) -> Record:
    kind, value, cents = item["attribution"]["type"], item["attribution"].get("value"), item["amount_cents"]
    if kind == "unattributed":
        return {"claim_id": None, "service_line_id": None, "amount_cents": cents}
    find = {"service_line_id": references.find_line, "claim_id": references.find_claim}[kind]
    found = find(asked.state, value)
    if found is None:
        raise unprocessable(asked.endpoint, f"{where}.attribution.value", f"there is no {kind} {value}")
    line = value if kind == "service_line_id" else None
    return {"claim_id": found.claim["claim_id"], "service_line_id": line, "amount_cents": cents}


def rolled_up(items: list[Record]) -> Record:
    claims: dict[str, Record] = {}
    for item in items:
        if (claim_id := item["claim_id"]) is not None:
            known = claims.setdefault(claim_id, claim_items(claim_id, None, {}))
            _add(known, claim_id, item["service_line_id"], item["amount_cents"])
    loose = [{"amount_cents": item["amount_cents"]} for item in items if item["claim_id"] is None]
    return {"claim_invoice_items": claims, "unattributed_items": loose}


def _add(known: Record, claim_id: str, line_id: str | None, cents: int) -> None:
    if line_id is None:
        before = known["claim_invoice_item"] or {"amount_cents": 0}
        known["claim_invoice_item"] = {"claim_id": claim_id, "amount_cents": cents + before["amount_cents"]}
    else:
        lines = known["service_line_invoice_items"]
        before = lines.get(line_id, {"amount_cents": 0})
        lines[line_id] = {"service_line_id": line_id, "amount_cents": cents + before["amount_cents"]}


def _unrolled(items: Record) -> Iterator[Record]:
    for claim_id, known in items["claim_invoice_items"].items():
        if known["claim_invoice_item"]:
            yield {**known["claim_invoice_item"], "service_line_id": None}
        for line in known["service_line_invoice_items"].values():
            yield {**line, "claim_id": claim_id}
    for loose in items["unattributed_items"]:
        yield {**loose, "claim_id": None, "service_line_id": None}
