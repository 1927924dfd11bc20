"""What Candid's statuses mean to who waits, as defaults: no source defines their order, and some can go backwards.

The statuses are the official SDK's enumerations (candidhealth 1.37.0).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

CLAIM: dict[str, Any] = {
    "succeeded": ("finalized_paid",),
    "needs_person": (
        "missing_information",
        "waiting_for_provider",
        "held_by_customer",
        "rejected",
        "denied",
        "era_requires_review",
        "paid_incorrectly",
    ),
    "failed": ("finalized_denied", "not_billable"),
    "not_yet": ("biller_received", "coded", "submitted_to_payer", "era_received", "paid"),
}
"""Of a claim (``ClaimStatus``): payer thresholds decide between paid_incorrectly and finalized_paid."""

CLAIM_CREATION: dict[str, Any] = {
    "succeeded": ("successful", "successful-dry-run"),
    "needs_person": ("in-error",),
    "failed": ("aborted",),
    "not_yet": ("not-started", "held"),
}
"""Of a claim that Candid makes of charges (``ChargeCaptureClaimCreationStatus``); in-error can be repaired."""

TASK: dict[str, Any] = {
    "succeeded": ("finished",),
    "needs_person": (),
    "failed": (),
    "not_yet": (
        "open",
        "blocked",
        "in_progress",
        "waiting_for_review",
        "sent_to_provider_group",
        "addressed_by_provider_group",
    ),
}
"""Of a task of Candid's (``TaskStatus``)."""


def with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Fill up what was given; a status that was given leaves the default that had it.

    :param given: arguments, those of conditions among them.
    :param defaults: statuses by condition.
    """
    own = [status for name in defaults for status in given.get(name) or ()]
    left = {name: tuple(status for status in statuses if status not in own) for name, statuses in defaults.items()}
    return {**left, **given}
