"""Uploads of rates: all of them are saved, or none and each is told what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from candid_provider.emulator.endpoints.contracts.fee_rates import RATES, SETS, SINGLE
from candid_provider.emulator.endpoints.contracts.fee_schedules import remember
from candid_provider.emulator.endpoints.contracts.payer_plan_groups import PLAN_GROUPS
from candid_provider.emulator.endpoints.money import references
from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.records.collection import Record

_UNSET: Final = {"end_date": None}


@answers("fee_schedules.v_3.upload_fee_schedule")
def upload(asked: Asked) -> list[Record]:
    checked = [_Upload(asked, given) for given in asked.body["rates"]]
    seen: set[str] = set()
    for one in checked:
        one.check(seen)
    if any(one.errors for one in checked):
        content = [
            {"rate_upload": one.given, "existing_rate": one.existing, "possible_errors": one.errors}
            for one in checked
        ]
        raise declared(asked.endpoint, "FeeScheduleValidationHttpError", content)
    return [one.saved(dry_run=asked.body["dry_run"], number=number) for number, one in enumerate(checked)]


class _Upload:
    """One rate of an upload: totally new, or the next version of one that is there."""

    def __init__(self, asked: Asked, given: Record) -> None:
        self._asked = asked
        self._rates = asked.state.of(RATES)
        self._is_new = given["type"] == "new_rate"
        self.entries = [_UNSET | row for row in given["entries"]]
        self.given = given | {"entries": self.entries}
        self.errors: list[Record] = []
        self.existing: Record | None = None
        if self._is_new:
            self.given["dimensions"] = self._dimensions(given["dimensions"])

    def _dimensions(self, given: Record) -> Record:
        references.required_payer(self._asked, given["payer_uuid"])
        return {name: given[name] for name in SINGLE} | {name: sorted(given[name]) for name in SETS}

    def check(self, seen: set[str]) -> None:
        """Find what is wrong; `seen` are the rates of the same upload before this one."""
        if not self.entries:
            self.errors.append({"type": "empty_entries"})
        self.errors += _overlaps(self.entries)
        if self._is_new:
            self._check_new(seen)
        else:
            self._check_version(seen)

    def _check_new(self, seen: set[str]) -> None:
        dimensions = self.given["dimensions"]
        self.existing = next((rate for rate in self._rates if _key(rate["dimensions"]) == _key(dimensions)), None)
        if self.existing or _key(dimensions) in seen:
            self.errors.append({"type": "duplicate_rate"})
        seen.add(_key(dimensions))
        provider = dimensions["organization_billing_provider_id"]
        if references.provider(self._asked, provider) is None:
            self.errors.append({"type": "organization_provider_not_found", "id": provider})
        self.errors += _plan_errors(self._asked, dimensions)

    def _check_version(self, seen: set[str]) -> None:
        identifier = self.given.get("rate_id", "")
        self.existing = self._rates.get(identifier)
        fits = self.existing is not None and self.existing["version"] == self.given.get("previous_version")
        if not fits or identifier in seen:
            self.errors.append({"type": "version_conflict", "entity_name": "rate"})
        seen.add(identifier)

    def saved(self, *, dry_run: bool, number: int) -> Record:
        """The rate as it is from now on; after a dry run, as it would be."""
        state = self._asked.state
        made: Record = {"version": 1, "updated_at": state.now()[:10], "updated_by": state.organization.user_id}
        made["entries"] = self.entries
        if self.existing is None:
            fresh = self._rates.new_id()
            made["rate_id"] = references.derived_id(state, "dry_run_rate", fresh, number) if dry_run else fresh
            made["dimensions"] = self.given["dimensions"]
            return made if dry_run else self._rates.add(made)
        made = self.existing | made | {"version": self.existing["version"] + 1}
        if not dry_run:
            remember(state, self.existing)
            self._rates.put(made)
        return made


def _key(dimensions: Record) -> str:
    return repr([dimensions[name] for name in SINGLE] + [sorted(dimensions[name]) for name in SETS])


def _overlaps(entries: list[Record]) -> Iterator[Record]:
    for one, other in combinations(sorted(entries, key=lambda row: str(row["start_date"])), 2):
        if one["end_date"] is None or other["start_date"] <= one["end_date"]:
            message = "Two entries hold on the same day"
            yield {"type": "overlapping_rate_entries", "message": message, "rate_a": one, "rate_b": other}


def _plan_errors(asked: Asked, dimensions: Record) -> Iterator[Record]:
    for identifier in dimensions["payer_plan_group_ids"]:
        group = asked.state.of(PLAN_GROUPS).get(str(identifier))
        if group is None:
            yield {"type": "payer_plan_group_not_found", "id": identifier}
        elif group["payer_uuid"] != dimensions["payer_uuid"]:
            yield {
                "type": "payer_plan_group_does_not_match_rate_payer",
                "rate_payer_uuid": dimensions["payer_uuid"],
                "payer_plan_group_payer_uuid": group["payer_uuid"],
            }
    if dimensions["payer_plan_group_ids"] and dimensions["network_types"]:
        yield {"type": "payer_plan_group_network_type_mutual_exclusion", "entity_name": "rate"}
