"""Which failures of Airflow mean that a store cannot be used."""

from __future__ import annotations


def name_of_failure(error: BaseException) -> str:
    """Name a failure, and let through what must end the task: interrupts, time limits, termination.

    Airflow's ``DeadlockImminentError`` derives from BaseException, too, but is a failure like others (Airflow
    3.3, ``execution_time/comms.py``).
    """
    if not isinstance(error, Exception) and type(error).__name__ != "DeadlockImminentError":
        raise error
    return type(error).__name__
