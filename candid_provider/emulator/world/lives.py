"""The lives a claim can lead: which statuses it goes through, and what is known of it at each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

STATUSES: Final = (
    *("biller_received", "coded", "submitted_to_payer", "missing_information", "not_billable"),
    *("waiting_for_provider", "era_received", "rejected", "denied", "paid", "paid_incorrectly"),
    *("finalized_paid", "finalized_denied", "held_by_customer", "era_requires_review"),
)
Path = tuple[str, ...]

# When a claim reaches its stages, in eighths of a quarter of the world's days.
EIGHTHS: Final = (0, 1, 2, 6, 7, 8)
STAGES: Final = len(EIGHTHS)
# The stage at which a claim that leaves its patient a balance does so.
ADJUDICATION: Final = 3

# Candid defines no transitions; these are invented, and some go backwards. The stages at which a status can be
# lie together without a gap, so that a search for it needs to look at one stretch of encounters only.
_SETTLING: Final = """
     9 coded submitted_to_payer era_received paid finalized_paid
     2 held_by_customer submitted_to_payer era_received paid finalized_paid
     2 missing_information coded submitted_to_payer paid finalized_paid
     2 waiting_for_provider coded submitted_to_payer era_received finalized_paid
     1 coded submitted_to_payer rejected submitted_to_payer finalized_paid
     2 coded submitted_to_payer era_received era_requires_review paid
     1 missing_information waiting_for_provider submitted_to_payer era_received paid
     1 coded submitted_to_payer denied submitted_to_payer paid
     2 coded submitted_to_payer era_received denied finalized_denied
     1 coded submitted_to_payer denied submitted_to_payer denied
     1 coded submitted_to_payer rejected submitted_to_payer denied
     1 coded submitted_to_payer rejected submitted_to_payer rejected
     1 coded submitted_to_payer era_received paid rejected
     1 coded submitted_to_payer rejected submitted_to_payer era_received
     1 missing_information submitted_to_payer rejected submitted_to_payer era_received
     1 coded submitted_to_payer era_received rejected submitted_to_payer
     1 coded submitted_to_payer era_received paid era_requires_review
     1 coded submitted_to_payer era_received paid paid_incorrectly
     1 missing_information coded submitted_to_payer rejected not_billable
"""
_OWING: Final = """
     3 coded submitted_to_payer era_received paid finalized_paid
     1 held_by_customer submitted_to_payer era_received era_requires_review finalized_paid
     1 missing_information submitted_to_payer paid paid_incorrectly finalized_paid
     1 coded submitted_to_payer era_received era_requires_review paid
     1 waiting_for_provider submitted_to_payer era_received paid_incorrectly paid
     1 coded submitted_to_payer era_received paid paid_incorrectly
"""
_DENIED: Final = frozenset({"denied", "finalized_denied"})
_ADJUDICATED: Final = _DENIED | {
    *("paid", "finalized_paid", "paid_incorrectly", "era_received", "era_requires_review"),
}
_WITH_CUSTOMER: Final = frozenset({"missing_information", "waiting_for_provider", "held_by_customer", "rejected"})
_NOTHING_TO_DO: Final = frozenset({"paid", "finalized_paid", "finalized_denied", "not_billable"})


def _paths(table: str) -> tuple[Path, ...]:
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(path for count, *others in rows for path in [("biller_received", *others)] * int(count))


_PATHS: Final = {False: _paths(_SETTLING), True: _paths(_OWING)}


class Standing(NamedTuple):
    """What is known of a claim at one stage of its path."""

    status: str
    eras: tuple[int, ...]  # the stages at which a remittance came
    denied: bool  # by the latest of them
    submitted: int | None  # the stage at which it last went to the payer
    owner: str  # of the next action


def path_of(bits: int, owing: bool) -> Path:
    """The statuses that a claim goes through, one for each stage, chosen by random bits."""
    paths = _PATHS[owing]
    return paths[bits % len(paths)]


@cache
def standing(path: Path, stage: int) -> Standing:
    """Where a claim on a path stands at a stage."""
    lived = path[: stage + 1]
    eras = tuple(n for n, status in enumerate(lived) if status in _ADJUDICATED and path[n - 1] not in _ADJUDICATED)
    submissions = [n for n, status in enumerate(lived) if status == "submitted_to_payer"]
    return Standing(
        status=path[stage],
        eras=eras,
        denied=bool(eras) and _is_denial(path, eras[-1]),
        submitted=submissions[-1] if submissions else None,
        owner=_owner(path[stage]),
    )


def _is_denial(path: Path, stage: int) -> bool:
    # What an ERA said shows when it has been posted, a stage or two after it came.
    posted = path[stage:]
    end = next((n for n, status in enumerate(posted) if status not in _ADJUDICATED), len(posted))
    return not _DENIED.isdisjoint(posted[:end])


def _owner(status: str) -> str:
    if status == "biller_received":
        return "CODER"
    if status in _WITH_CUSTOMER:
        return "CUSTOMER"
    return "NONE" if status in _NOTHING_TO_DO else "CANDID"


def stages_of(status: str) -> range:
    """The stages at which a claim can have a status."""
    return _stages(lambda other: other == status)


def stages_owned_by(owner: str) -> range:
    """The stages at which it can be somebody's turn to act."""
    return _stages(lambda status: _owner(status) == owner)


def _stages(fits: Callable[[str], bool]) -> range:
    paths = (path for kind in _PATHS.values() for path in kind)
    found = [stage for path in paths for stage in range(STAGES) if fits(path[stage])]
    return range(min(found), max(found) + 1) if found else range(0)
