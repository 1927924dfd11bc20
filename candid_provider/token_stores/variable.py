"""The default store: Airflow Variables, which every task of a deployment can read and write."""

from __future__ import annotations

import os
import time
from typing import Any

from airflow.providers.common.compat.sdk import Variable

from candid_provider.oauth.store import StoreUnavailable
from candid_provider.token_stores.failure import OUTAGE, TRIES, name_of_failure
from candid_provider.token_stores.triggerer import lead_to_event_loop

DESCRIPTION = "Sealed access token of Candid Health, kept by airflow-provider-candid"


class VariableTokenStore:
    """Share the token through Airflow Variables in the metadata database.

    Register names contain ``token``, so Airflow hides their values in its UI and API; what they hold is
    sealed besides. Works in tasks, triggers and command lines.

    :param description: what Airflow shows beside the Variables.
    """

    settle = 1.0

    def __init__(self, description: str = DESCRIPTION) -> None:
        self._description = description

    def load(self, register: str) -> str | None:
        """Read a Variable.

        :raises StoreUnavailable: Airflow could not be asked.
        """
        problem = "no answer in time"
        for _ in range(TRIES):
            started = time.monotonic()
            try:
                # By position: the keyword is `default` in Airflow 3 and `default_var` in 2.11.
                value: str | None = _variables().get(register, None)
            except BaseException as error:
                problem = name_of_failure(error)
                break
            if value is not None or time.monotonic() - started < OUTAGE:
                return value
        raise StoreUnavailable(f"the Variable {register} could not be read ({problem})")

    def save(self, register: str, value: str) -> None:
        """Write a Variable.

        :raises StoreUnavailable: Airflow could not be asked.
        """
        try:
            _variables().set(register, value, description=self._description)
            return
        except BaseException as error:
            problem = name_of_failure(error)
        raise StoreUnavailable(f"the Variable {register} could not be written ({problem})")


def _variables() -> Any:
    """Give the class that reaches Variables from here: the task SDK's does so from tasks and triggers only."""
    lead_to_event_loop()
    if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server":
        from airflow.models import Variable as ServerVariable  # noqa: TID251 - the database's, for command lines

        return ServerVariable
    return Variable
