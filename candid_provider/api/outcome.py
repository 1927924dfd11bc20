"""What an answer of Candid's means to who waits for something: decided here, and nowhere else."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from candid_provider.exceptions import CandidConfigError, CandidError, signs_of

Sign = str | int
SOME = "*"
"""Among statuses: anything that is there and not empty. An object without a field is there."""
_PATH = re.compile(r"(\w+|\*)([.|](\w+|\*))*")


class Outcome(enum.StrEnum):
    """Say how a wait ended, or that it has not."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    NEEDS_PERSON = "needs_person"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what an answer means.

    :param outcome: pending, succeeded, needs_person or failed.
    :param statuses: how often each status was found that the conditions name; others count as ``other``.
    :param unknown: statuses that the conditions do not name.
    :param error: the answer, if it was an error.
    """

    outcome: Outcome
    statuses: Mapping[str, int] = field(default_factory=dict)
    unknown: frozenset[str] = field(default=frozenset(), repr=False)
    error: CandidError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Say in plain values what an answer means, so that a trigger can be stored with them.

    Without ``status_path`` any good answer is a success. With it the statuses that stand there decide. What is
    named nowhere is waited for: a status because Candid adds some without notice, an error if a retry can help (429,
    5xx, no answer), so that an outage of Candid ends no wait. Any other error fails.

    :param status_path: where the statuses stand in the answer: names joined by dots, ``*`` for each element of a
        list, such as ``claims.*.status``; several places are joined by ``|``.
    :param succeeded: statuses that end the wait well; ``*`` stands for whatever is there and not empty.
    :param needs_person: statuses that end it because somebody has to look.
    :param failed: statuses, errors by their names at Candid (``ExportDisabledError``), and HTTP statuses that mean
        that it will never be there. They go before ``not_yet``.
    :param not_yet: statuses, errors and HTTP statuses that mean that it is not there yet.
    :param match: of several statuses, whether ``all`` have to succeed, where the first bad one ends the wait, or
        ``any``, where it ends badly only when all have ended.
    :param at_least: number that has to be reached by the number at ``status_path``, or else by how many values
        stand there; in place of ``succeeded``.
    :raises CandidConfigError: names the condition and the fix.
    """

    status_path: str = ""
    succeeded: Collection[str] = ()
    needs_person: Collection[str] = ()
    failed: Collection[Sign] = ()
    not_yet: Collection[Sign] = ()
    match: Literal["all", "any"] = "all"
    at_least: int | None = None

    def __post_init__(self) -> None:
        for name in ("succeeded", "needs_person", "failed", "not_yet"):
            object.__setattr__(self, name, _signs(name, getattr(self, name)))
        if self.match not in ("all", "any"):
            raise CandidConfigError("match is neither 'all' nor 'any'", field="match")
        if self.status_path and not _PATH.fullmatch(self.status_path):
            raise CandidConfigError(
                "status_path is not names and '*' joined by dots, such as claims.*.status", field="status_path"
            )
        if bool(self.status_path) != bool(self.succeeded or self.at_least is not None):
            raise CandidConfigError(
                "status_path and succeeded (or at_least) go together: where the status stands, and what it has to be",
                field="status_path",
            )
        self._check_once_each()

    def _check_once_each(self) -> None:
        named = Counter(
            sign for name in ("succeeded", "needs_person", "failed", "not_yet") for sign in getattr(self, name)
        )
        if twice := [sign for sign, times in named.items() if times > 1]:
            raise CandidConfigError(f"{twice[0]!r} is named by two conditions. Leave it in one", field="succeeded")

    @property
    def signs(self) -> frozenset[Sign]:
        """All errors that say something: a call raises them at once (``Call.final``)."""
        return frozenset((*self.not_yet, *self.failed))

    def plain(self) -> dict[str, Any]:
        """Give what JSON holds and another process makes the same conditions of."""
        given = {each.name: (getattr(self, each.name), each.default) for each in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, (value, default) in given.items()
            if default is MISSING or value != default
        }

    def verdict(self, reply: object) -> Verdict:
        """Judge an answer, or the error that came in its place; a verdict stays as it is."""
        if isinstance(reply, Verdict):
            return reply
        if isinstance(reply, CandidError):
            return Verdict(self._of_error(reply), error=reply)
        if not self.status_path:
            return Verdict(Outcome.SUCCEEDED)
        found = values_at(reply, self.status_path)
        return self._of_number(found) if self.at_least is not None else self._of_statuses(found)

    def _of_error(self, error: CandidError) -> Outcome:
        signs = signs_of(error)
        if not signs.isdisjoint(self.failed):
            return Outcome.FAILED
        return Outcome.PENDING if error.retryable or not signs.isdisjoint(self.not_yet) else Outcome.FAILED

    def _of_number(self, found: list[Any]) -> Verdict:
        numbers = [value for value in found if isinstance(value, int) and not isinstance(value, bool)]
        reached = max(numbers) if numbers else len(found)
        return Verdict(Outcome.SUCCEEDED if reached >= (self.at_least or 0) else Outcome.PENDING)

    def _of_statuses(self, found: list[Any]) -> Verdict:
        each = [(value if isinstance(value, str) else SOME, self._of_status(value)) for value in found]
        named = {*self.succeeded, *self.needs_person, *self.failed, *self.not_yet}
        counts = Counter(status if status in named else _shown(outcome) for status, outcome in each)
        unknown = frozenset(status for status, outcome in each if outcome is Outcome.PENDING and status not in named)
        return Verdict(self._together([outcome for _, outcome in each]), dict(sorted(counts.items())), unknown)

    def _of_status(self, value: object) -> Outcome:
        if value in self.failed:
            return Outcome.FAILED
        if value in self.needs_person:
            return Outcome.NEEDS_PERSON
        if value in self.not_yet:
            return Outcome.PENDING
        return Outcome.SUCCEEDED if value in self.succeeded or SOME in self.succeeded else Outcome.PENDING

    def _together(self, outcomes: list[Outcome]) -> Outcome:
        """Judge several statuses at once; none at all is pending, as an encounter without claims is."""
        there = set(outcomes)
        if self.match == "any":
            first = (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.NEEDS_PERSON, Outcome.FAILED)
        else:
            first = (Outcome.FAILED, Outcome.NEEDS_PERSON, Outcome.PENDING, Outcome.SUCCEEDED)
        return next((outcome for outcome in first if outcome in there), Outcome.PENDING)


def _shown(outcome: Outcome) -> str:
    """Count without its value what no condition names: a star may stand for anything."""
    return SOME if outcome is Outcome.SUCCEEDED else "other"


def _signs(name: str, given: object) -> tuple[Sign, ...]:
    """Take a list of texts and numbers; one text would be taken for a list of letters."""
    if isinstance(given, str | bytes) or not isinstance(given, Sequence | set | frozenset):
        raise CandidConfigError(f"{name} is not a list. Give a list, also of one", field=name)
    signs = tuple(sorted(given, key=str)) if isinstance(given, set | frozenset) else tuple(given)
    if not all(isinstance(sign, str | int) for sign in signs):
        raise CandidConfigError(f"{name} holds something that is no text and no number", field=name)
    return tuple(dict.fromkeys(signs))


def values_at(value: Any, path: str) -> list[Any]:
    """Give what stands at a ``status_path`` of an answer, and is not empty."""
    return [found for place in path.split("|") for found in _found(value, place.split("."))]


def _found(value: Any, steps: list[str]) -> Iterator[Any]:
    """Give what stands at a path and is not empty."""
    if not steps:
        if value not in (None, "", []):
            yield value
    elif steps[0] == "*":
        for element in value if isinstance(value, list) else ():
            yield from _found(element, steps[1:])
    elif isinstance(value, dict):
        yield from _found(value.get(steps[0]), steps[1:])
