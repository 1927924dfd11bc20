"""From an Airflow connection to settings."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from candid_provider.api.settings import CandidSettings
from candid_provider.exceptions import CandidConfigError, CandidUnavailableError
from candid_provider.oauth.unreadable import UNREADABLE
from candid_provider.token_stores.failure import OUTAGE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


@contextlib.contextmanager
def passing_over_silence(patience: float = OUTAGE) -> Iterator[None]:
    """Let "not defined" pass if it came late: Airflow 3 says so when its API server did not answer.

    :param patience: seconds after which it is late.
    """
    started = time.monotonic()
    try:
        yield
    except AirflowNotFoundException:
        if time.monotonic() - started < patience:
            raise


def silence(conn_id: str) -> CandidUnavailableError:
    """Say that nobody answered."""
    return CandidUnavailableError(f"Airflow did not answer in time what the connection {conn_id!r} is")


def settings_of(connection: Connection) -> CandidSettings:
    """Read an Airflow connection.

    :raises CandidConfigError: names the field and the fix.
    """
    try:
        extra = msgspec.json.decode(connection.extra or "{}")
    except UNREADABLE:
        extra = None
    if not isinstance(extra, dict):
        raise CandidConfigError('extra is not a JSON object. Give it as {"environment": "staging"}', field="extra")
    if connection.schema not in (None, "", "http", "https"):
        raise CandidConfigError("schema is neither http nor https. Leave it empty", field="schema")
    return CandidSettings.from_connection(
        login=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        scheme=connection.schema,
        extra=extra,
    )
