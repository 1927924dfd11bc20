"""Figures of a dashboard (Candid: /api/dashboarding/v1/metrics), computed from the seeded claims.

Which claims a figure is about is invented. Money is in cents. Beyond a thousand claims a figure is taken from every
n-th of them and scaled, so that it costs the same in a world of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from candid_provider.emulator.endpoints.registry import answers
from candid_provider.emulator.exchange.answers import declared, unprocessable
from candid_provider.emulator.exchange.asked import Asked
from candid_provider.emulator.files.export_file import amounts_of
from candid_provider.emulator.records.collection import Record
from candid_provider.emulator.world.claims import Money, standing_of, status_of
from candid_provider.emulator.world.encounters import inventory_row
from candid_provider.emulator.world.lives import ADJUDICATION, STAGES
from candid_provider.emulator.world.world import World

_DAY: Final = 86_400_000_000
_SAMPLE: Final = 1_000
_NEEDS_WORK: Final = frozenset({"denied", "rejected", "era_requires_review", "paid_incorrectly"})
_TO_POST: Final = frozenset({"era_received", "paid"})
_DENIED: Final = frozenset({"denied", "finalized_denied"})


class _Figures:
    """The claims of a world as they are at an instant, in groups that metrics are about."""

    def __init__(self, world: World, moment: int) -> None:
        self._world, self._moment = world.at(moment), moment
        self._done = self._world.at_stages(range(ADJUDICATION, STAGES))
        under_way = self._world.at_stages(range(ADJUDICATION))
        self.groups: dict[str, tuple[Sequence[int], float]] = {
            "pre_adjudication": self._some(under_way, lambda row: True),
            "post_adjudication": self._some(self._done, lambda row: self._status(row) in _NEEDS_WORK),
            "payment_posting": self._some(self._done, lambda row: self._status(row) in _TO_POST),
            "patient": self._some(self._world.inventory_rows(), self._is_owed),
        }

    def _status(self, row: int) -> str:
        return status_of(self._world, row)

    def _is_owed(self, row: int) -> bool:
        owed: bool = inventory_row(self._world, row)["patient_ar_status"] == "invoiceable"
        return owed

    def _amounts(self, row: int) -> Money:
        return amounts_of(self._world, row, standing_of(self._world, row))

    def _all(self, rows: range) -> tuple[Sequence[int], float]:
        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        return sample, len(rows) / len(sample) if sample else 1.0

    def _some(self, rows: range, fits: Callable[[int], bool]) -> tuple[Sequence[int], float]:
        """Those of a sample of rows that fit, and how many rows each of them stands for."""
        sample, scale = self._all(rows)
        return [row for row in sample if fits(row)], scale

    def value(self, metric: str) -> float | None:
        """A metric's value now; None when there is nothing that it could be taken over."""
        stem = metric.removesuffix("_v1")
        if stem.startswith("kpi_"):
            return _RATES[stem](self)
        group = next(name for name in self.groups if stem.startswith(name))
        rows, scale = self.groups[group]
        if stem.endswith("_count"):
            return round(len(rows) * scale)
        if stem.endswith("_days"):
            start = self._world.adjudicated if group == "patient" else self._world.created
            return max((self._moment - start(row)) // _DAY for row in rows) if rows else None
        return round(scale * sum(self._amount(group, row) for row in rows))

    def _amount(self, group: str, row: int) -> int:
        amounts = self._amounts(row)
        return (amounts.owed or 0) if group == "patient" else amounts.charge

    def _share(self, fits: Callable[[int], bool], rows: range) -> float | None:
        sample, _ = self._all(rows)
        return sum(map(fits, sample)) / len(sample) if sample else None

    def denial_rate(self) -> float | None:
        return self._share(lambda row: status_of(self._world, row) in _DENIED, self._done)

    def first_pass_rate(self) -> float | None:
        return self._share(lambda row: status_of(self._world, row) == "finalized_paid", self._done)

    def days_in_ar(self) -> float | None:
        rows, _ = self.groups["pre_adjudication"]
        ages = [(self._moment - self._world.created(row)) / _DAY for row in rows]
        return sum(ages) / len(ages) if ages else None

    def over_90_days_rate(self) -> float | None:
        rows, _ = self.groups["pre_adjudication"]
        old = [row for row in rows if self._moment - self._world.created(row) > 90 * _DAY]
        return len(old) / len(rows) if rows else None

    def collection_rate(self) -> float | None:
        amounts = [self._amounts(row) for row in self._all(self._done)[0]]
        allowed = sum(amount.allowed or 0 for amount in amounts)
        return sum(amount.paid or 0 for amount in amounts) / allowed if allowed else None


_RATES: Final[dict[str, Callable[[_Figures], float | None]]] = {
    "kpi_denial_rate": _Figures.denial_rate,
    "kpi_first_pass_resolution_rate": _Figures.first_pass_rate,
    "kpi_days_in_ar": _Figures.days_in_ar,
    "kpi_ar_over_90_days_rate": _Figures.over_90_days_rate,
    "kpi_net_collection_rate": _Figures.collection_rate,
}
_GROUPS: Final = ("pre_adjudication", "post_adjudication", "payment_posting")
_COUNTS: Final = ("patient_outstanding_balance_count_v1", *(f"{group}_claims_count_v1" for group in _GROUPS))
METRICS: Final = (
    *("patient_total_balance_v1", "patient_oldest_balance_days_v1"),
    *_COUNTS,
    *(f"{group}_{what}_v1" for group in _GROUPS for what in ("total_amount", "oldest_age_days")),
    *(f"{name}_v1" for name in _RATES),
)


@answers("dashboarding.v_1.query_metrics")
def query_metrics(asked: Asked) -> Record:
    queries: list[Any] = asked.body
    if not queries:
        raise declared(asked.endpoint, "BadRequestError", {"message": "at least one metric must be asked for"})
    for query in queries:
        if query["metric"] not in METRICS:
            raise unprocessable(asked.endpoint, "metric", "is not one of the known metrics")
        if query.get("snapshot") not in (None, "today", "yesterday"):
            raise unprocessable(asked.endpoint, "snapshot", "must be today or yesterday")
    now, world = asked.state.clock.now(), asked.state.world
    # Yesterday's snapshot was taken at midnight.
    moments = {"yesterday": now // _DAY * _DAY - 1, "today": now}
    figures = {name: _Figures(world, moment) for name, moment in moments.items()}
    return {"results": [_result(figures, query) for query in queries]}


def _result(figures: dict[str, _Figures], query: Record) -> Record:
    metric, snapshot = query["metric"], query.get("snapshot")
    result = {"metric": metric, "value": None, "snapshot": snapshot, "error": None}
    if snapshot == "yesterday" and metric not in _COUNTS:
        return result | {"error": "only counts have a snapshot of yesterday"}
    return result | {"value": figures[snapshot or "today"].value(metric)}
