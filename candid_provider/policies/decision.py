"""Which errors another try can mend, and when it makes sense: decided here, for every Airflow."""

from __future__ import annotations

from dataclasses import dataclass

from candid_provider.exceptions import CandidError, CandidRateLimitError, CandidStoppedError

SPREAD = 5.0
"""Seconds over which tries are spread that wait for the end of one limit, so that they do not come all at once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say whether a task is tried again, and why.

    :param delay: seconds until then; None: never.
    :param reason: names and seconds, nothing else: Airflow stores it in clear.
    """

    delay: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """Say how long to wait where nobody says when it makes sense: up to twice as long with each try.

    :param first: most seconds before the second try.
    :param longest: most seconds before any, and the most of a limit that is waited for.
    """

    first: float
    longest: float

    def pause(self, try_number: int, chance: float) -> float:
        """Draw the seconds after a try, from 1; `chance` is from 0 to 1."""
        doublings = min(max(try_number, 1) - 1, 60)
        return chance * min(self.first * 2.0**doublings, self.longest)


def carried(exception: BaseException) -> CandidError | None:
    """Find the error of this package that an exception is, or was raised from."""
    link: BaseException | None = exception
    for _ in range(10):
        if link is None or isinstance(link, CandidError):
            return link
        link = link.__cause__
    return None


def is_final(error: CandidError) -> bool:
    """Say whether a task that ends with an error must not be tried again."""
    return not error.retryable or _unknown(error)


def text_of(error: CandidError) -> str:
    """Say what a task failed of, for good."""
    if not _unknown(error):
        return str(error)
    return f"{error}. It may have been carried out: look it up at Candid before you clear the task"


def decide(error: CandidError, try_number: int, backoff: Backoff, chance: float) -> Decision | None:
    """Say what an error means for a task; None: what the task's own arguments say.

    :param try_number: of the try that ended with it, from 1.
    :param chance: draws jitter, from 0 to 1.
    """
    if _unknown(error):
        return Decision(None, f"{_named(error)}: a write that may have been carried out is not repeated")
    if not error.retryable:
        return Decision(None, f"{_named(error)}: another try would not mend it")
    if isinstance(error, CandidStoppedError):
        return None
    asked = min(max(float(getattr(error, "retry_after", None) or 0.0), 0.0), backoff.longest)
    if asked and isinstance(error, CandidRateLimitError):
        jitter = chance * max(SPREAD, asked / 10)
    else:
        # An outage may outlast what the server believes, and a Retry-After of 0 is no licence to hammer.
        jitter = backoff.pause(try_number, chance)
    wish = f", {asked:.0f} s of it as Candid asked" if asked else ""
    return Decision(asked + jitter, f"{_named(error)}: next try in {asked + jitter:.0f} s{wish}")


def _unknown(error: CandidError) -> bool:
    return bool(getattr(error, "outcome_unknown", False))


def _named(error: CandidError) -> str:
    name, status = getattr(error, "error_name", None), getattr(error, "status_code", None)
    known = [type(error).__name__, name, f"HTTP {status}" if status else None]
    return " ".join(each for each in known if each)
