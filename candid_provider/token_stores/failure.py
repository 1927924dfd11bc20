"""Which failures of Airflow mean that a store cannot be used."""

from __future__ import annotations

OUTAGE = 5.0
"""Seconds after which "no such Variable" or connection means that nobody answered: Airflow 3.1 to 3.3 report an
API server that does not answer like that (``execution_time/secrets/execution_api.py``)."""
TRIES = 2
"""How often what is missing too late is asked for: a process may also be slow to start."""


def name_of_failure(error: BaseException) -> str:
    """Name a failure, and let through what must end the task: interrupts, time limits, termination.

    Airflow's ``DeadlockImminentError`` derives from BaseException, too, but is a failure like others (Airflow
    3.3, ``execution_time/comms.py``).
    """
    if not isinstance(error, Exception) and type(error).__name__ != "DeadlockImminentError":
        raise error
    return type(error).__name__
